//! What is answered to each request, from the rows of its statement.

use std::future::Future;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::super::error::{StoreError, micros};
use super::Shared;
use super::desk::Parameter;
use super::sql::{number, rank_of};
use crate::{
    Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew,
};

/// How often an acquire is repeated that others were faster than, each time between its look and its grip.
const REPEATS: usize = 10;

/// What an acquire came to.
pub(super) enum Tried {
    Reply(LeaseReply),
    /// Held, and we are told of the release.
    Held(Holder),
}

impl Shared {
    pub(super) async fn answer(&self, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        match request {
            LeaseRequest::Acquire(acquire) => self.acquire(&acquire).await,
            LeaseRequest::Renew(renew) => self.bound("renew", self.renew(&renew)).await,
            LeaseRequest::Release { lock, nonce } => {
                self.bound("release", self.release(&lock, nonce)).await
            }
            LeaseRequest::Observe { lock } => self.bound("observe", self.observe(&lock)).await,
        }
    }

    pub(super) async fn bound<T>(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.patience.bound(verb, work).await
    }

    /// `waits`: to be told of the release.
    pub(super) async fn take(&self, asked: &Acquire, waits: bool) -> Result<Tried, StoreError> {
        let lowest = Rank::new(self.era, 0);
        let (rank, is_exact) = match asked.claim {
            Claim::Above(floor) => (floor.max(lowest).next(), false),
            Claim::Exactly(rank) => (Some(rank).filter(|rank| *rank > lowest), true),
        };
        let Some(rank) = rank else {
            return self.refuse(asked).await.map(Tried::Reply);
        };
        let (name, nonce) = (asked.lock.as_str(), asked.nonce.to_string());
        let (time, number) = (micros(asked.ttl.get()), number(rank));
        let parameters: [Parameter<'_>; 6] = [
            (&name, Type::TEXT),
            (&nonce, Type::TEXT),
            (&time, Type::INT8),
            (&number, Type::TEXT),
            (&is_exact, Type::BOOL),
            (&waits, Type::BOOL),
        ];
        let statement = &self.statements.acquire;
        for _ in 0..REPEATS {
            let rows = self.desk.ask("acquire", statement, &parameters).await?;
            // No row, or one that ended meanwhile: ask again.
            let Some(row) = rows.first() else { continue };
            let Found {
                is,
                rank: high,
                left,
            } = found("acquire", row)?;
            match left {
                Some(ttl) if is => {
                    return Ok(Tried::Reply(LeaseReply::Granted(Grant { rank: high, ttl })));
                }
                Some(remaining) if !waits || row.get(3) => {
                    let rank = high;
                    return Ok(Tried::Held(Holder { rank, remaining }));
                }
                None if !is
                    && if is_exact {
                        rank <= high
                    } else {
                        high == Rank::MAX
                    } =>
                {
                    let high = high.max(lowest);
                    return Ok(Tried::Reply(LeaseReply::Passed { high }));
                }
                _ => {}
            }
        }
        Err(StoreError::failed(
            "acquire",
            "others were faster each time",
        ))
    }

    /// Nothing can be granted as it is asked.
    async fn refuse(&self, asked: &Acquire) -> Result<LeaseReply, StoreError> {
        let row = self.row("acquire", &asked.lock).await?;
        let high = row.as_ref().map_or(Rank::ZERO, |row| row.rank);
        let high = high.max(Rank::new(self.era, 0));
        Ok(match row {
            Some(Found {
                is: true,
                rank,
                left: Some(remaining),
            }) => LeaseReply::Held(Holder { rank, remaining }),
            _ => LeaseReply::Passed { high },
        })
    }

    async fn renew(&self, asked: &Renew) -> Result<LeaseReply, StoreError> {
        let (name, nonce) = (asked.lock.as_str(), asked.nonce.to_string());
        let (time, number) = (micros(asked.ttl.get()), number(asked.rank));
        let parameters: [Parameter<'_>; 4] = [
            (&name, Type::TEXT),
            (&nonce, Type::TEXT),
            (&time, Type::INT8),
            (&number, Type::TEXT),
        ];
        let statement = &self.statements.renew;
        let rows = self.desk.ask("renew", statement, &parameters).await?;
        let row = rows.first().map(|row| found("renew", row)).transpose()?;
        Ok(match row {
            Some(Found { is: true, left, .. }) => LeaseReply::Renewed {
                ttl: left.unwrap_or_default(),
            },
            other => {
                let high = other.map_or(Rank::ZERO, |row| row.rank);
                let high = high.max(Rank::new(self.era, 0));
                LeaseReply::NotHolder { high }
            }
        })
    }

    async fn release(&self, lock: &LockName, nonce: Nonce) -> Result<LeaseReply, StoreError> {
        let (name, nonce) = (lock.as_str(), nonce.to_string());
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&nonce, Type::TEXT)];
        let statement = &self.statements.release;
        let rows = self.desk.ask("release", statement, &parameters).await?;
        let was_held = !rows.is_empty();
        Ok(LeaseReply::Released { was_held })
    }

    async fn observe(&self, lock: &LockName) -> Result<LeaseReply, StoreError> {
        let row = self.row("observe", lock).await?;
        let high = row.as_ref().map_or(Rank::ZERO, |row| row.rank);
        let high = high.max(Rank::new(self.era, 0));
        let holder = row.and_then(|Found { is, rank, left }| {
            let remaining = left.filter(|_| is)?;
            Some(Holder { rank, remaining })
        });
        Ok(LeaseReply::Observed { high, holder })
    }

    async fn row(&self, verb: &'static str, lock: &LockName) -> Result<Option<Found>, StoreError> {
        let name = lock.as_str();
        let statement = &self.statements.observe;
        let rows = self
            .desk
            .ask(verb, statement, &[(&name, Type::TEXT)])
            .await?;
        rows.first().map(|row| found(verb, row)).transpose()
    }
}

/// A row, as the statements tell of it.
struct Found {
    /// Whether what was asked is so.
    is: bool,
    rank: Rank,
    /// What is left of its lease.
    left: Option<Duration>,
}

fn found(verb: &'static str, row: &Row) -> Result<Found, StoreError> {
    let nonsense = |e| StoreError::nonsense(verb, e);
    let is = row.try_get(0).map_err(nonsense)?;
    let number: &str = row.try_get(1).map_err(nonsense)?;
    let left: i64 = row.try_get(2).map_err(nonsense)?;
    let rank = rank_of(number).ok_or_else(|| StoreError::nonsense(verb, number))?;
    let left = u64::try_from(left).ok().filter(|left| *left > 0);
    let left = left.map(Duration::from_micros);
    Ok(Found { is, rank, left })
}

//! The rounds of each request.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Lane, Point, Stream};
use murphy_quorum::QuorumError;
use tower_service::Service;

use super::ask::{Ask, Said, Slate, What};
use super::next::{Failed, Next, next};
use super::{NoMajority, QuorumStore};
use crate::{Acquire, Claim, Grant, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew};

/// Backoff between two ballots that are in each other's way: up to 10 ms, then twice as much each time, up to 640 ms.
const BACKOFF: Duration = Duration::from_millis(10);
const DOUBLINGS: u32 = 6;

/// A round without a majority.
struct Missed<E> {
    said: Vec<Said>,
    why: QuorumError<Arc<str>, E>,
}

impl<S> QuorumStore<S>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    pub(super) async fn acquire(
        &mut self,
        asked: Acquire,
    ) -> Result<LeaseReply, NoMajority<Arc<str>, S::Error>> {
        let Acquire { lock, nonce, .. } = &asked;
        let mut ours = Vec::new();
        if let (Claim::Above(_), Some(rank)) =
            (asked.claim, self.memory.won(lock, nonce.to_owned()))
        {
            // The reply was lost, it seems: the same grant again, if it still runs.
            let (confirm, slate) = (What::Confirm(exactly(&asked, rank)), Slate::default());
            let again = self.ballot(confirm, &slate, asked.ttl.get());
            match again.await {
                Ok(ttl) => return Ok(LeaseReply::Granted(Grant { rank, ttl })),
                Err(missed) if self.is_silent(&missed) => return Err(missed.of("acquire", lock)),
                // It is over: what is left of it, or was recorded by this question, is in nobody's way.
                Err(_) => {
                    let _left = self.release(lock.clone(), *nonce).await;
                    ours.push(rank);
                }
            }
        }
        let mut ballot = match asked.claim {
            Claim::Exactly(rank) => Some(rank),
            Claim::Above(floor) => self.above(floor.max(self.memory.high(lock))),
        };
        for round in 0..self.rounds {
            let Some(rank) = ballot else {
                return Ok(LeaseReply::Passed { high: Rank::MAX });
            };
            // Known before it leaves: a ballot that is dropped on its way is undone later, and a repeat must be another.
            self.memory.saw(lock, rank);
            let (record, slate) = (What::Record(exactly(&asked, rank)), Slate::default());
            let missed = match self.ballot(record, &slate, asked.ttl.get()).await {
                Ok(ttl) => {
                    if slate.read().len() < self.members {
                        self.late.note(lock, *nonce, &slate);
                    }
                    self.memory.wins(lock, *nonce, rank);
                    return Ok(LeaseReply::Granted(Grant { rank, ttl }));
                }
                Err(missed) => missed,
            };
            ours.push(rank);
            let failed = self.failed(&missed, &ours);
            self.memory.saw(lock, failed.high());
            let is_last = round + 1 == self.rounds;
            match (next(failed), asked.claim) {
                (Next::Silent, _) => return Err(missed.of("acquire", lock)),
                (Next::Held(holder), _) => return Ok(LeaseReply::Held(holder)),
                (Next::Again { above, .. }, Claim::Exactly(_)) if failed.is_passed() => {
                    return Ok(LeaseReply::Passed { high: above });
                }
                (Next::Again { .. }, claim) if is_last || matches!(claim, Claim::Exactly(_)) => {
                    let mut holder = failed.held();
                    holder.remaining = holder.remaining.max(self.backoff(*nonce, round));
                    return Ok(LeaseReply::Held(holder));
                }
                (Next::Again { above, at_once }, _) => {
                    ballot = self.above(above.max(rank));
                    if !at_once || round > 0 {
                        let wait = self.backoff(*nonce, round);
                        self.clock.sleep_until(self.clock.now() + wait).await;
                    }
                }
            }
        }
        unreachable!("the last round returns")
    }

    pub(super) async fn renew(
        &mut self,
        asked: Renew,
    ) -> Result<LeaseReply, NoMajority<Arc<str>, S::Error>> {
        let (lock, nonce) = (asked.lock.clone(), asked.nonce);
        let missed = match self.ask(What::Renew(asked), self.patience).await {
            Ok(said) => {
                let ttl = said.iter().filter_map(|said| match said {
                    Said::Yes(LeaseReply::Renewed { ttl }) => Some(*ttl),
                    _ => None,
                });
                let ttl = ttl.min().unwrap_or_default();
                return Ok(LeaseReply::Renewed { ttl });
            }
            Err(missed) => missed,
        };
        let over = missed.said.iter().filter_map(|said| match said {
            Said::No(LeaseReply::NotHolder { high }) => Some(*high),
            _ => None,
        });
        let (over, high) = over.fold((0, Rank::ZERO), |(n, most), high| (n + 1, most.max(high)));
        self.memory.saw(&lock, high);
        // Those who are left are no majority, whatever they say.
        if over <= self.members - self.need {
            return Err(missed.of("renew", &lock));
        }
        self.memory.lost(&lock, nonce);
        Ok(LeaseReply::NotHolder { high })
    }

    pub(super) async fn release(
        &mut self,
        lock: LockName,
        nonce: Nonce,
    ) -> Result<LeaseReply, NoMajority<Arc<str>, S::Error>> {
        let rank = self.memory.won(&lock, nonce);
        let release = What::Release {
            lock: lock.clone(),
            nonce,
            rank,
        };
        let said = self.ask(release, self.patience).await;
        // Not before: most who record late are heard by then, and a release that comes after them ends that.
        self.late.give_up(&lock, nonce);
        let said = said.map_err(|missed| missed.of("release", &lock))?;
        self.memory.lost(&lock, nonce);
        let held = |said: &Said| matches!(said, Said::Yes(LeaseReply::Released { was_held: true }));
        let was_held = said.iter().any(held);
        Ok(LeaseReply::Released { was_held })
    }

    pub(super) async fn observe(
        &mut self,
        lock: LockName,
    ) -> Result<LeaseReply, NoMajority<Arc<str>, S::Error>> {
        let said = self.ask(What::Observe(lock.clone()), self.patience).await;
        let said = said.map_err(|missed| missed.of("observe", &lock))?;
        let seen = said.iter().filter_map(|said| match said {
            Said::Yes(LeaseReply::Observed { high, holder }) => Some((*high, *holder)),
            _ => None,
        });
        let (mut high, mut holder) = (Rank::ZERO, None);
        for (there, held) in seen {
            high = high.max(there);
            // Of the highest, the one that lasts longest.
            let key = |it: &crate::Holder| (it.rank, it.remaining);
            holder = holder.into_iter().chain(held).max_by_key(key);
        }
        self.memory.saw(&lock, high);
        Ok(LeaseReply::Observed { high, holder })
    }

    /// One ballot: for how long it is granted.
    async fn ballot(
        &mut self,
        what: What,
        slate: &Slate,
        ttl: Duration,
    ) -> Result<Duration, Missed<S::Error>> {
        let patience = self.patience.min(ttl / 2);
        let said = self.ask_on(slate, what, patience, Some(ttl)).await?;
        let ttl = said.iter().filter_map(|said| match said {
            Said::Yes(LeaseReply::Granted(grant)) => Some(grant.ttl),
            _ => None,
        });
        Ok(ttl.min().unwrap_or_default())
    }

    /// Asks all; what is known when a majority has done it. `lasts`: for how long what was done in vain would last.
    async fn ask(&mut self, what: What, patience: Duration) -> Result<Vec<Said>, Missed<S::Error>> {
        self.ask_on(&Slate::default(), what, patience, None).await
    }

    /// The same, and where it is written down.
    async fn ask_on(
        &mut self,
        slate: &Slate,
        what: What,
        patience: Duration,
        lasts: Option<Duration>,
    ) -> Result<Vec<Said>, Missed<S::Error>> {
        let undo = self.undo.clone().patience(patience);
        // As long as a grant may last, even where each try fails at once.
        let tries = lasts.map_or(undo.clone(), |ttl| undo.attempts(20, ttl / 20));
        let mut stores = self.stores.clone().patience(patience).stragglers(tries);
        let ask = Ask::new(what, slate.clone(), patience / 3);
        let answer = stores.call(ask).await;
        let said = slate.read();
        answer.map(|_| ()).map_err(|why| Missed {
            said: said.clone(),
            why,
        })?;
        Ok(said)
    }

    fn failed<'a>(&self, missed: &'a Missed<S::Error>, ours: &'a [Rank]) -> Failed<'a> {
        Failed {
            said: &missed.said,
            ours,
            members: self.members,
            need: self.need,
            silent: missed.why.why().unknown.len(),
        }
    }

    fn is_silent(&self, missed: &Missed<S::Error>) -> bool {
        next(self.failed(missed, &[])) == Next::Silent
    }

    /// The next ballot above this.
    fn above(&self, high: Rank) -> Option<Rank> {
        let least = high.next()?;
        let micros = self.clock.wall().nanos() / 1000;
        let by_clock = if self.is_counting {
            1
        } else {
            u64::try_from(micros).unwrap_or(1)
        };
        Some(least.max(Rank::new(self.era, by_clock)))
    }

    /// How long before the next ballot: full jitter.
    fn backoff(&self, nonce: Nonce, round: u32) -> Duration {
        let jitter = Stream::new(self.seed, "quorum-store", "backoff", Lane::Jitter);
        let most = BACKOFF * (1 << round.min(DOUBLINGS));
        most.mul_f64(
            jitter
                .at(Point::keyed(nonce.key(), u64::from(round)))
                .unit(),
        )
    }
}

impl<E> Missed<E> {
    fn of(self, verb: &'static str, lock: &LockName) -> NoMajority<Arc<str>, E> {
        NoMajority::new(verb, lock, self.why)
    }
}

/// The same, at this rank, and at once.
fn exactly(asked: &Acquire, rank: Rank) -> Acquire {
    Acquire {
        claim: Claim::Exactly(rank),
        wait: Duration::ZERO,
        ..asked.clone()
    }
}

//! [`MemoryStore`]: leases in this process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use murphy_core::{Clock, TokioClock};
use tokio::time::Instant;
use tower_service::Service;

use crate::{
    Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew,
};

/// Leases in this process. All clones are one store.
#[derive(Clone)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    locks: Arc<Mutex<BTreeMap<LockName, Row>>>,
}

#[derive(Debug, Default)]
struct Row {
    high: Rank,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    nonce: Nonce,
    rank: Rank,
    until: Instant,
}

impl MemoryStore {
    /// An empty store, on tokio's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::new(TokioClock))
    }

    /// An empty store, on this clock.
    #[must_use]
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        let locks = Arc::default();
        Self { clock, locks }
    }

    fn answer(&self, request: LeaseRequest) -> LeaseReply {
        let now = self.clock.now();
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let row = locks.entry(request.lock().clone()).or_default();
        if row.held.as_ref().is_some_and(|held| held.until <= now) {
            row.held = None;
        }
        match request {
            LeaseRequest::Acquire(acquire) => row.acquire(&acquire, now),
            LeaseRequest::Renew(renew) => row.renew(&renew, now),
            LeaseRequest::Release { nonce, .. } => {
                let was_held = row.held.take_if(|held| held.nonce == nonce).is_some();
                LeaseReply::Released { was_held }
            }
            LeaseRequest::Observe { .. } => LeaseReply::Observed {
                high: row.high,
                holder: row.held.as_ref().map(|held| held.shown(now)),
            },
        }
    }
}

impl Row {
    fn acquire(&mut self, asked: &Acquire, now: Instant) -> LeaseReply {
        if let Some(held) = &self.held {
            let shown = held.shown(now);
            if held.nonce != asked.nonce {
                return LeaseReply::Held(shown);
            }
            let (rank, ttl) = (shown.rank, shown.remaining);
            return LeaseReply::Granted(Grant { rank, ttl });
        }
        let rank = match asked.claim {
            Claim::Above(floor) => self.high.max(floor).next(),
            Claim::Exactly(rank) => Some(rank).filter(|rank| *rank > self.high),
        };
        let Some(rank) = rank else {
            return LeaseReply::Passed { high: self.high };
        };
        self.high = rank;
        let (nonce, ttl) = (asked.nonce, asked.ttl.get());
        self.held = Some(Held {
            nonce,
            rank,
            until: now + ttl,
        });
        LeaseReply::Granted(Grant { rank, ttl })
    }

    fn renew(&mut self, asked: &Renew, now: Instant) -> LeaseReply {
        match &mut self.held {
            Some(held) if (held.nonce, held.rank) == (asked.nonce, asked.rank) => {
                held.until = held.until.max(now + asked.ttl.get());
                let ttl = held.until - now;
                LeaseReply::Renewed { ttl }
            }
            _ => LeaseReply::NotHolder { high: self.high },
        }
    }
}

impl Held {
    fn shown(&self, now: Instant) -> Holder {
        let (rank, remaining) = (self.rank, self.until - now);
        Holder { rank, remaining }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Service<LeaseRequest> for MemoryStore {
    type Response = LeaseReply;
    type Error = Infallible;
    type Future = Ready<Result<LeaseReply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        ready(Ok(self.answer(request)))
    }
}

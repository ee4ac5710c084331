//! [`Ask`]: a store, asked in short.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use murphy_lease::{
    Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew, Ttl,
};
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceExt};

use crate::ms;

/// How long an answer, or a change, may take.
const LONG: Duration = Duration::from_secs(60);

/// One lock of a store.
#[derive(Clone, Debug)]
pub struct Ask<S> {
    store: S,
    lock: LockName,
}

impl<S> Ask<S>
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    /// The lock of that name.
    ///
    /// # Panics
    ///
    /// If it is no name.
    pub fn of(store: &S, lock: &str) -> Self {
        let lock = LockName::try_new(lock).expect("a name");
        let store = store.clone();
        Self { store, lock }
    }

    /// A lock that no one has used.
    pub fn fresh(store: &S) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        Self::of(store, &format!("lock {number}"))
    }

    /// The bare answer.
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// # Panics
    ///
    /// If there is none within a minute.
    pub async fn say(&self, request: LeaseRequest) -> Result<LeaseReply, S::Error> {
        let reply = self.store.clone().oneshot(request);
        timeout(LONG, reply).await.expect("an answer or an error")
    }

    /// Again and again until the store answers: it recovers by itself.
    ///
    /// # Panics
    ///
    /// If it does not within a minute.
    pub async fn insist(&self, request: LeaseRequest) -> LeaseReply {
        let answered = async {
            loop {
                match self.say(request.clone()).await {
                    Ok(reply) => return reply,
                    Err(_) => sleep(ms(20)).await,
                }
            }
        };
        timeout(LONG, answered).await.expect("the store recovers")
    }

    /// An acquire, to be changed.
    #[must_use]
    pub fn wish(&self, nonce: u128, ttl: Duration) -> Acquire {
        Acquire {
            lock: self.lock.clone(),
            nonce: Nonce::from_bits(nonce),
            ttl: Ttl::try_new(ttl).expect("a time to live"),
            claim: Claim::Above(Rank::ZERO),
            wait: Duration::ZERO,
        }
    }

    /// The answer to a plain acquire.
    pub async fn acquire(&self, nonce: u128, ttl: Duration) -> LeaseReply {
        self.wishes(self.wish(nonce, ttl)).await
    }

    /// The answer to an acquire that claims this.
    pub async fn claim(&self, nonce: u128, ttl: Duration, claim: Claim) -> LeaseReply {
        let wish = self.wish(nonce, ttl);
        self.wishes(Acquire { claim, ..wish }).await
    }

    /// The answer to an acquire that waits.
    pub async fn wait(&self, nonce: u128, ttl: Duration, wait: Duration) -> LeaseReply {
        let wish = self.wish(nonce, ttl);
        self.wishes(Acquire { wait, ..wish }).await
    }

    /// The answer to that.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn wishes(&self, wish: Acquire) -> LeaseReply {
        self.say(LeaseRequest::Acquire(wish))
            .await
            .expect("a reply")
    }

    /// The answer to a renewal.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn renew(&self, nonce: u128, rank: Rank, ttl: Duration) -> LeaseReply {
        self.say(self.renewal(nonce, rank, ttl))
            .await
            .expect("a reply")
    }

    /// A renewal.
    #[must_use]
    pub fn renewal(&self, nonce: u128, rank: Rank, ttl: Duration) -> LeaseRequest {
        let Acquire {
            lock, nonce, ttl, ..
        } = self.wish(nonce, ttl);
        LeaseRequest::Renew(Renew {
            lock,
            nonce,
            rank,
            ttl,
        })
    }

    /// Whether it was held.
    ///
    /// # Panics
    ///
    /// If something else is answered.
    pub async fn release(&self, nonce: u128) -> bool {
        let (lock, nonce) = (self.lock.clone(), Nonce::from_bits(nonce));
        let reply = self.say(LeaseRequest::Release { lock, nonce }).await;
        match reply.expect("a reply") {
            LeaseReply::Released { was_held } => was_held,
            other => panic!("to a release: {other:?}"),
        }
    }

    /// How it stands.
    ///
    /// # Panics
    ///
    /// If something else is answered.
    pub async fn observe(&self) -> (Rank, Option<Holder>) {
        let lock = self.lock.clone();
        let reply = self.say(LeaseRequest::Observe { lock }).await;
        match reply.expect("a reply") {
            LeaseReply::Observed { high, holder } => (high, holder),
            other => panic!("to an observe: {other:?}"),
        }
    }

    /// Waits until it can be had, and has it.
    ///
    /// # Panics
    ///
    /// If that takes longer than a minute.
    pub async fn have(&self, nonce: u128, ttl: Duration) -> Grant {
        let had = async {
            loop {
                let wish = LeaseRequest::Acquire(self.wish(nonce, ttl));
                match self.insist(wish).await {
                    LeaseReply::Granted(grant) => return grant,
                    _ => sleep(ms(20)).await,
                }
            }
        };
        timeout(LONG, had).await.expect("it can be had")
    }
}

/// The grant.
///
/// # Panics
///
/// If it is something else.
#[must_use]
#[track_caller]
pub fn granted(reply: &LeaseReply) -> Grant {
    match reply {
        LeaseReply::Granted(grant) => *grant,
        other => panic!("not granted: {other:?}"),
    }
}

/// Who holds it.
///
/// # Panics
///
/// If it is something else.
#[must_use]
#[track_caller]
pub fn held(reply: &LeaseReply) -> Holder {
    match reply {
        LeaseReply::Held(holder) => *holder,
        other => panic!("not held: {other:?}"),
    }
}

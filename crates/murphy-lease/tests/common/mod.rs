//! Requests and replies, in fewer words.

use std::time::Duration;

use murphy_lease::{
    Acquire, Claim, Grant, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew, Ttl,
};
use tower::{Service, ServiceExt};

pub(crate) const LOCK: &str = "orders";

/// Without waiting.
pub(crate) const NOW: Duration = Duration::ZERO;

pub(crate) fn lock(name: &str) -> LockName {
    name.parse().unwrap()
}

pub(crate) fn nonce(bits: u128) -> Nonce {
    Nonce::from_bits(bits)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ten seconds of `orders`, above all.
pub(crate) fn asked(bits: u128, wait: Duration) -> Acquire {
    Acquire {
        lock: lock(LOCK),
        nonce: nonce(bits),
        ttl: Ttl::from_secs(10),
        claim: Claim::Above(Rank::ZERO),
        wait,
    }
}

pub(crate) async fn ask<S>(store: &S, request: LeaseRequest) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    store.clone().oneshot(request).await.unwrap()
}

pub(crate) async fn acquire<S>(store: &S, bits: u128, wait: Duration) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    ask(store, LeaseRequest::Acquire(asked(bits, wait))).await
}

pub(crate) async fn release<S>(store: &S, bits: u128) -> bool
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    let (lock, nonce) = (lock(LOCK), nonce(bits));
    match ask(store, LeaseRequest::Release { lock, nonce }).await {
        LeaseReply::Released { was_held } => was_held,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn renew<S>(store: &S, bits: u128, rank: Rank, ttl: u32) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    let (lock, nonce, ttl) = (lock(LOCK), nonce(bits), Ttl::from_secs(ttl));
    let renew = Renew {
        lock,
        nonce,
        rank,
        ttl,
    };
    ask(store, LeaseRequest::Renew(renew)).await
}

pub(crate) async fn observe<S>(store: &S) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    ask(store, LeaseRequest::Observe { lock: lock(LOCK) }).await
}

pub(crate) fn granted(reply: LeaseReply) -> Grant {
    match reply {
        LeaseReply::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

/// For how long it is held.
pub(crate) fn held(reply: LeaseReply) -> Duration {
    match reply {
        LeaseReply::Held(holder) => holder.remaining,
        other => panic!("not held: {other:?}"),
    }
}

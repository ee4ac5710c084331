//! Requests and replies, in fewer words.
#![expect(dead_code, reason = "each test program uses some")]

use std::time::Duration;

use murphy_lease::{
    Acquire, Claim, Grant, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew, Ttl,
};
use tower::{Service, ServiceExt};

pub const LOCK: &str = "orders";

pub fn lock(name: &str) -> LockName {
    name.parse().unwrap()
}

pub fn nonce(bits: u128) -> Nonce {
    Nonce::from_bits(bits)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ten seconds of `orders`, above all.
pub fn asked(bits: u128, wait: Duration) -> Acquire {
    Acquire {
        lock: lock(LOCK),
        nonce: nonce(bits),
        ttl: Ttl::from_secs(10),
        claim: Claim::Above(Rank::ZERO),
        wait,
    }
}

pub async fn ask<S>(store: &S, request: LeaseRequest) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    store.clone().oneshot(request).await.unwrap()
}

pub async fn acquire<S>(store: &S, bits: u128, wait: Duration) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    ask(store, LeaseRequest::Acquire(asked(bits, wait))).await
}

pub async fn release<S>(store: &S, bits: u128) -> bool
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    let (lock, nonce) = (lock(LOCK), nonce(bits));
    match ask(store, LeaseRequest::Release { lock, nonce }).await {
        LeaseReply::Released { was_held } => was_held,
        other => panic!("{other:?}"),
    }
}

pub async fn renew<S>(store: &S, bits: u128, rank: Rank, ttl: u32) -> LeaseReply
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

pub async fn observe<S>(store: &S) -> LeaseReply
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug> + Clone,
{
    ask(store, LeaseRequest::Observe { lock: lock(LOCK) }).await
}

pub fn granted(reply: LeaseReply) -> Grant {
    match reply {
        LeaseReply::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

/// For how long it is held.
pub fn held(reply: LeaseReply) -> Duration {
    match reply {
        LeaseReply::Held(holder) => holder.remaining,
        other => panic!("not held: {other:?}"),
    }
}

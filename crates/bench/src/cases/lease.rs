//! Leases in this process.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murphy_lease::{
    Acquire, Claim, LeaseReply, LeaseRequest, LockName, MemoryStore, Nonce, Rank, Ttl,
};
use tower::Service;

use super::cases;
use crate::drive::Run;

cases! {
    "lease.memory" over "nothing" {
        "murphy": "MemoryStore: an acquire and a release, nobody else" => pairs(MemoryStore::new());
        "murphy-counting": "the same, and no look at the time of day" => pairs(MemoryStore::new().counting());
    }
}

/// A lock that was acquired before: the first time is more expensive.
fn pairs(mut store: MemoryStore) -> Run {
    let lock: LockName = "orders".parse().expect("a name");
    let nonce = Nonce::from_bits(7);
    let acquire = LeaseRequest::Acquire(Acquire {
        lock: lock.clone(),
        nonce,
        ttl: Ttl::default(),
        claim: Claim::Above(Rank::ZERO),
        wait: Duration::ZERO,
    });
    let release = LeaseRequest::Release { lock, nonce };
    Box::new(move |calls| {
        for _ in 0..calls {
            for request in [&acquire, &release] {
                black_box(at_once(&mut store, black_box(request).clone()));
            }
        }
    })
}

fn at_once(store: &mut MemoryStore, request: LeaseRequest) -> LeaseReply {
    let mut call = store.call(request);
    match Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

//! A lease that nobody else wants costs no memory. A program of its own: other tests would be counted.

#[expect(dead_code, reason = "others need the rest")]
mod common;

use std::alloc::System;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cap::Cap;
use common::{LOCK, asked, lock, nonce};
use murphy_lease::{LeaseRequest, MemoryStore};
use tower::Service;

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

/// Less than a byte each is none: the harness may allocate a little beside it.
const PAIRS: usize = 100_000;

#[test]
fn an_acquire_and_a_release_allocate_nothing_after_the_first() {
    let mut store = MemoryStore::new();
    let (lock, nonce) = (lock(LOCK), nonce(1));
    let acquire = LeaseRequest::Acquire(asked(1, Duration::ZERO));
    let release = LeaseRequest::Release { lock, nonce };
    let mut pair = || {
        for request in [&acquire, &release] {
            let mut call = store.call(request.clone());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(
                Pin::new(&mut call).poll(&mut cx),
                Poll::Ready(Ok(_))
            ));
        }
    };
    pair();
    let before = ALLOCATED.total_allocated();
    for _ in 0..PAIRS {
        pair();
    }
    let allocated = ALLOCATED.total_allocated() - before;
    assert!(allocated < PAIRS, "{allocated} bytes in {PAIRS} pairs");
}

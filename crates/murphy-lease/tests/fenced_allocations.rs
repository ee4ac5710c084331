//! A fenced call allocates nothing of its own: alone in its binary, under an allocator that counts.

use std::alloc::System;
use std::future::{Pending, pending, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cap::Cap;
use murphy_lease::fence::{FencedLayer, Proof};
use murphy_lease::{FencingToken, Locks, Lost, MemoryStore};
use tower::{Layer, Service, service_fn};

#[global_allocator]
static HELD: Cap<System> = Cap::new(System, usize::MAX);

#[derive(Clone)]
struct Always(std::sync::Arc<FencingToken>);

impl Proof for Always {
    type Lost = Pending<Lost>;

    fn token(&self) -> Result<&FencingToken, Lost> {
        Ok(&self.0)
    }

    fn remaining(&self) -> Duration {
        Duration::MAX
    }

    fn lost(&self) -> Self::Lost {
        pending()
    }
}

const CALLS: usize = 10_000;

/// Less than a byte a call: the harness may allocate a little beside it.
fn without_allocating(mut call: impl FnMut()) {
    let before = HELD.total_allocated();
    (0..CALLS).for_each(|_| call());
    let allocated = HELD.total_allocated() - before;
    assert!(allocated < CALLS, "{allocated} bytes in {CALLS} calls");
}

/// One test, for a second one would allocate beside it.
#[test]
fn a_fenced_call_allocates_nothing() {
    any_call(always(), 34);
    #[cfg(feature = "http")]
    a_call_with_a_header(always());
    // A real lease, whose task does not run meanwhile.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let acquired = async { Locks::new(MemoryStore::new()).acquire("orders").await };
    let lease = runtime.block_on(acquired).unwrap();
    let rank = lease.token().unwrap().rank();
    any_call(lease.held(), rank.seq);
    #[cfg(feature = "http")]
    a_call_with_a_header(lease.held());
    without_allocating(|| assert!(black_box(&lease).token().is_ok()));
}

fn always() -> Always {
    let token: FencingToken = "orders;era=0;seq=34;nonce=b".parse().unwrap();
    Always(token.into())
}

fn any_call(proof: impl Proof, seq: u64) {
    let stamp = |token: &FencingToken, request: &mut u64| *request = token.rank().seq;
    let layer = FencedLayer::with(proof, stamp);
    let mut prompt = layer.layer(service_fn(|n: u64| ready(Ok::<_, ()>(n))));
    let mut silent = layer.layer(service_fn(|_: u64| pending::<Result<u64, ()>>()));
    let mut cx = Context::from_waker(Waker::noop());
    without_allocating(|| {
        let reply = pin!(prompt.call(black_box(0))).poll(&mut cx);
        assert!(matches!(reply, Poll::Ready(Ok(stamped)) if stamped == seq));
        assert!(pin!(silent.call(black_box(0))).poll(&mut cx).is_pending());
    });
}

#[cfg(feature = "http")]
fn a_call_with_a_header(proof: impl Proof) {
    let layer = FencedLayer::new(proof);
    let echo = service_fn(|request: http::Request<()>| ready(Ok::<_, ()>(request)));
    let mut service = layer.layer(echo);
    let mut cx = Context::from_waker(Waker::noop());
    // It has room for another header, as real ones do.
    let mut request = Some(http::Request::get("/").header("a", "b").body(()).unwrap());
    let mut call = || {
        let call = pin!(service.call(request.take().unwrap()));
        let Poll::Ready(Ok(mut back)) = call.poll(&mut cx) else {
            panic!("it is prompt");
        };
        assert!(back.headers_mut().remove("fencing-token").is_some());
        request = Some(back);
    };
    // The text is made once.
    (0..2).for_each(|_| call());
    without_allocating(call);
}

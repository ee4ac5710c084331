//! How a call is driven: `poll_ready`, `call`, `poll` until it is ready, drop.
//!
//! The service lies behind a reference that the optimiser cannot see through, and so do requests
//! and replies; the loop itself is as plain as it can be.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tower::Service;

/// Requests repeat after this many: with keys, that many keys are in use.
pub const REQUESTS: u64 = 4096;

/// Makes so many calls.
pub type Run = Box<dyn FnMut(u64)>;

/// A runtime with one thread and a clock that runs.
///
/// # Panics
///
/// Where the system gives it no resources.
#[must_use]
pub fn runtime() -> Runtime {
    let built = Builder::new_current_thread().enable_time().build();
    built.expect("a runtime needs a few file descriptors")
}

/// The same with a clock that stands still while there is work, and jumps where there is none.
///
/// # Panics
///
/// Where the system gives it no resources.
#[must_use]
pub fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    let built = builder.enable_time().start_paused(true).build();
    built.expect("a runtime needs a few file descriptors")
}

/// A service is made inside the runtime that it will live in: some spawn a task of their own.
fn made<S>(runtime: Runtime, service: impl FnOnce() -> S) -> (Runtime, S) {
    let service = runtime.block_on(async { service() });
    (runtime, service)
}

/// Calls that are ready at the first poll. The task is nobody's, but a runtime is entered, for those
/// who make a timer beforehand.
pub fn ready<S>(service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + 'static,
{
    let (runtime, mut service) = made(runtime(), service);
    Box::new(move |calls| {
        let _entered = runtime.enter();
        let service = black_box(&mut service);
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            at_once(service, black_box(n % REQUESTS), &mut cx);
        }
    })
}

/// As [`ready`], each call through a clone of its own.
pub fn cloned<S>(service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + Clone + 'static,
{
    let (runtime, service) = made(runtime(), service);
    Box::new(move |calls| {
        let _entered = runtime.enter();
        let service = black_box(&service);
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            at_once(&mut service.clone(), black_box(n % REQUESTS), &mut cx);
        }
    })
}

/// Never inlined, so that every case pays alike for being called, and none is folded into the loop.
#[inline(never)]
fn at_once<S: Service<u64>>(service: &mut S, request: u64, cx: &mut Context<'_>) {
    if !matches!(service.poll_ready(cx), Poll::Ready(Ok(()))) {
        unready();
    }
    let reply = pin!(service.call(request));
    match reply.poll(cx) {
        Poll::Ready(reply) => _ = black_box(reply),
        Poll::Pending => unready(),
    }
}

#[cold]
#[inline(never)]
fn unready() {
    panic!("what is measured here is ready at once");
}

/// Calls whose reply never comes: each is polled once, and left.
pub fn silent<S>(service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + 'static,
{
    let (runtime, mut service) = made(runtime(), service);
    Box::new(move |calls| {
        let _entered = runtime.enter();
        let service = black_box(&mut service);
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            in_vain(service, black_box(n % REQUESTS), &mut cx);
        }
    })
}

#[inline(never)]
fn in_vain<S: Service<u64>>(service: &mut S, request: u64, cx: &mut Context<'_>) {
    if !matches!(service.poll_ready(cx), Poll::Ready(Ok(()))) {
        unready();
    }
    let reply = pin!(service.call(request));
    if reply.poll(cx).is_ready() {
        heard();
    }
}

#[cold]
#[inline(never)]
fn heard() {
    panic!("what is measured here is lost");
}

/// Calls that may pend, from a task of a runtime.
pub fn awaited<S>(service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + 'static,
{
    awaited_in(runtime(), service)
}

/// Calls that take time, which is virtual: from a task of a runtime whose clock is paused.
pub fn delayed<S>(service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + 'static,
{
    awaited_in(paused(), service)
}

fn awaited_in<S>(runtime: Runtime, service: impl FnOnce() -> S) -> Run
where
    S: Service<u64> + 'static,
{
    let (runtime, mut service) = made(runtime, service);
    Box::new(move |calls| {
        let service = black_box(&mut service);
        runtime.block_on(async {
            for n in 0..calls {
                let ready = poll_fn(|cx| service.poll_ready(cx)).await;
                if ready.is_err() {
                    unready();
                }
                _ = black_box(service.call(black_box(n % REQUESTS)).await);
            }
        });
    })
}

/// Calls through a router of axum's, which clones the route's service for each.
pub fn routed(router: axum::Router) -> Run {
    let runtime = runtime();
    let mut router = router.with_state(());
    Box::new(move |calls| {
        let router = black_box(&mut router);
        runtime.block_on(async {
            for _ in 0..calls {
                let request = http::Request::new(axum::body::Body::empty());
                _ = black_box(router.call(black_box(request)).await);
            }
        });
    })
}

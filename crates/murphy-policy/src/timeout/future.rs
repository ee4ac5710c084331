//! The future of a [`Timeout`](super::Timeout).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use tokio::time::{Instant, Sleep};

use super::Elapsed;
use crate::surface::{Boxed, Surface};
use crate::{TARGET, timer};

/// A call and, once it has pended, its timer.
///
/// # Panics
///
/// When it pends outside a tokio runtime with time enabled.
///
/// # Cancel safety
///
/// Dropping it drops the inner future and the timer.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<F, M = Boxed> {
    #[pin]
    inner: F,
    #[pin]
    sleep: Option<Sleep>,
    timeout: Duration,
    surface: PhantomData<M>,
}

impl<F, M> ResponseFuture<F, M> {
    #[inline]
    pub(super) const fn new(inner: F, timeout: Duration) -> Self {
        Self {
            inner,
            sleep: None,
            timeout,
            surface: PhantomData,
        }
    }
}

impl<F, M, Res, E> Future for ResponseFuture<F, M>
where
    F: Future<Output = Result<Res, E>>,
    M: Surface<Elapsed, E>,
{
    type Output = Result<Res, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(outcome) = this.inner.poll(cx) {
            return Poll::Ready(outcome.map_err(M::inner));
        }
        ready!(wait(this.sleep.as_mut(), *this.timeout, cx));
        Poll::Ready(Err(M::own(elapsed(*this.timeout))))
    }
}

/// Waits for the timer, and makes it first if there is none.
// Out of line: an attempt that is ready at once pays nothing for it.
#[inline(never)]
fn wait(mut sleep: Pin<&mut Option<Sleep>>, timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
    if let Some(sleep) = sleep.as_mut().as_pin_mut() {
        return timer::poll(sleep, cx);
    }
    if timeout.is_zero() {
        // A timer would leave it what is missing to the next millisecond.
        return Poll::Ready(());
    }
    // ## Polled => Armed. The only place that reads a clock.
    sleep.set(Some(tokio::time::sleep_until(Instant::now() + timeout)));
    match sleep.as_pin_mut() {
        Some(sleep) => sleep.poll(cx),
        None => Poll::Pending,
    }
}

#[cold]
fn elapsed(timeout: Duration) -> Elapsed {
    tracing::debug!(name: "timeout.elapsed", target: TARGET, ?timeout, "no reply in time");
    Elapsed::new(timeout)
}

impl<F, M> fmt::Debug for ResponseFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("timeout::ResponseFuture")
            .field("timeout", &self.timeout)
            .field("armed", &self.sleep.is_some())
            .finish_non_exhaustive()
    }
}

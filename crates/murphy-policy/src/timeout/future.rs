//! The future of a [`Timeout`](super::Timeout).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use super::Elapsed;
use super::limit::{Queued, Wait};
use crate::TARGET;
use crate::surface::{Boxed, Surface};

/// A call and, once it has pended, its place among those that wait, or its timer.
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
pub struct ResponseFuture<F, W = Queued, M = Boxed> {
    #[pin]
    inner: F,
    #[pin]
    wait: W,
    surface: PhantomData<M>,
}

impl<F, W, M> ResponseFuture<F, W, M> {
    #[inline]
    pub(super) const fn new(inner: F, wait: W) -> Self {
        Self {
            inner,
            wait,
            surface: PhantomData,
        }
    }
}

impl<F, W, M, Res, E> Future for ResponseFuture<F, W, M>
where
    F: Future<Output = Result<Res, E>>,
    W: Wait,
    M: Surface<Elapsed, E>,
{
    type Output = Result<Res, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(outcome) = this.inner.poll(cx) {
            this.wait.answered(outcome.is_ok());
            return Poll::Ready(outcome.map_err(M::inner));
        }
        let elapsed = ready!(this.wait.poll_elapsed(cx));
        say(elapsed);
        Poll::Ready(Err(M::own(elapsed)))
    }
}

#[cold]
fn say(elapsed: Elapsed) {
    let (timeout, bound) = (elapsed.timeout(), elapsed.bound());
    tracing::debug!(name: "timeout.elapsed", target: TARGET, ?timeout, ?bound, "no reply in time");
}

impl<F, W: fmt::Debug, M> fmt::Debug for ResponseFuture<F, W, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("timeout::ResponseFuture")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

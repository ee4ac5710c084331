//! The future of a [`Deadline`](super::Deadline).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};

use super::Expired;
use crate::surface::{Boxed, Surface};
use crate::{TARGET, timer};

/// A call in the scope of its deadline.
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
    // None: time was up before the inner service could be called.
    #[pin]
    inner: Option<F>,
    #[pin]
    sleep: Option<Sleep>,
    ends: Option<Instant>,
    allowed: Duration,
    surface: PhantomData<M>,
}

impl<F, M> ResponseFuture<F, M> {
    pub(super) const fn running(inner: F, ends: Option<Instant>, allowed: Duration) -> Self {
        Self {
            inner: Some(inner),
            sleep: None,
            ends,
            allowed,
            surface: PhantomData,
        }
    }

    pub(super) const fn expired(allowed: Duration) -> Self {
        Self {
            inner: None,
            sleep: None,
            ends: None,
            allowed,
            surface: PhantomData,
        }
    }
}

impl<F, M, Res, E> Future for ResponseFuture<F, M>
where
    F: Future<Output = Result<Res, E>>,
    M: Surface<Expired, E>,
{
    type Output = Result<Res, M::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(inner) = this.inner.as_pin_mut() {
            let outcome = match *this.ends {
                Some(ends) => Scope::current().with_deadline(ends).sync(|| inner.poll(cx)),
                None => inner.poll(cx),
            };
            if let Poll::Ready(outcome) = outcome {
                return Poll::Ready(outcome.map_err(M::inner));
            }
            ready!(wait(this.sleep.as_mut(), *this.ends, cx));
        }
        Poll::Ready(Err(M::own(expired(*this.allowed))))
    }
}

/// Waits for the deadline, if there is one, and makes its timer first if there is none.
pub(super) fn wait(
    mut sleep: Pin<&mut Option<Sleep>>,
    ends: Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if sleep.is_none() {
        sleep.set(ends.map(tokio::time::sleep_until));
    }
    match sleep.as_pin_mut() {
        Some(sleep) => timer::poll(sleep, cx),
        None => Poll::Pending,
    }
}

#[cold]
pub(super) fn expired(allowed: Duration) -> Expired {
    tracing::warn!(name: "deadline.elapsed", target: TARGET, ?allowed, "the deadline passed");
    Expired::new(allowed)
}

impl<F, M> fmt::Debug for ResponseFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("deadline::ResponseFuture")
            .field("allowed", &self.allowed)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

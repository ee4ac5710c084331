//! [`Stamp`]: the service, and its future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::{Carrier, Shared, Side};
use crate::order::LogicalClock;

/// A service whose messages carry stamps. See the [module](super).
pub struct Stamp<S, L, C> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared<L, C>>,
}

impl<S, L, C, Req> Service<Req> for Stamp<S, L, C>
where
    S: Service<Req>,
    L: LogicalClock,
    C: Carrier<Req, L::Stamp> + Carrier<S::Response, L::Stamp>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, L, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        match self.shared.side {
            Side::Client => self.shared.stamp(&mut request),
            Side::Server => self.shared.observe(&request),
        }
        ResponseFuture {
            inner: self.inner.call(request),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: Clone, L, C> Clone for Stamp<S, L, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug, L, C> fmt::Debug for Stamp<S, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamp")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// The future of a [`Stamp`].
///
/// # Cancel safety
///
/// Dropping it drops the inner future. A client's clock then does not hear of the response.
#[pin_project]
#[must_use = "futures do nothing unless they are polled"]
pub struct ResponseFuture<F, L, C> {
    #[pin]
    inner: F,
    shared: Arc<Shared<L, C>>,
}

impl<F, L, C, Res, E> Future for ResponseFuture<F, L, C>
where
    F: Future<Output = Result<Res, E>>,
    L: LogicalClock,
    C: Carrier<Res, L::Stamp>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut outcome = ready!(this.inner.poll(cx));
        if let Ok(response) = &mut outcome {
            match this.shared.side {
                Side::Client => this.shared.observe(response),
                Side::Server => this.shared.stamp(response),
            }
        }
        Poll::Ready(outcome)
    }
}

impl<F, L, C> fmt::Debug for ResponseFuture<F, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

//! [`BodyTimeoutLayer`]: whose bodies, and how long they may take.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Limits, TimedBody};
use crate::surface::{Boxed, Typed};
use crate::timeout::FAR_FUTURE;

/// The bodies of replies.
#[derive(Clone, Copy, Debug)]
pub struct Replies;

/// The bodies of requests.
#[derive(Clone, Copy, Debug)]
pub struct Requests;

/// Puts timeouts on the bodies that pass: a [`Timeout`](crate::Timeout) ends with a reply's head.
///
/// Bodies of replies and bodies of requests have a layer each. A body gets another type,
/// [`TimedBody`], whose error is a [`BoxError`](crate::BoxError) in which [`find`](crate::find)
/// finds [`Idle`](super::Idle) and [`Overdue`](super::Overdue). Both count only while the body is
/// awaited: the time that its reader takes between two polls is not the body's idleness. Neither is
/// on unless set.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Empty};
/// use murphy_policy::timeout::{BodyTimeoutLayer, Idle};
/// use murphy_policy::{BoxError, find};
/// use std::{future::pending, time::Duration};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let stalls = service_fn(async |_: Request<()>| {
///     let body = Empty::<bytes::Bytes>::new().with_trailers(pending());
///     Ok::<_, BoxError>(Response::new(body))
/// });
/// let layer = BodyTimeoutLayer::replies().idle(Duration::from_secs(5));
/// let reply = layer.layer(stalls).oneshot(Request::new(())).await.unwrap();
/// let error = reply.into_body().collect().await.unwrap_err();
/// assert_eq!(find::<Idle>(&*error).unwrap().allowed(), Duration::from_secs(5));
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BodyTimeoutLayer<L = Replies, M = Boxed> {
    limits: Limits,
    leg: PhantomData<(L, M)>,
}

impl BodyTimeoutLayer<Replies> {
    /// For the bodies of replies.
    #[must_use]
    pub const fn replies() -> Self {
        Self::unlimited()
    }
}

impl BodyTimeoutLayer<Requests> {
    /// For the bodies of requests.
    #[must_use]
    pub const fn requests() -> Self {
        Self::unlimited()
    }
}

impl<L> BodyTimeoutLayer<L> {
    const fn unlimited() -> Self {
        Self {
            limits: Limits {
                idle: None,
                total: None,
            },
            leg: PhantomData,
        }
    }

    /// Errors of bodies are [`BodyError<B::Error>`](super::BodyError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `B::Error`.
    #[must_use]
    pub const fn typed(self) -> BodyTimeoutLayer<L, Typed> {
        BodyTimeoutLayer {
            limits: self.limits,
            leg: PhantomData,
        }
    }
}

impl<L, M> BodyTimeoutLayer<L, M> {
    /// At most so long from a poll that pends to the next frame. Whole milliseconds, rounded up.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.limits.idle = Some(idle.min(FAR_FUTURE));
        self
    }

    /// At most so long from the first poll that pends to the last frame; a slow reader counts here.
    #[must_use]
    pub fn total(mut self, total: Duration) -> Self {
        self.limits.total = Some(total.min(FAR_FUTURE));
        self
    }
}

impl<S, L, M> Layer<S> for BodyTimeoutLayer<L, M> {
    type Service = BodyTimeout<S, L, M>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyTimeout {
            inner,
            limits: self.limits,
            leg: PhantomData,
        }
    }
}

/// Puts timeouts on the bodies that pass. See [`BodyTimeoutLayer`].
#[derive(Debug)]
pub struct BodyTimeout<S, L = Replies, M = Boxed> {
    inner: S,
    limits: Limits,
    leg: PhantomData<(L, M)>,
}

impl<S, L, M> BodyTimeout<S, L, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, whose bodies may take their time.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, L, M> Clone for BodyTimeout<S, L, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            limits: self.limits,
            leg: PhantomData,
        }
    }
}

impl<S, M, Req, B> Service<Req> for BodyTimeout<S, Replies, M>
where
    S: Service<Req, Response = Response<B>>,
{
    type Response = Response<TimedBody<B, M>>;
    type Error = S::Error;
    type Future = ReplyFuture<S::Future, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        ReplyFuture {
            inner: self.inner.call(request),
            limits: self.limits,
            surface: PhantomData,
        }
    }
}

impl<S, M, B> Service<Request<B>> for BodyTimeout<S, Requests, M>
where
    S: Service<Request<TimedBody<B, M>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let limits = self.limits;
        let request = request.map(|body| TimedBody::new(body, limits, "request"));
        self.inner.call(request)
    }
}

/// A call whose reply's body gets timeouts.
///
/// # Cancel safety
///
/// Dropping it drops the inner future.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ReplyFuture<F, M = Boxed> {
    #[pin]
    inner: F,
    limits: Limits,
    surface: PhantomData<M>,
}

impl<F, M, B, E> Future for ReplyFuture<F, M>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<TimedBody<B, M>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let limits = *this.limits;
        let reply = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(reply.map(|body| TimedBody::new(body, limits, "reply"))))
    }
}

impl<F, M> fmt::Debug for ReplyFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("timeout::ReplyFuture")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

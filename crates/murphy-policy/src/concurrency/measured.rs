//! The service beneath the limit, which is measured.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::Judge;
use super::core::Start;
use super::round::End;
use crate::Classify;
use crate::breaker::future::ONLY;

pub(super) struct Measured<S, C> {
    pub(super) inner: S,
    pub(super) judge: Arc<Judge<C>>,
}

impl<S: Clone, C> Clone for Measured<S, C> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            judge: Arc::clone(&self.judge),
        }
    }
}

impl<S, C, Req> Service<Req> for Measured<S, C>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = MeasuredFuture<S, Req, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let watch = Watch {
            start: Some(self.judge.core.start()),
            judge: Arc::clone(&self.judge),
        };
        let seen = self.judge.classify.see(&request);
        MeasuredFuture {
            inner: self.inner.call(request),
            watch,
            seen,
        }
    }
}

/// A call that is measured from `call` until its reply, or until it is dropped.
#[pin_project]
pub(super) struct MeasuredFuture<S, Req, C>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[pin]
    inner: S::Future,
    watch: Watch<C>,
    seen: C::Seen,
}

impl<S, Req, C> Future for MeasuredFuture<S, Req, C>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.inner.poll(cx));
        let classify = &this.watch.judge.classify;
        let verdict = classify.classify(this.seen, &ONLY, outcome.as_ref());
        this.watch.end(match verdict.failed() {
            Some(true) => End::Failure,
            Some(false) => End::Reply,
            None => End::Withheld,
        });
        Poll::Ready(outcome)
    }
}

/// Ends a measurement once, whatever happens.
pub(super) struct Watch<C> {
    start: Option<Start>,
    judge: Arc<Judge<C>>,
}

impl<C> Watch<C> {
    fn end(&mut self, end: End) {
        if let Some(start) = self.start.take() {
            self.judge.core.end(start, end);
        }
    }
}

impl<C> Drop for Watch<C> {
    fn drop(&mut self) {
        self.end(End::Left);
    }
}

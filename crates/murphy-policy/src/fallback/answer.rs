//! What is kept of a request, what is answered, and how that is marked.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::FallbackCause;
use crate::surface::BoxError;

/// Keeps of a request what the answer needs. A closure `Fn(&Req) -> T` is one.
pub trait Save<Req> {
    /// What is kept.
    type Saved;

    /// Keeps it. Called for each call, before it is made.
    fn save(&self, request: &Req) -> Self::Saved;
}

impl<Req, T, F: Fn(&Req) -> T> Save<Req> for F {
    type Saved = T;

    fn save(&self, request: &Req) -> T {
        self(request)
    }
}

/// Keeps nothing: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl<Req> Save<Req> for Nothing {
    type Saved = ();

    #[inline]
    fn save(&self, _: &Req) {}
}

/// Keeps a clone of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whole;

impl<Req: Clone> Save<Req> for Whole {
    type Saved = Req;

    fn save(&self, request: &Req) -> Req {
        request.clone()
    }
}

/// Answers in the place of what failed.
///
/// A closure `Fn(&Saved, &FallbackCause<Res, E>) -> Future<Output = Result<Res, X>>` is one, where
/// `X` becomes a [`BoxError`]; write its argument types. The future borrows from neither: clone, or
/// format, what it needs before `async move`.
pub trait Answer<Saved, Res, E> {
    /// Why there is no answer either.
    type Error: Into<BoxError>;
    /// The answer, once it is there.
    type Future: Future<Output = Result<Res, Self::Error>>;

    /// Begins to answer.
    fn answer(&self, saved: Saved, cause: &FallbackCause<Res, E>) -> Self::Future;
}

impl<F, Fut, Saved, Res, E, X> Answer<Saved, Res, E> for F
where
    F: Fn(&Saved, &FallbackCause<Res, E>) -> Fut,
    Fut: Future<Output = Result<Res, X>>,
    X: Into<BoxError>,
{
    type Error = X;
    type Future = Fut;

    fn answer(&self, saved: Saved, cause: &FallbackCause<Res, E>) -> Fut {
        self(&saved, cause)
    }
}

/// The same answer each time: [`FallbackLayer::value`](super::FallbackLayer::value).
#[derive(Clone, Copy, Debug)]
pub struct Value<T>(pub(super) T);

impl<Saved, Res: Clone, E> Answer<Saved, Res, E> for Value<Res> {
    type Error = Infallible;
    type Future = Ready<Result<Res, Infallible>>;

    fn answer(&self, _: Saved, _: &FallbackCause<Res, E>) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

/// Asks another service: [`FallbackLayer::service`](super::FallbackLayer::service).
#[derive(Clone, Copy, Debug)]
pub struct Other<S>(pub(super) S);

impl<S, Saved, E> Answer<Saved, S::Response, E> for Other<S>
where
    S: Service<Saved> + Clone,
    S::Error: Into<BoxError>,
{
    type Error = S::Error;
    type Future = OtherFuture<S, Saved>;

    fn answer(&self, saved: Saved, _: &FallbackCause<S::Response, E>) -> Self::Future {
        OtherFuture {
            service: self.0.clone(),
            request: Some(saved),
            call: None,
        }
    }
}

/// Readies another service and calls it.
#[pin_project]
pub struct OtherFuture<S: Service<Req>, Req> {
    service: S,
    request: Option<Req>,
    #[pin]
    call: Option<S::Future>,
}

impl<S: Service<Req>, Req> Future for OtherFuture<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.request.is_some() {
            ready!(this.service.poll_ready(cx))?;
            let call = this
                .request
                .take()
                .map(|request| this.service.call(request));
            this.call.set(call);
        }
        match this.call.as_pin_mut() {
            Some(call) => call.poll(cx),
            None => unreachable!("it was called"),
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for OtherFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherFuture")
            .field("called", &self.call.is_some())
            .finish_non_exhaustive()
    }
}

/// Marks an answer, so that it can be told from the real thing. Sealed.
pub trait Mark<Res>: sealed::Sealed {
    /// Marks it.
    fn mark(&self, reply: &mut Res);
}

/// Answers look like any reply: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmarked;

impl<Res> Mark<Res> for Unmarked {
    #[inline]
    fn mark(&self, _: &mut Res) {}
}

/// Answers have [`FromFallback`] in their extensions:
/// [`FallbackLayer::marked`](super::FallbackLayer::marked).
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Marked;

/// In the extensions of a response: it came from a [`Fallback`](super::Fallback).
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromFallback;

#[cfg(feature = "http")]
impl<B> Mark<http::Response<B>> for Marked {
    fn mark(&self, reply: &mut http::Response<B>) {
        reply.extensions_mut().insert(FromFallback);
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Unmarked {}
    #[cfg(feature = "http")]
    impl Sealed for super::Marked {}
}

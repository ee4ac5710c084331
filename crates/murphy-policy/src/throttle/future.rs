//! The future of a [`Throttle`](super::Throttle).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use super::{Judge, Throttled};
use crate::breaker::future::ONLY;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Classify, retry};

/// A call that the throttle let pass, or its rejection.
///
/// # Panics
///
/// When it is polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the inner future. A call that was dropped was requested
/// and not accepted; one that was refused beneath, before it left, was neither.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, Req, C = AnyError, M = Boxed>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[pin]
    call: Call<S::Future, Arc<Judge<C>>, C::Seen>,
    surface: PhantomData<M>,
}

#[pin_project(project = CallProj)]
enum Call<F, J, Seen> {
    Running {
        #[pin]
        inner: F,
        judge: J,
        seen: Seen,
        // When it was counted.
        asked: Instant,
    },
    Rejected(Option<Throttled>),
}

impl<S, Req, C, M> ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[inline]
    pub(super) const fn running(
        inner: S::Future,
        judge: Arc<Judge<C>>,
        seen: C::Seen,
        asked: Instant,
    ) -> Self {
        let call = Call::Running {
            inner,
            judge,
            seen,
            asked,
        };
        Self {
            call,
            surface: PhantomData,
        }
    }

    pub(super) const fn rejected(throttled: Throttled) -> Self {
        let call = Call::Rejected(Some(throttled));
        Self {
            call,
            surface: PhantomData,
        }
    }
}

impl<S, Req, C, M> Future for ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    M: Surface<Throttled, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProj::Running {
                inner,
                judge,
                seen,
                asked,
            } => {
                let outcome = ready!(inner.poll(cx));
                let verdict = retry::judge(&judge.classify, seen, &ONLY, outcome.as_ref());
                match verdict.failed() {
                    Some(false) => judge.core.accepted(),
                    Some(true) => {}
                    None => judge.core.withheld(*asked),
                }
                Poll::Ready(outcome.map_err(M::inner))
            }
            CallProj::Rejected(throttled) => {
                let throttled = throttled.take().expect("polled after it was done");
                Poll::Ready(Err(M::own(throttled)))
            }
        }
    }
}

impl<S, Req, C, M> fmt::Debug for ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("throttle::ResponseFuture")
            .field("rejected", &matches!(self.call, Call::Rejected(_)))
            .finish_non_exhaustive()
    }
}

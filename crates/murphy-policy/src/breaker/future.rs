//! The future of a [`Breaker`](super::Breaker).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::core::Pass;
use super::{Judge, Open};
use crate::retry::judge;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Attempt, Classify, Verdict};

/// A call that the breaker let pass, or its refusal.
///
/// # Panics
///
/// When it is polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the inner future. A call that was dropped counts for nothing, as one that was
/// refused beneath, before it left; if it was a trial, its place is free again.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, Req, C = AnyError, M = Boxed>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[pin]
    call: Call<S::Future, Ticket<C>, C::Seen>,
    surface: PhantomData<M>,
}

#[pin_project(project = CallProj)]
enum Call<F, T, Seen> {
    Running {
        #[pin]
        inner: F,
        ticket: T,
        seen: Seen,
    },
    Refused(Option<Open>),
}

/// A pass that is given back unless it is settled.
pub(super) struct Ticket<C> {
    judge: Arc<Judge<C>>,
    pass: Pass,
}

impl<C> Ticket<C> {
    pub(super) const fn new(judge: Arc<Judge<C>>, pass: Pass) -> Self {
        Self { judge, pass }
    }

    #[inline]
    fn settle(&mut self, verdict: Verdict) {
        match verdict.failed() {
            Some(failed) => self.judge.core.settle(&mut self.pass, failed),
            None => self.judge.core.give_back(&mut self.pass),
        }
    }
}

impl<C> Drop for Ticket<C> {
    #[inline]
    fn drop(&mut self) {
        self.judge.core.give_back(&mut self.pass);
    }
}

impl<S, Req, C, M> ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[inline]
    pub(super) const fn running(inner: S::Future, ticket: Ticket<C>, seen: C::Seen) -> Self {
        let call = Call::Running {
            inner,
            ticket,
            seen,
        };
        Self {
            call,
            surface: PhantomData,
        }
    }

    pub(super) const fn refused(open: Open) -> Self {
        let call = Call::Refused(Some(open));
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
    M: Surface<Open, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProj::Running {
                inner,
                ticket,
                seen,
            } => {
                let outcome = ready!(inner.poll(cx));
                let verdict = judge(&ticket.judge.classify, seen, &ONLY, outcome.as_ref());
                ticket.settle(verdict);
                Poll::Ready(outcome.map_err(M::inner))
            }
            CallProj::Refused(open) => {
                let open = open.take().expect("polled after it was done");
                Poll::Ready(Err(M::own(open)))
            }
        }
    }
}

/// A policy beneath the retries sees each attempt alone.
pub(crate) const ONLY: Attempt = Attempt::new(1, 1);

impl<S, Req, C, M> fmt::Debug for ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("breaker::ResponseFuture")
            .field("refused", &matches!(self.call, Call::Refused(_)))
            .finish_non_exhaustive()
    }
}

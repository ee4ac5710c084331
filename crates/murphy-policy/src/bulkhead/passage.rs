//! A service behind a [`Gate`], and the future of its calls: what a bulkhead and an adaptive limit
//! have in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::Why;
use super::gate::{Entry, Gate, Permit, Ticket};
use crate::timer;

/// A service that is called by those who got through the gate.
#[derive(Debug)]
pub(crate) struct Gated<S> {
    pub(crate) inner: S,
    pub(crate) gate: Arc<Gate>,
}

impl<S: Clone> Clone for Gated<S> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
        }
    }
}

impl<S: Clone> Gated<S> {
    #[inline]
    pub(crate) fn call<Req>(&mut self, request: Req) -> Passage<S, Req>
    where
        S: Service<Req>,
    {
        let entry = self.gate.enter();
        self.call_as(entry, request)
    }

    /// The same through another gate.
    #[inline]
    pub(super) fn call_through<Req>(&mut self, gate: &Arc<Gate>, request: Req) -> Passage<S, Req>
    where
        S: Service<Req>,
    {
        self.call_as(gate.enter(), request)
    }

    #[inline]
    fn call_as<Req>(&mut self, entry: Entry, request: Req) -> Passage<S, Req>
    where
        S: Service<Req>,
    {
        let state = match entry {
            Entry::Inside(permit) => State::Inside {
                inner: self.inner.call(request),
                permit,
            },
            Entry::Waits(ticket) => State::Waiting(Box::pin(Waiting {
                service: self.let_go(),
                request: Some(request),
                ticket,
                scope: Scope::current(),
                sleep: None,
                permit: None,
            })),
            Entry::Shed(why) => {
                self.let_go();
                State::Shed(Some(why))
            }
        };
        Passage { state }
    }

    /// A fresh instance. The readied one goes: it may hold what others wait for.
    #[cold]
    fn let_go(&mut self) -> S {
        let fresh = self.inner.clone();
        self.inner = fresh.clone();
        fresh
    }
}

/// Why there is no reply.
pub(crate) enum Stopped<E> {
    Shed(Why),
    Inner(E),
}

/// A call on its way through the gate.
#[pin_project]
pub(crate) struct Passage<S: Service<Req>, Req> {
    #[pin]
    state: State<S, S::Future, Req>,
}

#[pin_project(project = StateProj, project_replace = StateOwn)]
enum State<S, F, Req> {
    // The inner future goes before its permit.
    Inside {
        #[pin]
        inner: F,
        permit: Permit,
    },
    // Boxed: who need not wait pays no space for it.
    Waiting(Pin<Box<Waiting<S, Req>>>),
    Shed(Option<Why>),
    Done,
}

#[pin_project]
struct Waiting<S, Req> {
    service: S,
    request: Option<Req>,
    ticket: Ticket,
    // The call is made in it, though it is made later.
    scope: Scope,
    #[pin]
    sleep: Option<Sleep>,
    permit: Option<Permit>,
}

impl<S: Service<Req>, Req> Future for Passage<S, Req> {
    type Output = Result<S::Response, Stopped<S::Error>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let outcome = match state.as_mut().project() {
                StateProj::Inside { inner, .. } => ready!(inner.poll(cx)).map_err(Stopped::Inner),
                StateProj::Waiting(waiting) => match ready!(waiting.as_mut().poll(cx)) {
                    Ok((inner, permit)) => {
                        // ## Waiting => Inside.
                        state.set(State::Inside { inner, permit });
                        continue;
                    }
                    Err(stopped) => Err(stopped),
                },
                StateProj::Shed(why) => {
                    Err(Stopped::Shed(why.take().expect("polled after it was done")))
                }
                StateProj::Done => panic!("polled after it was done"),
            };
            // The place is free before the caller goes on.
            state.project_replace(State::Done);
            return Poll::Ready(outcome);
        }
    }
}

impl<S, Req> Waiting<S, Req> {
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(S::Future, Permit), Stopped<S::Error>>>
    where
        S: Service<Req>,
    {
        let mut this = self.project();
        if this.permit.is_none() {
            let turn = match this.ticket.poll(cx) {
                Poll::Ready(turn) => turn,
                Poll::Pending => {
                    ready!(late(this.sleep.as_mut(), this.ticket, cx));
                    this.ticket.give_up()
                }
            };
            match turn {
                Ok(permit) => *this.permit = Some(permit),
                Err(why) => return Poll::Ready(Err(Stopped::Shed(why))),
            }
            this.sleep.set(None);
        }
        // The instance that makes the call is readied for it, now that it may make it.
        ready!(this.service.poll_ready(cx)).map_err(Stopped::Inner)?;
        let request = this.request.take().expect("called once");
        // Stays here while the service is called, lest a panic lose it.
        let inner = this.scope.sync(|| this.service.call(request));
        let permit = this.permit.take().expect("it is there");
        Poll::Ready(Ok((inner, permit)))
    }
}

/// Waits for the deadline, if there is one.
fn late(mut sleep: Pin<&mut Option<Sleep>>, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<()> {
    if sleep.is_none() {
        sleep.set(ticket.ends.map(tokio::time::sleep_until));
    }
    match sleep.as_pin_mut() {
        Some(sleep) => timer::poll(sleep, cx),
        None => Poll::Pending,
    }
}

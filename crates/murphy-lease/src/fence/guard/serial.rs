//! One request at a time: the service, and its future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use murphy_core::Scope;
use tokio::runtime::Handle;
use tower_service::Service;

use super::denied::is_grpc;
use super::place::Place;
use super::{Denied, FenceGuard, NothingDone, Serialize};
use crate::fence::event;

impl<S, B, R> Service<Request<B>> for FenceGuard<S, Serialize>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Future: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SerialFuture<S, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let grpc = is_grpc(request.headers());
        let state = match self.place(request) {
            Ok((place, request)) => State::Waiting {
                place,
                inner: self.inner.clone(),
                request,
            },
            Err(denied) => State::Denied(denied),
        };
        SerialFuture { state, grpc }
    }
}

impl<S> FenceGuard<S, Serialize> {
    fn place<B>(&self, request: Request<B>) -> Result<(Place, Request<B>), Denied> {
        let (mut parts, body) = request.into_parts();
        let (token, op) = self.rules.read(&parts.headers)?;
        let resource = (self.mode.key)(&parts);
        parts.extensions.insert(token.clone());
        if let Some(op) = op {
            parts.extensions.insert(op);
        }
        let lines = self.mode.lines();
        let place = Place::take(lines, &resource, token, op.map(|op| op.0))?;
        Ok((place, Request::from_parts(parts, body)))
    }
}

/// A request that waits for its turn, and then its handler.
///
/// # Panics
///
/// When polled after it is done.
///
/// # Cancel safety
///
/// Dropped before its turn, it leaves the line. Dropped afterwards, its handler goes on in a task of its own, and keeps
/// the turn until it is done; outside a tokio runtime it ends.
#[must_use = "futures do nothing unless polled"]
pub struct SerialFuture<S: Service<Request<B>>, B>
where
    S::Future: Send + 'static,
{
    state: State<S, B>,
    grpc: bool,
}

enum State<S: Service<Request<B>>, B>
where
    S::Future: Send + 'static,
{
    Denied(Denied),
    Waiting {
        place: Place,
        inner: S,
        request: Request<B>,
    },
    Running(Running<S::Future>),
    Done,
}

/// Nothing in it is pinned in place: the handler has a box.
impl<S: Service<Request<B>>, B> Unpin for SerialFuture<S, B> where S::Future: Send + 'static {}

impl<S, B, R> Future for SerialFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Waiting { place, inner, .. } = &mut this.state {
            let refused = match ready!(place.poll(cx)) {
                // ## Its turn: it readies the service, and looks again, for that may have taken time.
                Ok(()) => match ready!(inner.poll_ready(cx)) {
                    Ok(()) => place.act().err(),
                    Err(error) => {
                        this.state = State::Done;
                        return Poll::Ready(Err(error));
                    }
                },
                Err(refused) => Some(refused),
            };
            this.state = match (refused, std::mem::replace(&mut this.state, State::Done)) {
                (Some(refused), _) => State::Denied(Denied::Refused(refused)),
                // ## Waiting => Running.
                (
                    None,
                    State::Waiting {
                        place,
                        mut inner,
                        request,
                    },
                ) => {
                    let handler = inner.call(request);
                    State::Running(Running::new(handler, place, did_nothing))
                }
                (None, _) => unreachable!("it waited"),
            };
        }
        if let State::Running(running) = &mut this.state {
            let outcome = ready!(running.poll(cx));
            this.state = State::Done;
            return Poll::Ready(outcome);
        }
        match std::mem::replace(&mut this.state, State::Done) {
            State::Denied(denied) => Poll::Ready(Ok(denied.answer(this.grpc))),
            _ => panic!("polled after it was done"),
        }
    }
}

/// A handler, inside. If it is dropped before it is done, it goes on.
struct Running<F: Future + Send + 'static> {
    /// Its place goes when it does.
    work: Option<(Pin<Box<F>>, Place)>,
    did_nothing: fn(&mut F::Output) -> bool,
    scope: Scope,
}

/// Whether the handler says so. An error says nothing. It is said to this guard, and to none further out.
fn did_nothing<R, E>(outcome: &mut Result<Response<R>, E>) -> bool {
    let reply = outcome.as_mut();
    reply.is_ok_and(|reply| reply.extensions_mut().remove::<NothingDone>().is_some())
}

impl<F: Future + Send + 'static> Running<F> {
    fn new(handler: F, place: Place, did_nothing: fn(&mut F::Output) -> bool) -> Self {
        let work = Some((Box::pin(handler), place));
        let scope = Scope::current();
        Self {
            work,
            did_nothing,
            scope,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken: a handler that panics is not polled again, and leaves.
        let Some((handler, place)) = self.work.take() else {
            panic!("polled after it was done");
        };
        // Named after its place: it is dropped before that is free.
        let mut handler = handler;
        let mut polled = handler.as_mut().poll(cx);
        match &mut polled {
            Poll::Pending => self.work = Some((handler, place)),
            Poll::Ready(outcome) => {
                if (self.did_nothing)(outcome) {
                    place.free();
                }
            }
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for Running<F> {
    fn drop(&mut self) {
        let Some((handler, place)) = self.work.take() else {
            return;
        };
        let handler = handler;
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        event::handed_over();
        let did_nothing = self.did_nothing;
        runtime.spawn(self.scope.enter(async move {
            // Nobody hears its answer.
            let handler = Discarded {
                handler,
                did_nothing,
            };
            if handler.await {
                place.free();
            }
        }));
    }
}

/// A future whose outcome is looked at and dropped where it is made, and need not be sent anywhere.
struct Discarded<F: Future> {
    handler: Pin<Box<F>>,
    did_nothing: fn(&mut F::Output) -> bool,
}

impl<F: Future> Future for Discarded<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let did_nothing = self.did_nothing;
        self.handler
            .as_mut()
            .poll(cx)
            .map(|mut outcome| did_nothing(&mut outcome))
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for SerialFuture<S, B>
where
    S::Future: Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Denied(_) => "denied",
            State::Waiting { .. } => "waiting",
            State::Running(_) => "running",
            State::Done => "done",
        };
        f.debug_struct("SerialFuture")
            .field("state", &state)
            .finish()
    }
}

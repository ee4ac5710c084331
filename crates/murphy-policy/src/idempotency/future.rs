//! The future of an [`Idempotency`](super::Idempotency).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project::pin_project;
use tower_service::Service;

use super::KeptBody;

type Reply<R, E> = Result<Response<KeptBody<R>>, E>;

/// A request that is served once, or refused, or passed on as it is.
///
/// # Panics
///
/// When the handler does, and when it has a key and is polled outside a tokio runtime with time
/// enabled.
///
/// # Cancel safety
///
/// Dropping it ends a wait for the first, and a handler whose request has no key. A handler that
/// runs under a key goes on in a task of its own, until it is done or its lease ends.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S: Service<Request<KeptBody<B>>>, B, R> {
    #[pin]
    state: State<S, S::Future, Request<KeptBody<B>>, Reply<R, S::Error>>,
}

#[pin_project(project = StateProj)]
enum State<S, F, Req, T> {
    Readying(S, Option<Req>),
    Running(#[pin] F),
    Keyed(Pin<Box<dyn Future<Output = T> + Send>>),
    Refused(Option<T>),
}

impl<S: Service<Request<KeptBody<B>>>, B, R> ResponseFuture<S, B, R> {
    pub(super) const fn passed(inner: S, request: Request<KeptBody<B>>) -> Self {
        let state = State::Readying(inner, Some(request));
        Self { state }
    }

    pub(super) fn keyed(serve: impl Future<Output = Reply<R, S::Error>> + Send + 'static) -> Self {
        let state = State::Keyed(Box::pin(serve));
        Self { state }
    }

    pub(super) const fn refused(reply: Response<KeptBody<R>>) -> Self {
        let state = State::Refused(Some(Ok(reply)));
        Self { state }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<KeptBody<B>>, Response = Response<R>>,
{
    type Output = Reply<R, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Readying(inner, request) => {
                    if let Err(error) = ready!(inner.poll_ready(cx)) {
                        return Poll::Ready(Err(error));
                    }
                    let Some(request) = request.take() else {
                        unreachable!("a request is handed over once");
                    };
                    // ## Readying => Running.
                    State::Running(inner.call(request))
                }
                StateProj::Running(handler) => {
                    let reply = ready!(handler.poll(cx));
                    return Poll::Ready(reply.map(|reply| reply.map(KeptBody::passed)));
                }
                StateProj::Keyed(serve) => return serve.as_mut().poll(cx),
                StateProj::Refused(reply) => {
                    let Some(reply) = reply.take() else {
                        unreachable!("polled after it was done");
                    };
                    return Poll::Ready(reply);
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<KeptBody<B>>>, B, R> fmt::Debug for ResponseFuture<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Readying(..) => "Readying",
            State::Running(_) => "Running",
            State::Keyed(_) => "Keyed",
            State::Refused(_) => "Refused",
        };
        f.debug_struct("idempotency::ResponseFuture")
            .field("state", &state)
            .finish()
    }
}

//! [`Call`]: one member, readied and called.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;
use tracing::Span;

/// A call of one member, which is readied first: the instance that is called is the one that was readied.
#[pin_project]
pub(crate) struct Call<S: Service<Req>, Req> {
    /// Once it has begun.
    span: Option<Span>,
    #[pin]
    state: State<S, Req>,
}

#[pin_project(project = Now)]
enum State<S: Service<Req>, Req> {
    Readying(S, Option<Req>),
    Called(#[pin] S::Future),
}

impl<S: Service<Req>, Req> Call<S, Req> {
    pub(crate) const fn new(service: S, request: Req) -> Self {
        let state = State::Readying(service, Some(request));
        Self { span: None, state }
    }

    /// Whether the request has left.
    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.state, State::Called(_))
    }

    /// What all of it is done in, given when it begins.
    pub(crate) fn within(self: Pin<&mut Self>, span: impl FnOnce() -> Span) {
        self.project().span.get_or_insert_with(span);
    }
}

impl<S: Service<Req>, Req> Future for Call<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _within = this.span.as_ref().map(Span::enter);
        let mut state = this.state;
        loop {
            match state.as_mut().project() {
                Now::Readying(service, request) => {
                    if let Err(e) = ready!(service.poll_ready(cx)) {
                        return Poll::Ready(Err(e));
                    }
                    let Some(request) = request.take() else {
                        unreachable!("taken with this state");
                    };
                    // ## Readying => Called.
                    let call = service.call(request);
                    state.set(State::Called(call));
                }
                Now::Called(call) => return call.poll(cx),
            }
        }
    }
}

//! [`Call`]: one member, readied and called.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

/// A call of one member, which is readied first: the instance that is called is the one that was readied.
#[pin_project(project = State)]
pub(crate) enum Call<S: Service<Req>, Req> {
    Readying(S, Option<Req>),
    Called(#[pin] S::Future),
}

impl<S: Service<Req>, Req> Call<S, Req> {
    pub(crate) const fn new(service: S, request: Req) -> Self {
        Self::Readying(service, Some(request))
    }

    /// Whether the request has left.
    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self, Self::Called(_))
    }
}

impl<S: Service<Req>, Req> Future for Call<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                State::Readying(service, request) => {
                    if let Err(e) = ready!(service.poll_ready(cx)) {
                        return Poll::Ready(Err(e));
                    }
                    let Some(request) = request.take() else {
                        unreachable!("taken with this state");
                    };
                    // ## Readying => Called.
                    let call = service.call(request);
                    self.set(Self::Called(call));
                }
                State::Called(call) => return call.poll(cx),
            }
        }
    }
}

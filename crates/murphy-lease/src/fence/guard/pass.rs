//! The handler decides: the service, and its future.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project::pin_project;
use tower_service::Service;

use super::denied::is_grpc;
use super::{Denied, FenceGuard, PassThrough};

impl<S, B, R> Service<Request<B>> for FenceGuard<S, PassThrough>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = PassFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let state = match self.rules.read(request.headers()) {
            Ok((token, op)) => {
                let extensions = request.extensions_mut();
                extensions.insert(token);
                if let Some(op) = op {
                    extensions.insert(op);
                }
                State::Passed(self.inner.call(request))
            }
            Err(denied) => {
                // It was readied for this call, and may hold a permit: a fresh one stays.
                let fresh = self.inner.clone();
                drop(mem::replace(&mut self.inner, fresh));
                State::Denied(Some((denied, is_grpc(request.headers()))))
            }
        };
        PassFuture { state }
    }
}

/// A request that was passed on, or denied.
///
/// # Panics
///
/// When polled after it is done: where it was denied; else it does what the handler's future does.
///
/// # Cancel safety
///
/// Dropping it drops the handler's future: what that has begun stays begun.
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct PassFuture<F> {
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProj)]
enum State<F> {
    Denied(Option<(Denied, bool)>),
    Passed(#[pin] F),
}

impl<F, R, E> Future for PassFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passed(inner) => inner.poll(cx),
            StateProj::Denied(denied) => {
                let Some((denied, grpc)) = denied.take() else {
                    panic!("polled after it was done");
                };
                Poll::Ready(Ok(denied.answer(grpc)))
            }
        }
    }
}

impl<F> fmt::Debug for PassFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassFuture")
            .field("denied", &matches!(self.state, State::Denied(_)))
            .finish_non_exhaustive()
    }
}

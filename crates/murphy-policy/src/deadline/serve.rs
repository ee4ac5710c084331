//! The future of a [`ServerDeadline`](super::ServerDeadline).

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use murphy_core::Scope;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use super::Expired;
use super::future::{expired, wait};
use crate::{TARGET, metered};

/// What a server decided once.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Ends what runs.
    pub(super) cuts: bool,
    pub(super) site: Cow<'static, str>,
}

/// A request that waits for its handler, and then the handler.
///
/// # Panics
///
/// When it pends outside a tokio runtime with time enabled, and when polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the request, or the handler.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ServeFuture<S: Service<Request<B>>, B> {
    #[pin]
    state: State<S, S::Future, Request<B>>,
    #[pin]
    sleep: Option<Sleep>,
    /// With the deadline in it.
    scope: Scope,
    began: Instant,
    grpc: bool,
    rules: Rules,
}

#[pin_project(project = StateProj)]
enum State<S, F, Req> {
    Readying(S, Option<Req>),
    Running(#[pin] F),
}

impl<S: Service<Request<B>>, B> ServeFuture<S, B> {
    pub(super) fn new(
        inner: S,
        request: Request<B>,
        scope: Scope,
        began: Instant,
        rules: &Rules,
    ) -> Self {
        Self {
            grpc: cfg!(feature = "grpc") && is_grpc(request.headers()),
            state: State::Readying(inner, Some(request)),
            sleep: None,
            scope,
            began,
            rules: rules.clone(),
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

impl<S, B, R> Future for ServeFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let deadline = this.scope.deadline();
        let allowed = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(*this.began)
        });
        if let StateProj::Readying(inner, request) = this.state.as_mut().project() {
            if allowed.is_zero() {
                // It came too late: the handler is not even asked.
                return Poll::Ready(Ok(dropped(this.rules, *this.grpc, allowed)));
            }
            let Poll::Ready(ready) = this.scope.sync(|| inner.poll_ready(cx)) else {
                ready!(wait(this.sleep, deadline, cx));
                return Poll::Ready(Ok(dropped(this.rules, *this.grpc, allowed)));
            };
            if let Err(error) = ready {
                return Poll::Ready(Err(error));
            }
            // The clock is read where readiness took time, or the first poll was late.
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(Ok(dropped(this.rules, *this.grpc, allowed)));
            }
            let Some(request) = request.take() else {
                unreachable!("a request is handed over once");
            };
            // ## Readying => Running.
            let future = this.scope.sync(|| inner.call(request));
            this.state.set(State::Running(future));
        }
        let StateProj::Running(future) = this.state.project() else {
            unreachable!("it runs");
        };
        if let Poll::Ready(outcome) = this.scope.sync(|| future.poll(cx)) {
            return Poll::Ready(outcome);
        }
        if !this.rules.cuts {
            return Poll::Pending;
        }
        ready!(wait(this.sleep, deadline, cx));
        Poll::Ready(Ok(ended(this.rules, *this.grpc, allowed)))
    }
}

/// Its time was up before it began.
#[cold]
fn dropped<R: Default>(rules: &Rules, grpc: bool, allowed: Duration) -> Response<R> {
    let site = &*rules.site;
    metered::count("murphy_policy_deadline_dropped_total", site);
    tracing::warn!(
        name: "deadline.dropped", target: TARGET,
        site, ?allowed, "a request whose deadline had passed was not served",
    );
    answer(grpc, Expired::new(allowed))
}

/// Its time was up while it ran.
#[cold]
fn ended<R: Default>(rules: &Rules, grpc: bool, allowed: Duration) -> Response<R> {
    metered::count("murphy_policy_deadline_elapsed_total", &rules.site);
    answer(grpc, expired(allowed))
}

fn answer<R: Default>(grpc: bool, why: Expired) -> Response<R> {
    let mut response = Response::new(R::default());
    if grpc {
        let headers = response.headers_mut();
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("grpc-status", "4"),
            ("grpc-message", "the deadline passed"),
        ] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
    } else {
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    }
    response.extensions_mut().insert(why);
    response
}

impl<S: Service<Request<B>>, B> fmt::Debug for ServeFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("deadline::ServeFuture")
            .field("running", &matches!(self.state, State::Running(_)))
            .field("scope", &self.scope)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

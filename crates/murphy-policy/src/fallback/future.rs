//! The future of a [`Fallback`](super::Fallback).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::{Answer, FallbackCause, FallbackError, Mark, Nothing, Policy, Save, Unmarked};
use crate::retry::{AnyError, Attempt, Classify, Verdict};
use crate::surface::{BoxError, Boxed, Surface};
use crate::{TARGET, metered};

/// A call and, once it has failed, what stands in for it.
///
/// # Panics
///
/// When it is polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the call, or the answer.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, Req, A, K = Nothing, C = AnyError, T = Unmarked, M = Boxed>
where
    S: Service<Req>,
    K: Save<Req>,
    A: Answer<K::Saved, S::Response, S::Error>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[pin]
    state: State<S::Future, A::Future>,
    /// Until the answer is begun.
    saved: Option<K::Saved>,
    seen: C::Seen,
    /// What failed, from then on.
    cause: Option<FallbackCause<S::Response, S::Error>>,
    policy: Arc<Policy<A, K, C, T>>,
    surface: PhantomData<M>,
}

#[pin_project(project = StateProj)]
enum State<F, A> {
    Calling(#[pin] F),
    Answering(#[pin] A),
}

impl<S, Req, A, K, C, T, M> ResponseFuture<S, Req, A, K, C, T, M>
where
    S: Service<Req>,
    K: Save<Req>,
    A: Answer<K::Saved, S::Response, S::Error>,
    C: Classify<Req, S::Response, S::Error>,
{
    pub(super) fn new(
        call: S::Future,
        saved: K::Saved,
        seen: C::Seen,
        policy: Arc<Policy<A, K, C, T>>,
    ) -> Self {
        Self {
            state: State::Calling(call),
            saved: Some(saved),
            seen,
            cause: None,
            policy,
            surface: PhantomData,
        }
    }
}

impl<S, Req, A, K, C, T, M> Future for ResponseFuture<S, Req, A, K, C, T, M>
where
    S: Service<Req>,
    K: Save<Req>,
    A: Answer<K::Saved, S::Response, S::Error>,
    C: Classify<Req, S::Response, S::Error>,
    T: Mark<S::Response>,
    M: Surface<FallbackError<S::Error>, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProj::Calling(call) = this.state.as_mut().project() {
            let outcome = ready!(call.poll(cx));
            let verdict =
                this.policy
                    .classify
                    .classify(this.seen, &Attempt::new(1, 1), outcome.as_ref());
            let saved = match verdict {
                Verdict::Success => None,
                _ => this.saved.take(),
            };
            let Some(saved) = saved else {
                return Poll::Ready(outcome.map_err(M::inner));
            };
            // ## Calling => Answering. The call's future goes, and what it holds.
            let cause = match outcome {
                Ok(reply) => FallbackCause::Reply(reply),
                Err(error) => FallbackCause::Error(error),
            };
            used(&this.policy.site, cause.error().is_some());
            let answer = this.policy.answer.answer(saved, &cause);
            *this.cause = Some(cause);
            this.state.set(State::Answering(answer));
        }
        let StateProj::Answering(answer) = this.state.project() else {
            unreachable!("it answers");
        };
        Poll::Ready(match ready!(answer.poll(cx)) {
            Ok(mut reply) => {
                this.policy.mark.mark(&mut reply);
                Ok(reply)
            }
            Err(error) => {
                let error = error.into();
                failed(&this.policy.site, &error);
                let first = this.cause.take().and_then(FallbackCause::into_error);
                Err(M::own(FallbackError::Failed { error, first }))
            }
        })
    }
}

#[cold]
fn used(site: &str, is_error: bool) {
    metered::count("murphy_policy_fallback_used_total", site);
    let of = if is_error { "error" } else { "reply" };
    tracing::warn!(
        name: "fallback.used", target: TARGET, site, of, "answers in the place of what failed",
    );
}

#[cold]
fn failed(site: &str, error: &BoxError) {
    metered::count("murphy_policy_fallback_failed_total", site);
    tracing::warn!(
        name: "fallback.failed", target: TARGET, site, %error, "the fallback failed as well",
    );
}

impl<S, Req, A, K, C, T, M> fmt::Debug for ResponseFuture<S, Req, A, K, C, T, M>
where
    S: Service<Req>,
    K: Save<Req>,
    A: Answer<K::Saved, S::Response, S::Error>,
    C: Classify<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("fallback::ResponseFuture")
            .field("answering", &matches!(self.state, State::Answering(_)))
            .field("site", &self.policy.site)
            .finish_non_exhaustive()
    }
}

//! The future of a [`Retry`](super::Retry): the first attempt, in place.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_service::Service;

use super::judge::judge;
use super::later::Later;
use super::policy::Policy;
use super::{AnyError, Backoff, Classify, CloneReplay, Pace, Replay, RetryError, Verdict};
use crate::Begun;
use crate::surface::{Boxed, Surface};

/// A call, its attempts and the waits between them.
///
/// The first attempt is in place. The first failure that is worth repeating makes the one
/// allocation of a call, for all that follows.
///
/// # Panics
///
/// When it has to wait outside a tokio runtime with time enabled, and when polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the attempt or the wait; a retry that was not sent costs the budget nothing.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, Req, C = AnyError, R = CloneReplay, P = Backoff, M = Boxed>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    #[pin]
    state: State<S::Future, Later<S::Future, Req, S::Error>>,
    // What later attempts need. None: there can be none.
    spare: Option<(S, R::Saved)>,
    seen: C::Seen,
    begun: Begun,
    policy: Arc<Policy<C, R, P>>,
    surface: PhantomData<M>,
}

/// Boxed, what comes later costs a call that succeeds at once neither space nor a check.
#[pin_project(project = StateProj)]
enum State<F, L> {
    First(#[pin] F),
    Later(Pin<Box<L>>),
}

impl<S, Req, C, R, P, M> ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    #[inline]
    pub(super) fn new(
        first: S::Future,
        spare: Option<(S, R::Saved)>,
        seen: C::Seen,
        begun: Begun,
        policy: Arc<Policy<C, R, P>>,
    ) -> Self {
        Self {
            state: State::First(first),
            spare,
            seen,
            begun,
            policy,
            surface: PhantomData,
        }
    }
}

impl<S, Req, C, R, P, M> Future for ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
    P: Pace,
    M: Surface<RetryError<S::Error>, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        let StateProj::First(first) = this.state.project() else {
            return self.poll_later(None, cx);
        };
        let outcome = ready!(first.poll(cx));
        let attempt = this.policy.first();
        let classify = &this.policy.classify;
        match judge(classify, this.seen, &attempt, outcome.as_ref()) {
            // ## First => done.
            Verdict::Success => {
                this.begun.succeeded();
                Poll::Ready(outcome.map_err(M::inner))
            }
            Verdict::Terminal | Verdict::Failed(_) => Poll::Ready(outcome.map_err(M::inner)),
            verdict => self.poll_later(Some((verdict, outcome)), cx),
        }
    }
}

impl<S, Req, C, R, P, M> ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
    P: Pace,
    M: Surface<RetryError<S::Error>, S::Error>,
{
    /// All that comes after a failure: `failed` is the one just seen, if one was.
    #[cold]
    #[inline(never)]
    fn poll_later(
        self: Pin<&mut Self>,
        mut failed: Option<(Verdict, Result<S::Response, S::Error>)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, M::Error>> {
        let mut this = self.project();
        let budget = this.begun.budget().unwrap_or(&this.policy.budget);
        if let StateProj::First(_) = this.state.as_mut().project() {
            // ## First => Later. The first attempt's future goes, and what it holds.
            let later = Later::new(this.policy.first());
            this.state.set(State::Later(Box::pin(later)));
        }
        let StateProj::Later(later) = this.state.project() else {
            unreachable!("set above");
        };
        loop {
            if let Some((verdict, outcome)) = failed {
                let saved = this.spare.as_mut().map(|(_, saved)| saved);
                let ended = later
                    .as_mut()
                    .judged(this.policy, budget, saved, verdict, outcome);
                if let Some(result) = ended {
                    return Poll::Ready(result.map_err(M::own));
                }
            }
            let sent = later
                .as_mut()
                .poll_sent(this.policy, budget, this.spare, cx);
            if let Err(error) = ready!(sent) {
                return Poll::Ready(Err(M::own(error)));
            }
            let (attempt, outcome) = ready!(later.as_mut().poll_attempt(cx));
            let classify = &this.policy.classify;
            let verdict = judge(classify, this.seen, &attempt, outcome.as_ref());
            failed = Some((verdict, outcome));
        }
    }
}

impl<S, Req, C, R, P, M> fmt::Debug for ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = match &self.state {
            State::First(_) => 1,
            State::Later(later) => later.attempt().number(),
        };
        f.debug_struct("retry::ResponseFuture")
            .field("attempts", &attempts)
            .finish_non_exhaustive()
    }
}

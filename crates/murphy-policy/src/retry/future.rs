//! The future of a [`Retry`](super::Retry).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::{Key, Scope};
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use super::decide::{self, Stop};
use super::event;
use super::policy::Policy;
use super::{AnyError, Attempt, Backoff, Classify, CloneReplay, Pace, Replay, RetryError, Verdict};
use crate::Budget;
use crate::surface::{Boxed, Surface};

/// A call, its attempts and the waits between them.
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
    state: State<S::Future, Held<Req, S::Error>>,
    // What later attempts need. None: there can be none.
    spare: Option<(S, R::Saved)>,
    seen: C::Seen,
    policy: Arc<Policy<C, R, P>>,
    past: Past,
    surface: PhantomData<M>,
}

#[pin_project(project = StateProj)]
enum State<F, H> {
    Calling(#[pin] F),
    Waiting(#[pin] Sleep, Option<H>),
    Readying(Option<H>),
}

/// What is kept for an attempt that is still to come.
struct Held<Req, E> {
    request: Req,
    last: Option<E>,
}

/// What the call has been through.
struct Past {
    /// Attempts sent.
    attempts: u32,
    /// The wait before the last one.
    wait: Duration,
    /// Which jitter is its own; drawn at the first retry.
    key: Option<Key>,
}

/// Where a failed attempt leads.
enum Turn<Req, Res, E> {
    Done(Result<Res, RetryError<E>>),
    Again(Duration, Held<Req, E>),
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
        policy: Arc<Policy<C, R, P>>,
    ) -> Self {
        Self {
            state: State::Calling(first),
            spare,
            seen,
            policy,
            past: Past {
                attempts: 1,
                wait: Duration::ZERO,
                key: None,
            },
            surface: PhantomData,
        }
    }
}

impl<S, Req, C, R, P, M> Future for ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
    P: Pace,
    M: Surface<RetryError<S::Error>, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let max = this.policy.attempts.get();
        loop {
            match this.state.as_mut().project() {
                StateProj::Calling(future) => {
                    let outcome = ready!(future.poll(cx));
                    let attempt = Attempt::new(this.past.attempts, max);
                    let verdict =
                        this.policy
                            .classify
                            .classify(this.seen, &attempt, outcome.as_ref());
                    // ## Calling => done.
                    if matches!(verdict, Verdict::Success | Verdict::Terminal) {
                        return Poll::Ready(outcome.map_err(M::inner));
                    }
                    let saved = this.spare.as_mut().map(|(_, saved)| saved);
                    match turn(this.policy, this.past, saved, attempt, verdict, outcome) {
                        Turn::Done(result) => return Poll::Ready(result.map_err(M::own)),
                        // ## Calling => Waiting. The attempt's future goes, and what it holds.
                        Turn::Again(wait, held) if !wait.is_zero() => {
                            let sleep = tokio::time::sleep(wait);
                            this.state.set(State::Waiting(sleep, Some(held)));
                        }
                        // ## Calling => Readying. Nothing to wait for.
                        Turn::Again(_, held) => this.state.set(State::Readying(Some(held))),
                    }
                }
                StateProj::Waiting(sleep, held) => {
                    ready!(sleep.poll(cx));
                    // ## Waiting => Readying.
                    let held = held.take();
                    this.state.set(State::Readying(held));
                }
                StateProj::Readying(held) => {
                    let service = match this.spare {
                        Some((service, _)) if held.is_some() => service,
                        _ => panic!("a retry was polled after it was done"),
                    };
                    let readied = ready!(service.poll_ready(cx));
                    let Some(Held { request, last }) = held.take() else {
                        unreachable!("looked at above");
                    };
                    // ## Readying => done. An inner service that cannot become ready is no more.
                    if let Err(error) = readied {
                        *this.spare = None;
                        return Poll::Ready(Err(M::inner(error)));
                    }
                    let attempt = Attempt::new(this.past.attempts, max);
                    let permit = match admit(this.policy, attempt, last) {
                        Ok(permit) => permit,
                        // ## Readying => done. The readied instance goes, and its permit.
                        Err(stopped) => {
                            *this.spare = None;
                            return Poll::Ready(Err(M::own(stopped)));
                        }
                    };
                    // ## Readying => Calling.
                    this.past.attempts = attempt.next().number();
                    event::attempt(&this.policy.site, attempt.next());
                    let future = service.call(request);
                    if let Some(permit) = permit {
                        permit.sent();
                    }
                    this.state.set(State::Calling(future));
                }
            }
        }
    }
}

/// After a failed attempt: another one, or the end.
#[cold]
fn turn<C, R, P, Req, Res, E>(
    policy: &Policy<C, R, P>,
    past: &mut Past,
    saved: Option<&mut R::Saved>,
    attempt: Attempt,
    verdict: Verdict,
    mut outcome: Result<Res, E>,
) -> Turn<Req, Res, E>
where
    R: Replay<Req, E>,
    P: Pace,
{
    let end = |stop: Stop, outcome: Result<Res, E>| {
        event::stops(&policy.site, attempt, stop);
        // A reply is handed over as it is, whatever the reason.
        Turn::Done(outcome.map_err(|error| stopped(stop, attempt, error)))
    };
    let wanted = match decide::wanted(verdict, attempt, saved.is_some()) {
        Ok(wanted) => wanted,
        Err(stop) => return end(stop, outcome),
    };
    let Some(saved) = saved else {
        return end(Stop::NotReplayable, outcome);
    };
    let n = attempt.number() - 1;
    let key = *past.key.get_or_insert_with(|| policy.chance.session());
    let pace = policy.pace.wait(super::Step {
        n,
        previous: past.wait,
        draw: policy.chance.draw(key, n),
        kind: wanted.kind,
    });
    let wait = decide::wait(pace, wanted.hint, policy.longest_hint);
    // Only looked at here: who is broke need not wait to hear it. It is paid when it is sent.
    let paid = policy.budget.as_ref().is_none_or(|b| b.balance() > 0);
    let wait = match decide::affordable(wait, left(), paid) {
        Ok(wait) => wait,
        Err(stop) => return end(stop, outcome),
    };
    let next = attempt.next();
    let Some(request) = policy.replay.next(saved, &next, outcome.as_mut().err()) else {
        return end(Stop::NotReplayable, outcome);
    };
    past.wait = wait;
    event::waits(&policy.site, next, wanted.kind, wait);
    Turn::Again(
        wait,
        Held {
            request,
            last: outcome.err(),
        },
    )
}

/// Ready to send: is there still time, and a permit?
fn admit<C, R, P, E>(
    policy: &Policy<C, R, P>,
    attempt: Attempt,
    last: Option<E>,
) -> Result<Option<crate::Permit>, RetryError<E>> {
    let attempts = attempt.number();
    if let Err(stop) = decide::affordable(Duration::ZERO, left(), true) {
        event::stops(&policy.site, attempt, stop);
        return Err(RetryError::Deadline {
            needed: Duration::ZERO,
            left: Duration::ZERO,
            last,
            attempts,
        });
    }
    match policy.budget.as_ref().map(Budget::acquire) {
        Some(None) => {
            event::stops(&policy.site, attempt, Stop::Budget);
            Err(RetryError::Budget { last, attempts })
        }
        permit => Ok(permit.flatten()),
    }
}

/// What is left until the caller's deadline. Reads the clock only if there is one.
fn left() -> Option<Duration> {
    let deadline = Scope::current().deadline()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}

fn stopped<E>(stop: Stop, after: Attempt, last: E) -> RetryError<E> {
    let attempts = after.number();
    match stop {
        Stop::Pass | Stop::NotReplayable => RetryError::Terminal(last),
        Stop::Exhausted => RetryError::Exhausted { last, attempts },
        Stop::Forbidden => RetryError::Forbidden { last, attempts },
        Stop::Budget => RetryError::Budget {
            last: Some(last),
            attempts,
        },
        Stop::Deadline { needed, left } => RetryError::Deadline {
            needed,
            left,
            last: Some(last),
            attempts,
        },
    }
}

impl<S, Req, C, R, P, M> fmt::Debug for ResponseFuture<S, Req, C, R, P, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("retry::ResponseFuture")
            .field("attempts", &self.past.attempts)
            .field("waited", &self.past.wait)
            .finish_non_exhaustive()
    }
}

//! What a call goes through once its first attempt has failed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::{Key, Scope};
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use super::decide::{self, Stop};
use super::policy::Policy;
use super::{Attempt, Pace, Replay, RetryError, Step, Verdict, event};
use crate::Permit;

/// The waits and the further attempts of a call.
///
/// Waiting: held, and a sleep. Readying: held, and none. Calling: an attempt. Done: nothing.
#[pin_project]
pub(super) struct Later<F, Req, E> {
    #[pin]
    calling: Option<F>,
    #[pin]
    sleep: Option<Sleep>,
    held: Option<Held<Req, E>>,
    /// The last attempt that was sent.
    attempt: Attempt,
    /// What the pace asked for before it.
    pace: Duration,
    /// Which jitter is the call's own; taken when it is needed.
    key: Option<Key>,
}

/// What is kept for an attempt that is still to come.
struct Held<Req, E> {
    request: Req,
    last: Option<E>,
}

impl<F, Req, E> Later<F, Req, E> {
    /// After the first attempt of at most `max`.
    pub(super) const fn new(max: u32) -> Self {
        Self {
            calling: None,
            sleep: None,
            held: None,
            attempt: Attempt::new(1, max),
            pace: Duration::ZERO,
            key: None,
        }
    }

    pub(super) const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// The last attempt came to `outcome`: the call's end, or `None` where it goes on.
    pub(super) fn failed<C, R, P, Res>(
        self: Pin<&mut Self>,
        policy: &Policy<C, R, P>,
        saved: Option<&mut R::Saved>,
        verdict: Verdict,
        mut outcome: Result<Res, E>,
    ) -> Option<Result<Res, RetryError<E>>>
    where
        R: Replay<Req, E>,
        P: Pace,
    {
        let mut this = self.project();
        let attempt = *this.attempt;
        // The attempt's future goes, and what it holds.
        this.calling.set(None);
        let plan = || {
            let wanted = decide::wanted(verdict, attempt, saved.is_some())?;
            let saved = saved.ok_or(Stop::NotReplayable)?;
            let n = attempt.number() - 1;
            let key = *this.key.get_or_insert_with(|| policy.chance.session());
            let pace = policy.pace.wait(Step {
                n,
                previous: *this.pace,
                draw: policy.chance.draw(key, n),
                earlier: policy.chance.draw(key, n.saturating_sub(1)),
                kind: wanted.kind,
            });
            *this.pace = pace;
            let wait = decide::wait(pace, wanted.hint, policy.longest_hint);
            // Only looked at: who is broke need not wait to hear it. It is paid when it is sent.
            let paid = policy.budget.balance() > 0;
            let wait = decide::affordable(wait, left(), paid)?;
            let next = attempt.next();
            let request = policy.replay.next(saved, &next, outcome.as_mut().err());
            let request = request.ok_or(Stop::NotReplayable)?;
            event::waits(&policy.site, next, wanted.kind, wait);
            Ok((wait, request))
        };
        match plan() {
            // ## Calling => Waiting, or Readying where there is nothing to wait for.
            Ok((wait, request)) => {
                let last = outcome.err();
                *this.held = Some(Held { request, last });
                if !wait.is_zero() {
                    this.sleep.set(Some(tokio::time::sleep(wait)));
                }
                None
            }
            // ## Calling => done. A reply is handed over as it is, whatever the reason.
            Err(stop) => {
                event::stops(&policy.site, attempt, stop);
                Some(outcome.map_err(|error| stopped(stop, attempt, error)))
            }
        }
    }

    /// Waits, readies the spare instance and sends the next attempt, unless one is on its way.
    pub(super) fn poll_sent<S, T, C, R, P>(
        self: Pin<&mut Self>,
        policy: &Policy<C, R, P>,
        spare: &mut Option<(S, T)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RetryError<E>>>
    where
        S: Service<Req, Future = F, Error = E>,
    {
        let mut this = self.project();
        if this.calling.is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
            // ## Waiting => Readying.
            this.sleep.set(None);
        }
        let (Some((service, _)), true) = (spare.as_mut(), this.held.is_some()) else {
            panic!("a retry was polled after it was done");
        };
        let readied = ready!(service.poll_ready(cx));
        let admitted = match (readied, this.held.take()) {
            // What cannot become ready is no more.
            (Err(error), _) => Err(RetryError::Terminal(error)),
            (Ok(()), Some(Held { request, last })) => {
                admit(policy, *this.attempt, last).map(|permit| (permit, request))
            }
            (Ok(()), None) => unreachable!("looked at above"),
        };
        let (permit, request) = match admitted {
            Ok(admitted) => admitted,
            // ## Readying => done. The instance goes, with what it reserved.
            Err(error) => {
                *spare = None;
                return Poll::Ready(Err(error));
            }
        };
        // ## Readying => Calling.
        *this.attempt = this.attempt.next();
        event::attempt(&policy.site, *this.attempt);
        let scope = Scope::current().with_attempt(this.attempt.number());
        let future = scope.sync(|| service.call(request));
        permit.sent();
        this.calling.set(Some(future));
        Poll::Ready(Ok(()))
    }

    /// The attempt that was sent, and what it came to.
    pub(super) fn poll_attempt<Res>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<(Attempt, Result<Res, E>)>
    where
        F: Future<Output = Result<Res, E>>,
    {
        let this = self.project();
        let attempt = *this.attempt;
        match this.calling.as_pin_mut() {
            Some(calling) => calling.poll(cx).map(|outcome| (attempt, outcome)),
            None => panic!("a retry was polled after it was done"),
        }
    }
}

/// Ready to send: is there still time, and a permit?
fn admit<C, R, P, E>(
    policy: &Policy<C, R, P>,
    attempt: Attempt,
    last: Option<E>,
) -> Result<Permit, RetryError<E>> {
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
    policy.budget.acquire().ok_or_else(|| {
        event::stops(&policy.site, attempt, Stop::Budget);
        RetryError::Budget { last, attempts }
    })
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

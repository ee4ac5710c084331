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
use super::{Attempt, Kind, Pace, Replay, RetryError, Step, Verdict, event};
use crate::{Budget, Permit, Spent};

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
    /// What the attempt that is under way took from the budget.
    spent: Option<Spent>,
    /// The last attempt that was sent.
    attempt: Attempt,
    /// What the pace asked for before it.
    pace: Duration,
    /// Whether an attempt never left, and was repeated for free.
    not_sent: bool,
    /// Which jitter is the call's own; taken when it is needed.
    key: Option<Key>,
}

/// What is kept for an attempt that is still to come.
struct Held<Req, E> {
    request: Req,
    last: Option<E>,
    kind: Kind,
    /// It is the same attempt again, and costs nothing.
    free: bool,
}

impl<F, Req, E> Later<F, Req, E> {
    pub(super) const fn new(first: Attempt) -> Self {
        Self {
            calling: None,
            sleep: None,
            held: None,
            spent: None,
            attempt: first,
            pace: Duration::ZERO,
            not_sent: false,
            key: None,
        }
    }

    pub(super) const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// The last attempt came to `outcome`: the call's end, or `None` where it goes on.
    pub(super) fn judged<C, R, P, Res>(
        self: Pin<&mut Self>,
        policy: &Policy<C, R, P>,
        budget: &Budget,
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
        let not_sent = matches!(verdict, Verdict::Retry(Kind::NotSent));
        if !not_sent {
            // What paid for an attempt that never left pays for its repetition.
            settle(budget, this.spent.take(), verdict);
        }
        let plan = || {
            let wanted = decide::wanted(verdict, attempt, saved.is_some(), *this.not_sent)?;
            let saved = saved.ok_or(Stop::NotReplayable)?;
            let (next, wait) = if wanted.free {
                *this.not_sent = true;
                (attempt, Duration::ZERO)
            } else {
                let n = attempt.number() - 1;
                let key = *this.key.get_or_insert_with(|| policy.chance.session());
                let draw = policy.chance.draw(key, n);
                let pace = policy.pace.wait(Step {
                    n,
                    previous: *this.pace,
                    draw,
                    earlier: policy.chance.draw(key, n.saturating_sub(1)),
                    kind: wanted.kind,
                });
                *this.pace = pace;
                let wait = decide::wait(pace, wanted.hint, policy.obedience, draw.nth(1))?;
                (attempt.next(), wait)
            };
            // Only looked at: who is broke need not wait to hear it. It is paid when it is sent.
            let paid = wanted.free || budget.affords(wanted.kind);
            let needed = wait.saturating_add(policy.shortest_attempt);
            decide::affordable(needed, left(), paid)?;
            let request = policy.replay.next(saved, &next, outcome.as_mut().err());
            let request = request.ok_or(Stop::NotReplayable)?;
            event::waits(&policy.site, next, wanted.kind, wait);
            Ok((wait, request, wanted))
        };
        match plan() {
            // ## Calling => Waiting, or Readying where there is nothing to wait for.
            Ok((wait, request, wanted)) => {
                let last = outcome.err();
                *this.held = Some(Held {
                    request,
                    last,
                    kind: wanted.kind,
                    free: wanted.free,
                });
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
        budget: &Budget,
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
            (Ok(()), Some(held)) => admit(policy, budget, *this.attempt, held),
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
        if permit.is_some() {
            *this.attempt = this.attempt.next();
        }
        event::attempt(&policy.site, *this.attempt);
        let scope = Scope::current().with_attempt(this.attempt.number());
        let future = scope.sync(|| service.call(request));
        if let Some(permit) = permit {
            *this.spent = Some(permit.sent());
        }
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

/// Tells the budget what came of an attempt.
fn settle(budget: &Budget, spent: Option<Spent>, verdict: Verdict) {
    match verdict {
        Verdict::Success => match spent {
            Some(spent) => spent.succeeded(),
            // The first attempt, after one that never left.
            None => budget.succeeded(),
        },
        Verdict::Terminal => {}
        Verdict::Retry(_) | Verdict::RetryAfter(..) | Verdict::Forbid => budget.failed(),
    }
}

/// Ready to send: is there still time, and a permit, unless it is free?
fn admit<C, R, P, Req, E>(
    policy: &Policy<C, R, P>,
    budget: &Budget,
    attempt: Attempt,
    held: Held<Req, E>,
) -> Result<(Option<Permit>, Req), RetryError<E>> {
    let attempts = attempt.number();
    let Held {
        request,
        last,
        kind,
        free,
    } = held;
    let needed = policy.shortest_attempt;
    if let Err(stop @ Stop::Deadline { needed, left }) = decide::affordable(needed, left(), true) {
        event::stops(&policy.site, attempt, stop);
        return Err(RetryError::Deadline {
            needed,
            left,
            last,
            attempts,
        });
    }
    if free {
        return Ok((None, request));
    }
    match budget.acquire_after(kind) {
        Some(permit) => Ok((Some(permit), request)),
        None => {
            event::stops(&policy.site, attempt, Stop::Budget);
            Err(RetryError::Budget { last, attempts })
        }
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
        Stop::Deferred { hint, longest } => RetryError::Deferred {
            hint,
            longest,
            last,
            attempts,
        },
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

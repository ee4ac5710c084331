//! What a call goes through once its first attempt has failed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::time::Sleep;
use tower_service::Service;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use super::decide::{self, Stop};
use super::policy::Policy;
use super::session::{Decision, Session, left};
use super::{Attempt, Pace, Replay, RetryError, Verdict, event};
use crate::{Budget, Permit};

/// The waits and the further attempts of a call.
///
/// Waiting: held, and a sleep. Readying: held, and none. Calling: an attempt. Done: nothing.
#[pin_project]
pub(super) struct Later<F, Req, E> {
    #[pin]
    calling: Option<Instrumented<F>>,
    #[pin]
    sleep: Option<Sleep>,
    held: Option<Held<Req, E>>,
    session: Session,
}

/// What is kept for an attempt that is still to come.
struct Held<Req, E> {
    request: Req,
    last: Option<E>,
    decision: Decision,
}

impl<F, Req, E> Later<F, Req, E> {
    pub(super) const fn new(first: Attempt) -> Self {
        Self {
            calling: None,
            sleep: None,
            held: None,
            session: Session::new(first),
        }
    }

    pub(super) const fn attempt(&self) -> Attempt {
        self.session.attempt
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
        let attempt = this.session.attempt;
        // The attempt's future goes, and what it holds.
        this.calling.set(None);
        this.session.settle(budget, verdict);
        let plan = || {
            let decision = this
                .session
                .decide(policy, budget, verdict, saved.is_some())?;
            let none = this.session.unrepeatable(verdict);
            let saved = saved.ok_or(none)?;
            let error = outcome.as_mut().err();
            let next = decision.next.for_replay(this.session.has_one_free());
            let request = policy.replay.next(saved, &next, error);
            let request = request.ok_or(match attempt.is_last() {
                true => Stop::Exhausted,
                false => none,
            })?;
            event::waits(&policy.site, decision.next, decision.kind, decision.wait);
            Ok((request, decision))
        };
        match plan() {
            // ## Calling => Waiting, or Readying where there is nothing to wait for.
            Ok((request, decision)) => {
                let last = outcome.err();
                if !decision.wait.is_zero() {
                    this.sleep.set(Some(tokio::time::sleep(decision.wait)));
                }
                *this.held = Some(Held {
                    request,
                    last,
                    decision,
                });
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
            (Ok(()), Some(held)) => admit(policy, budget, this.session.attempt, held),
            (Ok(()), None) => unreachable!("looked at above"),
        };
        let (
            permit,
            Held {
                request, decision, ..
            },
        ) = match admitted {
            Ok(admitted) => admitted,
            // ## Readying => done. The instance goes, with what it reserved.
            Err(error) => {
                *spare = None;
                return Poll::Ready(Err(error));
            }
        };
        // ## Readying => Calling.
        let session = this.session;
        if !decision.same {
            session.attempt = session.attempt.next();
        }
        event::attempt(&policy.site, session.attempt);
        let scope = Scope::current().with_attempt(session.attempt.number());
        let span = event::span(&policy.site, session.attempt);
        let future = span.in_scope(|| scope.sync(|| service.call(request)));
        session.sent(permit);
        this.calling.set(Some(future.instrument(span)));
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
        let attempt = this.session.attempt;
        match this.calling.as_pin_mut() {
            Some(calling) => calling.poll(cx).map(|outcome| (attempt, outcome)),
            None => panic!("a retry was polled after it was done"),
        }
    }
}

/// Ready to send: is there still time, and a permit, where it needs one?
fn admit<'a, C, R, P, Req, E>(
    policy: &Policy<C, R, P>,
    budget: &'a Budget,
    attempt: Attempt,
    mut held: Held<Req, E>,
) -> Result<(Option<Permit<'a>>, Held<Req, E>), RetryError<E>> {
    let attempts = attempt.number();
    let needed = policy.shortest_attempt;
    if let Err(stop @ Stop::Deadline { needed, left }) = decide::affordable(needed, left(), true) {
        event::stops(&policy.site, attempt, stop);
        return Err(RetryError::Deadline {
            needed,
            left,
            last: held.last.take(),
            attempts,
        });
    }
    if !held.decision.costs {
        return Ok((None, held));
    }
    match budget.acquire_after(held.decision.kind) {
        Some(permit) => Ok((Some(permit), held)),
        None => {
            event::stops(&policy.site, attempt, Stop::Budget);
            let last = held.last.take();
            Err(RetryError::Budget { last, attempts })
        }
    }
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

//! The requests that follow the first one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::Scope;
use tokio::time::{Instant, Sleep};
use tower_service::Service;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use super::event;
use super::layer::Policy;
use crate::Spent;
use crate::retry::{Attempt, Replay, Verdict, left};

/// A longer wait than this is not granted to a peer that asks for one before the next request.
const LONGEST_HINT: Duration = Duration::from_secs(60);

/// Hedges that are under way, and the one that is about to be.
pub(super) struct Race<F, Req> {
    lanes: Vec<Lane<F>>,
    /// A request that waits for its instance to be ready.
    readying: Option<Req>,
    /// The last that was sent, or is about to be.
    attempt: Attempt,
    over: bool,
}

/// One hedge.
struct Lane<F> {
    future: Pin<Box<Instrumented<F>>>,
    attempt: Attempt,
    sent: Instant,
    spent: Spent,
}

/// An outcome, and whose.
pub(super) struct Came<O> {
    pub(super) outcome: O,
    pub(super) attempt: Attempt,
    pub(super) after: Duration,
    pub(super) spent: Spent,
}

impl<F, Req> Race<F, Req> {
    pub(super) const fn new(first: Attempt) -> Self {
        Self {
            lanes: Vec::new(),
            readying: None,
            attempt: first,
            over: false,
        }
    }

    /// Whether nothing is under way or about to be.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.readying.is_none()
    }

    /// Whether one is about to be sent.
    pub(super) const fn is_readying(&self) -> bool {
        self.readying.is_some()
    }

    /// Whether one more may follow.
    pub(super) const fn has_more(&self) -> bool {
        !self.over && self.readying.is_none() && !self.attempt.is_last()
    }

    /// Takes the request for one more, if there is one.
    pub(super) fn prepare<R, E>(&mut self, replay: &R, saved: &mut R::Saved, error: Option<&mut E>)
    where
        R: Replay<Req, E>,
    {
        let next = self.attempt.next();
        self.readying = replay.next(saved, &next, error);
        self.over = self.readying.is_none();
    }

    /// Sends the one that waits, once its instance is ready and the budget allows. Whether it was
    /// sent now.
    pub(super) fn poll_send<S, D, G, C, R>(
        &mut self,
        service: &mut S,
        policy: &Policy<D, G, C, R>,
        cx: &mut Context<'_>,
    ) -> bool
    where
        S: Service<Req, Future = F>,
    {
        if self.readying.is_none() {
            return false;
        }
        let permit = match service.poll_ready(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => policy.budget.acquire(),
            // What cannot become ready sends no more; who is under way goes on.
            Poll::Ready(Err(_)) => {
                self.stop();
                return false;
            }
        };
        let (Some(permit), Some(request)) = (permit, self.readying.take()) else {
            event::over_budget(&policy.site);
            self.stop();
            return false;
        };
        self.attempt = self.attempt.next();
        event::sent(&policy.site, self.attempt);
        let scope = Scope::current().with_attempt(self.attempt.number());
        let span = event::span(&policy.site, self.attempt);
        let future = span.in_scope(|| scope.sync(|| service.call(request)));
        let future = Box::pin(future.instrument(span));
        self.lanes.push(Lane {
            future,
            attempt: self.attempt,
            sent: Instant::now(),
            spent: permit.tried(),
        });
        true
    }

    /// What follows one that failed.
    pub(super) fn follow<R, E>(
        &mut self,
        next: Next,
        mut sleep: Pin<&mut Option<Sleep>>,
        replay: &R,
        saved: &mut R::Saved,
        error: Option<&mut E>,
    ) where
        R: Replay<Req, E>,
    {
        match next {
            Next::After(wait) => sleep.set(Some(tokio::time::sleep(wait))),
            Next::Now if self.has_more() => {
                sleep.set(None);
                self.prepare(replay, saved, error);
            }
            Next::Now | Next::InTurn => {}
            Next::Never => self.stop(),
        }
    }

    fn stop(&mut self) {
        self.readying = None;
        self.over = true;
    }

    /// What came of one of them, the earliest sent first.
    pub(super) fn poll_lanes(&mut self, cx: &mut Context<'_>) -> Option<Came<F::Output>>
    where
        F: Future,
    {
        let done = |(at, lane): (usize, &mut Lane<F>)| match lane.future.as_mut().poll(cx) {
            Poll::Ready(outcome) => Some((at, outcome)),
            Poll::Pending => None,
        };
        let (at, outcome) = self.lanes.iter_mut().enumerate().find_map(done)?;
        let lane = self.lanes.remove(at);
        Some(Came {
            outcome,
            attempt: lane.attempt,
            after: lane.sent.elapsed(),
            spent: lane.spent,
        })
    }

    /// For how long those that are dropped were under way.
    pub(super) fn censored(&self) -> impl Iterator<Item = Duration> {
        self.lanes.iter().map(|lane| lane.sent.elapsed())
    }
}

/// When the next is sent after one that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    After(Duration),
    /// When the delay has passed: nothing was learned of the peer.
    InTurn,
    /// It is forbidden or in vain, or the peer asks for more time than there is.
    Never,
}

impl Next {
    /// After one that failed with `verdict`; `alone`, if no other is under way.
    pub(super) fn after(verdict: Verdict, alone: bool) -> Self {
        let hint = match verdict {
            Verdict::Retry(_) if verdict.withheld() && !alone => return Self::InTurn,
            Verdict::RetryAfter(_, hint) => hint,
            Verdict::Success | Verdict::Retry(_) => return Self::Now,
            Verdict::Terminal | Verdict::Failed(_) | Verdict::Forbid => return Self::Never,
        };
        let wait = hint.min(LONGEST_HINT);
        match left() {
            Some(left) if wait >= left => Self::Never,
            _ => Self::After(wait),
        }
    }
}

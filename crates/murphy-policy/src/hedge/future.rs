//! The future of a [`Hedge`](super::Hedge): the first request in place, the others in a box.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::{pin_project, pinned_drop};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use super::layer::Policy;
use super::race::{Next, Race};
use super::{Delay, event};
use crate::retry::{Attempt, Classify, Replay, Verdict, judge};
use crate::{Begun, timer};

/// A call and, once it is slow, those that race it.
///
/// # Panics
///
/// When it pends outside a tokio runtime with time enabled, and when polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops all requests; one that was not sent costs the budget nothing.
#[pin_project(PinnedDrop)]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    // None: it failed, and others are under way.
    #[pin]
    first: Option<S::Future>,
    // Until the next request. Made at the first poll that pends.
    #[pin]
    sleep: Option<Sleep>,
    // None: there can be no hedges.
    spare: Option<Spare<S, R::Saved>>,
    race: Option<Box<Race<S::Future, Req>>>,
    // What the call ends with, if none succeeds.
    failed: Option<Failure<Result<S::Response, S::Error>>>,
    seen: C::Seen,
    // When the first was sent, where somebody wants to know.
    sent: Option<Instant>,
    // Held until the call is over.
    begun: Begun,
    policy: Arc<Policy<D, G, C, R>>,
}

/// What hedges need.
pub(super) struct Spare<S, T> {
    pub(super) service: S,
    pub(super) saved: T,
    /// How long each request has before the next is sent.
    pub(super) delay: Duration,
}

/// What the first failed with; or, where that never left, the first that did.
struct Failure<O> {
    outcome: O,
    left: bool,
}

impl<S, Req, D, G, C, R> ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    #[inline]
    pub(super) fn new(
        first: S::Future,
        spare: Option<Spare<S, R::Saved>>,
        seen: C::Seen,
        begun: Begun,
        policy: Arc<Policy<D, G, C, R>>,
    ) -> Self {
        let sent = policy.clock().learns().then(Instant::now);
        Self {
            first: Some(first),
            sleep: None,
            spare,
            race: None,
            failed: None,
            seen,
            sent,
            begun,
            policy,
        }
    }
}

impl<S, Req, D, G, C, R> Future for ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    S::Error: 'static,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(first) = self.as_mut().project().first.as_pin_mut() {
            if let Poll::Ready(outcome) = first.poll(cx) {
                if let Some(outcome) = self.as_mut().first_came(outcome) {
                    return Poll::Ready(outcome);
                }
            }
        }
        if self.spare.is_none() {
            return Poll::Pending;
        }
        self.poll_race(cx)
    }
}

impl<S, Req, D, G, C, R> ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    S::Error: 'static,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    /// What the first came to: the end of the call, unless others may do better.
    #[inline]
    fn first_came(
        mut self: Pin<&mut Self>,
        outcome: Result<S::Response, S::Error>,
    ) -> Option<Result<S::Response, S::Error>> {
        let this = self.as_mut().project();
        let attempt = Attempt::new(1, this.policy.attempts);
        let classify = &this.policy.classify;
        match judge(classify, this.seen, &attempt, outcome.as_ref()) {
            Verdict::Success => {
                this.begun.succeeded();
                let delay = this.policy.clock();
                if delay.learns() {
                    if let Some(sent) = this.sent.take() {
                        delay.answered(sent.elapsed());
                    }
                }
                Some(outcome)
            }
            verdict if verdict.is_fatal() => {
                *this.sent = None;
                Some(outcome)
            }
            verdict => self.first_failed(verdict, outcome),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_failed(
        self: Pin<&mut Self>,
        verdict: Verdict,
        mut outcome: Result<S::Response, S::Error>,
    ) -> Option<Result<S::Response, S::Error>> {
        let mut this = self.project();
        let left = !verdict.never_left();
        if left {
            this.policy.failed();
        }
        let Some(spare) = this.spare.as_mut() else {
            return Some(outcome);
        };
        // It goes, and what it holds. How long it took to fail says nothing of how long work takes.
        this.first.set(None);
        *this.sent = None;
        let first = Attempt::new(1, this.policy.attempts);
        let race = this.race.get_or_insert_with(|| Box::new(Race::new(first)));
        let next = Next::after(verdict, race.is_idle());
        let error = outcome.as_mut().err();
        race.follow(
            next,
            this.sleep,
            &this.policy.replay,
            &mut spare.saved,
            error,
        );
        if left || this.failed.as_ref().is_none_or(|kept| !kept.left) {
            *this.failed = Some(Failure { outcome, left });
        }
        None
    }

    /// ## Alone => Racing => done. Hedges that are under way, the one that is about to be, and the
    /// time until then.
    #[inline(never)]
    fn poll_race(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        let mut this = self.project();
        let policy = &**this.policy;
        let Some(spare) = this.spare.as_mut() else {
            return Poll::Pending;
        };
        let Spare {
            service,
            saved,
            delay,
        } = spare;
        loop {
            if let Some(race) = this.race.as_deref_mut() {
                while let Some(came) = race.poll_lanes(cx) {
                    let mut outcome = came.outcome;
                    let verdict =
                        judge(&policy.classify, this.seen, &came.attempt, outcome.as_ref());
                    if verdict == Verdict::Success {
                        policy.won(came.spent);
                        policy.clock().answered(came.after);
                        event::won(&policy.site, came.attempt);
                        return Poll::Ready(outcome);
                    }
                    if verdict.is_fatal() {
                        return Poll::Ready(outcome);
                    }
                    let left = !verdict.never_left();
                    match left {
                        true => policy.failed(),
                        false => came.spent.not_sent(),
                    }
                    let next = Next::after(verdict, this.first.is_none() && race.is_idle());
                    let error = outcome.as_mut().err();
                    race.follow(next, this.sleep.as_mut(), &policy.replay, saved, error);
                    if this.failed.as_ref().is_none_or(|kept| left && !kept.left) {
                        *this.failed = Some(Failure { outcome, left });
                    }
                }
                if let Some(sleep) = this
                    .sleep
                    .as_mut()
                    .as_pin_mut()
                    .filter(|_| race.is_readying())
                {
                    // The delay is over where one is about to be sent: a peer asked for this wait.
                    ready!(timer::poll(sleep, cx));
                    this.sleep.set(None);
                }
                if race.poll_send(service, policy, cx) {
                    continue;
                }
                if this.first.is_none() && race.is_idle() && !race.has_more() {
                    // All failed.
                    let failure = this.failed.take();
                    return failure.map_or(Poll::Pending, |kept| Poll::Ready(kept.outcome));
                }
                if !race.has_more() {
                    return Poll::Pending;
                }
            }
            if this.sleep.is_none() {
                this.sleep.set(Some(tokio::time::sleep(*delay)));
            }
            if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
                ready!(timer::poll(sleep, cx));
            }
            this.sleep.set(None);
            let first = Attempt::new(1, policy.attempts);
            let race = this.race.get_or_insert_with(|| Box::new(Race::new(first)));
            race.prepare(&policy.replay, saved, None);
        }
    }
}

#[pinned_drop]
impl<S, Req, D, G, C, R> PinnedDrop for ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    /// Whoever lost, or was left, would have taken longer still.
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        let delay = this.policy.clock();
        if !delay.learns() {
            return;
        }
        if let Some(sent) = this.sent.take() {
            delay.censored(sent.elapsed());
        }
        if let Some(race) = this.race.as_deref() {
            race.censored().for_each(|after| delay.censored(after));
        }
    }
}

impl<S, Req, D, G, C, R> fmt::Debug for ResponseFuture<S, Req, D, G, C, R>
where
    S: Service<Req>,
    D: Delay<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("hedge::ResponseFuture")
            .field("racing", &self.race.is_some())
            .finish_non_exhaustive()
    }
}

//! [`RetryPolicy`]: our decisions, carried out by tower's retry.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tokio::time::Sleep;

use crate::retry::{Classify, Decision, Pace, Policy, RetryLayer, Session, Stop, event, judge};
use crate::{Begun, Budget, timer};

/// A `tower::retry::Policy` that decides as the [`RetryLayer`] it was made of
/// ([`into_tower`](RetryLayer::into_tower)). Requests are cloned.
///
/// A clone begins a call of its own, as tower's retry clones it for each.
pub struct RetryPolicy<C, P, K = ()> {
    policy: Arc<Policy<C, (), P>>,
    session: Session,
    seen: Option<K>,
    /// Held until the call is over.
    begun: Option<Begun>,
}

impl<C, R, P, M> RetryLayer<C, R, P, M> {
    /// The same decisions for tower's own retry: see [`adapt`](crate::adapt). The replay plays no
    /// part.
    #[must_use]
    pub fn into_tower<K>(self) -> RetryPolicy<C, P, K> {
        RetryPolicy::new(Arc::new(self.without_replay()))
    }
}

impl<C, P, K> RetryPolicy<C, P, K> {
    fn new(policy: Arc<Policy<C, (), P>>) -> Self {
        Self {
            session: Session::new(policy.first()),
            policy,
            seen: None,
            begun: None,
        }
    }
}

impl<C, P, Req, Res, E> tower::retry::Policy<Req, Res, E> for RetryPolicy<C, P, C::Seen>
where
    C: Classify<Req, Res, E>,
    P: Pace,
    Req: Clone,
    E: 'static,
{
    type Future = Wait;

    // Asked after each attempt, the first included; and tower clones us only after it has asked for
    // a copy of the request: so a call begins here.
    fn retry(&mut self, request: &mut Req, result: &mut Result<Res, E>) -> Option<Wait> {
        let policy = &*self.policy;
        let begun = self.begun.get_or_insert_with(|| {
            let own = policy.classify.budget(request);
            own.map_or_else(|| policy.budget.begin(), Budget::begin_own)
        });
        let budget = begun.budget().unwrap_or(&policy.budget);
        let classify = &policy.classify;
        let seen = self.seen.get_or_insert_with(|| classify.see(request));
        let outcome = match result {
            Ok(reply) => Ok(&*reply),
            Err(error) => Err(&*error),
        };
        let verdict = judge(&policy.classify, seen, &self.session.attempt, outcome);
        self.session.settle(budget, verdict);
        let mut another = || {
            let decision = self.session.decide(policy, budget, verdict, true)?;
            let permit = match decision.costs {
                false => None,
                true => Some(budget.acquire_after(decision.kind).ok_or(Stop::Budget)?),
            };
            Ok((decision, permit))
        };
        let (decision, permit) = match another() {
            Ok(another) => another,
            Err(stop) => {
                event::stops(&policy.site, self.session.attempt, stop);
                return None;
            }
        };
        let Decision {
            next, wait, kind, ..
        } = decision;
        self.session.sent(permit);
        self.session.attempt = next;
        event::waits(&policy.site, next, kind, wait);
        let sleep = (!wait.is_zero()).then(|| tokio::time::sleep(wait));
        Some(Wait { sleep })
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

impl<C, P, K> Clone for RetryPolicy<C, P, K> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.policy))
    }
}

impl<C, P, K> fmt::Debug for RetryPolicy<C, P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("site", &self.policy.site)
            .field("attempt", &self.session.attempt)
            .finish_non_exhaustive()
    }
}

/// The time until the next attempt.
///
/// # Cancel safety
///
/// Dropping it drops the timer.
#[pin_project]
#[derive(Debug)]
pub struct Wait {
    #[pin]
    sleep: Option<Sleep>,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = self.project().sleep.as_pin_mut() {
            ready!(timer::poll(sleep, cx));
        }
        Poll::Ready(())
    }
}

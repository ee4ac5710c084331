//! [`Bounded`]: somebody else's decisions, within our bounds.

use std::fmt;

use tower::retry::Policy;

use crate::retry::{Attempt, left};
use crate::{BadKnob, Begun, Budget, Kind, Spent};

/// A `tower::retry::Policy` that is asked first, and bounded then: no more than so many attempts, none
/// that the budget does not pay, none that is decided on after the caller's deadline. How long it then
/// waits is that policy's affair: put a [`Deadline`](crate::Deadline) above.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Budget, adapt::Bounded};
///
/// # #[derive(Clone)] struct Always;
/// let bounded = Bounded::new(Always).attempts(4)?.budget(Budget::try_new(0.1, 5)?);
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct Bounded<P> {
    policy: P,
    attempt: Attempt,
    budget: Budget,
    spent: Option<Spent>,
    /// Held until the call is over.
    begun: Option<Begun>,
}

impl<P> Bounded<P> {
    /// Three attempts, [`Budget::default`].
    #[must_use]
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            attempt: Attempt::new(1, 3),
            budget: Budget::default(),
            spent: None,
            begun: None,
        }
    }

    /// How many attempts there are, the first included.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where there would be none.
    pub fn attempts(mut self, attempts: u32) -> Result<Self, BadKnob> {
        if attempts == 0 {
            return Err(BadKnob::new(
                "attempts",
                attempts,
                "use 1 or more; 1 never retries",
            ));
        }
        self.attempt = Attempt::new(1, attempts);
        Ok(self)
    }

    /// Pays from this budget, which others may share.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

impl<P, Req, Res, E> Policy<Req, Res, E> for Bounded<P>
where
    P: Policy<Req, Res, E>,
{
    type Future = P::Future;

    fn retry(&mut self, request: &mut Req, result: &mut Result<Res, E>) -> Option<P::Future> {
        self.begun.get_or_insert_with(|| self.budget.begin());
        let spent = self.spent.take();
        let Some(wait) = self.policy.retry(request, result) else {
            match (spent, result.is_ok()) {
                (Some(spent), true) => spent.succeeded(),
                (None, true) => self.budget.succeeded(),
                (_, false) => {}
            }
            return None;
        };
        self.budget.failed();
        let in_time = left().is_none_or(|left| !left.is_zero());
        if self.attempt.is_last() || !in_time {
            return None;
        }
        self.spent = Some(self.budget.acquire_after(Kind::Transient)?.sent());
        self.attempt = self.attempt.next();
        Some(wait)
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        self.policy.clone_request(request)
    }
}

/// A clone begins a call of its own.
impl<P: Clone> Clone for Bounded<P> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            attempt: Attempt::new(1, self.attempt.max()),
            budget: self.budget.clone(),
            spent: None,
            begun: None,
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Bounded<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded")
            .field("policy", &self.policy)
            .field("attempt", &self.attempt)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

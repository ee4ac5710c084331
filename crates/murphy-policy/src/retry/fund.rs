//! [`Funded`]: whose budget pays.

use super::{Attempt, Classify, Verdict};
use crate::Budget;

/// A [`Classify`] that says whose budget pays: see [`budget_by`](crate::RetryLayer::budget_by).
#[derive(Clone, Copy, Debug)]
pub struct Funded<C, F> {
    pub(super) classify: C,
    pub(super) whose: F,
}

impl<C, F, Req, Res, E> Classify<Req, Res, E> for Funded<C, F>
where
    C: Classify<Req, Res, E>,
    F: Fn(&Req) -> Budget,
{
    type Seen = C::Seen;

    fn see(&self, request: &Req) -> C::Seen {
        self.classify.see(request)
    }

    fn budget(&self, request: &Req) -> Option<Budget> {
        Some((self.whose)(request))
    }

    fn classify(&self, seen: &C::Seen, attempt: &Attempt, outcome: Result<&Res, &E>) -> Verdict {
        self.classify.classify(seen, attempt, outcome)
    }
}

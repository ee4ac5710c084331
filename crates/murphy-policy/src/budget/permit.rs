//! [`Permit`] and what becomes of it.

use super::Budget;

/// The right to one extra attempt. Returned to its budget when it is dropped before
/// [`sent`](Self::sent).
#[derive(Debug)]
#[must_use = "dropping the permit returns it"]
pub struct Permit<'a> {
    /// `None`: there is nothing to return.
    pub(super) budget: Option<&'a Budget>,
    /// What it took, in the units of its budget; of a window, when.
    pub(super) cost: u32,
}

/// An extra attempt that is under way, or was. Dropped, it came to no success.
#[derive(Debug)]
pub struct Spent(Option<(Budget, u32)>);

/// A call that has begun, for budgets that want to know more of it: until it is dropped.
#[derive(Debug)]
pub struct Begun(Followed);

#[derive(Debug)]
enum Followed {
    ByNobody,
    By(Budget),
    Counted(Counted),
}

/// A call that is counted as under way.
#[derive(Debug)]
struct Counted(Budget);

impl Permit<'_> {
    /// The attempt leaves: the permit is used up.
    #[inline]
    pub fn sent(mut self) -> Spent {
        let cost = self.cost;
        let budget = self.budget.take();
        let follows = budget.filter(|budget| budget.follows_attempts());
        Spent(follows.map(|budget| (budget.clone(), cost)))
    }
}

impl<'a> Permit<'a> {
    /// As [`sent`](Self::sent), of an attempt of which it may turn out that it never left.
    pub(crate) fn tried(mut self) -> Spent {
        let (budget, cost) = (self.budget.take(), self.cost);
        Spent(budget.map(|budget: &'a Budget| (budget.clone(), cost)))
    }
}

impl Spent {
    /// It turned out that the attempt never left: the permit is returned.
    pub(crate) fn not_sent(mut self) {
        if let Some((budget, cost)) = self.0.take() {
            budget.give_back(cost);
        }
    }

    /// As [`succeeded`](Self::succeeded), where a retry beneath has told the budget of the success:
    /// what this attempt itself took is given back, if that is the budget's way.
    pub(crate) fn succeeded_beneath(self) {
        if let Some((budget, cost)) = &self.0 {
            budget.refund(*cost);
        }
    }

    /// The attempt was a success, which some budgets reward.
    pub fn succeeded(self) {
        if let Some((budget, cost)) = &self.0 {
            budget.reward(*cost);
        }
    }
}

impl Begun {
    pub(crate) const NOBODY: Self = Self(Followed::ByNobody);

    pub(super) const fn followed(by: Budget) -> Self {
        Self(Followed::By(by))
    }

    /// Until it is dropped it is under way.
    pub(super) const fn counted(by: Budget) -> Self {
        Self(Followed::Counted(Counted(by)))
    }

    /// The call succeeded at its first attempt.
    #[inline]
    pub fn succeeded(&self) {
        if let Some(budget) = self.budget() {
            succeed(budget);
        }
    }

    /// The budget that wants to know more of it.
    #[inline]
    pub(crate) const fn budget(&self) -> Option<&Budget> {
        match &self.0 {
            Followed::ByNobody => None,
            Followed::By(budget) | Followed::Counted(Counted(budget)) => Some(budget),
        }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.give_back(self.cost);
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        if let Some((budget, _)) = self.0.take() {
            budget.attempt_ended();
        }
    }
}

impl Drop for Counted {
    // Out of line: most budgets want to know no more, and their calls pay one look.
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        self.0.call_ended();
    }
}

#[cold]
#[inline(never)]
fn succeed(budget: &Budget) {
    budget.succeeded();
}

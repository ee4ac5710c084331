//! [`Permit`] and what becomes of it.

use super::Budget;

/// The right to one extra attempt. Returned to its budget when it is dropped before
/// [`sent`](Self::sent).
#[derive(Debug)]
#[must_use = "dropping the permit returns it"]
pub struct Permit(pub(super) Option<Held>);

/// An extra attempt that is under way, or was. Dropped, it came to no success.
#[derive(Debug)]
pub struct Spent(Option<Held>);

/// A call that is under way, for budgets that count those: until it is dropped.
#[derive(Debug)]
pub struct Begun(pub(super) Option<Budget>);

/// What one extra attempt took, in the units of its budget.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) budget: Budget,
    pub(super) cost: u32,
}

impl Permit {
    /// The attempt leaves: the permit is used up.
    pub fn sent(mut self) -> Spent {
        Spent(self.0.take().filter(|held| held.budget.follows_attempts()))
    }
}

impl Spent {
    /// The attempt was a success, which some budgets reward.
    pub fn succeeded(self) {
        if let Some(Held { budget, cost }) = &self.0 {
            budget.reward(*cost);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(Held { budget, cost }) = self.0.take() {
            budget.give_back(cost);
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        if let Some(Held { budget, .. }) = self.0.take() {
            budget.attempt_ended();
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.call_ended();
        }
    }
}

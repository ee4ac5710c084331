//! What the budgets of a stack let through at worst.

use super::Part;
use crate::Budget;

/// A budget, and the layers that it is the budget of.
struct Purse<'a> {
    budget: &'a Budget,
    /// How many layers take out of it.
    takers: u32,
    /// How many pay in for each call.
    payers: u32,
}

/// What so many calls become, at most: so many times as many requests, and so many more. `None` if
/// no budget bounds that.
pub(super) fn worst(parts: &[Part]) -> Option<(f64, f64)> {
    let mut bound = (1.0, 0.0);
    for purse in purses(parts)? {
        let (times, more) = purse.worst()?;
        bound = (bound.0 * times, bound.1 * times + more);
    }
    Some(bound)
}

/// Outermost first. `None` if requests have budgets of their own.
fn purses(parts: &[Part]) -> Option<Vec<Purse<'_>>> {
    let mut purses: Vec<Purse<'_>> = Vec::new();
    for part in parts {
        let (budget, pays_in) = match part {
            Part::Hedge {
                budget, pays_in, ..
            } => (budget, *pays_in),
            Part::Retry { budget, .. } => (budget.as_ref()?, true),
            _ => continue,
        };
        let known = purses.iter().position(|purse| purse.budget.is_same(budget));
        let at = known.unwrap_or_else(|| {
            purses.push(Purse {
                budget,
                takers: 0,
                payers: 0,
            });
            purses.len() - 1
        });
        purses[at].takers += 1;
        purses[at].payers += u32::from(pays_in);
    }
    Some(purses)
}

impl Purse<'_> {
    fn worst(&self) -> Option<(f64, f64)> {
        if self.takers > 1 && !self.budget.charges_each() {
            return None;
        }
        // Somebody pays in, if it is worth anything.
        let ratio = self.budget.ratio()? * f64::from(self.payers.max(1));
        Some((1.0 + ratio, f64::from(self.budget.reserve())))
    }
}

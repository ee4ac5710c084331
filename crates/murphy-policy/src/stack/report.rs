//! [`Report`]: what a call through a stack can take, and cost.

use std::fmt;
use std::time::Duration;

use super::{Part, lint};
use crate::Budget;

/// What a call can take and cost at worst. Printed as a few lines for people.
#[derive(Clone, Debug)]
pub struct Report {
    parts: Vec<Part>,
}

impl Report {
    pub(super) const fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// The layers, outermost first.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How long all attempts and the waits between them can take, hints of the peer left out: what
    /// was compared with the deadline. Hedges are left out as well: one that is sent because those
    /// before it failed can take as long again. `None` if some layer does not say.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        lint::longest(&self.parts)
    }

    /// How many requests one call makes at most: the product of all attempts.
    #[must_use]
    pub fn most_requests(&self) -> u64 {
        let attempts = |part: &Part| match part {
            Part::Hedge { attempts, .. } | Part::Retry { attempts, .. } => u64::from(*attempts),
            _ => 1,
        };
        let product = |product: u64, part| product.saturating_mul(attempts(part));
        self.parts.iter().fold(1, product)
    }

    /// How many requests a call makes in the long run, if everything fails: what the budgets let
    /// through. `None` if nothing bounds it but [`most_requests`](Self::most_requests), or the budget
    /// counts something else than calls.
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        let mut purses: Vec<&Budget> = Vec::new();
        for part in &self.parts {
            let budget = match part {
                Part::Hedge { budget, .. } => budget,
                Part::Retry { budget, .. } => budget.as_ref()?,
                _ => continue,
            };
            if !purses.iter().any(|purse| purse.is_same(budget)) {
                purses.push(budget);
            }
        }
        let bounded =
            |product: Option<f64>, purse: &&Budget| Some(product? * (1.0 + purse.ratio()?));
        let amplification = purses.iter().fold(Some(1.0), bounded)?;
        Some(amplification.min(self.most_requests() as f64))
    }

    /// As [`amplification`](Self::amplification), through `layers` services that each call the next
    /// through a stack like this one.
    #[must_use]
    pub fn amplification_through(&self, layers: u32) -> f64 {
        let one = self.amplification().unwrap_or(self.most_requests() as f64);
        one.powi(layers.min(1 << 20) as i32)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parts.iter().map(Part::name).collect();
        writeln!(f, "{}", names.join(" > "))?;
        let deadline = lint::deadline(&self.parts);
        match (self.longest(), deadline) {
            (Some(longest), Some(deadline)) => {
                writeln!(f, "attempts and waits: up to {longest:?} of {deadline:?}")?;
            }
            (Some(longest), None) => {
                writeln!(f, "attempts and waits: up to {longest:?}; no deadline")?;
            }
            (None, _) => writeln!(f, "attempts and waits: not known beforehand")?,
        }
        write!(f, "requests a call: at most {}", self.most_requests())?;
        match self.amplification() {
            Some(a) => write!(
                f,
                ", in the long run {a:.2}; through 3 such layers {:.2}",
                self.amplification_through(3)
            ),
            None => write!(
                f,
                "; through 3 such layers {:.0}",
                self.amplification_through(3)
            ),
        }
    }
}

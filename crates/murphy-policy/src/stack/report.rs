//! [`Report`]: what a call through a stack can take, and cost.

use std::fmt;
use std::time::Duration;

use super::{Part, lint, purse};

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

    /// How long all attempts and the waits between them can take: what was compared with the deadline.
    /// Left out are hints of the peer, the time until a service is ready, and hedges: one that is sent
    /// because those before it failed can take as long again. `None` if some layer does not say, or if
    /// calls wait in a queue; what is printed says which.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        lint::longest(&self.parts).ok()
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

    /// How many requests a call makes in the long run at most, whatever comes of them: what the budgets
    /// let through, of all calls that share them. [`reserve`](Self::reserve) comes on top, once. `None`
    /// if nothing bounds it but [`most_requests`](Self::most_requests): see
    /// [`Budget::ratio`](crate::Budget::ratio).
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        let (times, _) = purse::worst(&self.parts)?;
        Some(times.min(self.most_requests() as f64))
    }

    /// How many requests there can be beyond [`amplification`](Self::amplification), once: what the
    /// budgets hold to begin with. 0 where that is `None`.
    #[must_use]
    pub fn reserve(&self) -> u64 {
        match purse::worst(&self.parts) {
            Some((times, more)) if times < self.most_requests() as f64 => more.ceil() as u64,
            _ => 0,
        }
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
        match (lint::longest(&self.parts), deadline) {
            (Ok(longest), Some(deadline)) => {
                writeln!(f, "attempts and waits: up to {longest:?} of {deadline:?}")?;
            }
            (Ok(longest), None) => {
                writeln!(f, "attempts and waits: up to {longest:?}; no deadline")?;
            }
            (Err(why), _) => writeln!(f, "attempts and waits: not known beforehand: {why}")?,
        }
        write!(f, "requests a call: at most {}", self.most_requests())?;
        let through = self.amplification_through(3);
        match self.amplification() {
            Some(times) if times < self.most_requests() as f64 => {
                write!(f, ", in the long run {times:.2}")?;
                if self.reserve() > 0 {
                    write!(f, " and {} more once", self.reserve())?;
                }
                write!(f, "; through 3 such layers {through:.2}")
            }
            _ => write!(f, "; through 3 such layers {through:.0}"),
        }
    }
}

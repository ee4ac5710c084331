//! [`Limits`] and [`Halt`]: what a run may cost, and when it ends by itself.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::Probability;

/// What a run may cost at most.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Faulted calls under way at one time, in the whole run. Default 1,048,576.
    pub in_flight: u32,
    /// The largest share of a site's calls that may be faulted, at any moment of the run.
    /// Default 1.
    pub ratio: Probability,
    /// Keys that a site counts; rounded up to a power of two, 8 to 16,777,216. Default 65,536.
    pub keys: usize,
    /// Records that the ledger keeps. Default 65,536.
    pub ledger: usize,
    /// Requests that are spared and not counted: words for the site's predicate
    /// ([`matching`](crate::FaultLayer::matching)).
    pub exclude: Vec<Arc<str>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 1 << 20,
            ratio: Probability::ALWAYS,
            keys: 1 << 16,
            ledger: 1 << 16,
            exclude: Vec::new(),
        }
    }
}

/// When a run ends by itself. What counts is what callers of the sites see, injected or real.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Halt {
    /// At this share of failed calls. A call that its caller gave up on counts as failed.
    pub errors: Option<HaltOn>,
    /// At this share of calls slower than a bound.
    pub latency: Option<(Duration, HaltOn)>,
}

/// A share of calls, looked at once there are enough of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HaltOn {
    /// The share at which the run ends.
    pub share: Probability,
    /// How many calls must have ended before.
    pub after: u64,
}

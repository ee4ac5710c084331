//! What a closed breaker remembers of its calls, and when that is too much.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::time::Instant;

use super::buckets::Buckets;
use super::ring::Ring;
use super::rules::{Rules, Share, Window};

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

impl Outcome {
    pub(super) const fn is_bad(self) -> bool {
        self.failed || self.slow
    }
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// That many calls failed, one after the other.
    Consecutive(u32),
    /// Of `of` calls, `failed` failed.
    Failures {
        /// How many failed.
        failed: u64,
        /// How many calls the window held.
        of: u64,
    },
    /// Of `of` calls, `slow` were slow.
    Slow {
        /// How many were slow.
        slow: u64,
        /// How many calls the window held.
        of: u64,
    },
    /// A trial failed or was slow.
    Trial,
    /// The trials were not back when patience ended.
    Patience,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consecutive(n) => write!(f, "{n} consecutive failures"),
            Self::Failures { failed, of } => write!(f, "{failed} of {of} calls failed"),
            Self::Slow { slow, of } => write!(f, "{slow} of {of} calls were slow"),
            Self::Trial => f.write_str("a trial failed"),
            Self::Patience => f.write_str("the trials did not come back"),
        }
    }
}

/// Counts outcomes, without a lock.
#[derive(Debug)]
pub(super) struct Tally {
    consecutive: Option<u32>,
    // Failures since the last success.
    row: AtomicU32,
    failures: Option<Share>,
    slow: Option<Share>,
    least: u64,
    seen: Seen,
}

#[derive(Debug)]
enum Seen {
    Nothing,
    Calls(Ring),
    // All calls, failures, slow ones.
    Time(Box<Buckets<3>>),
}

impl Tally {
    pub(super) fn new(rules: &Rules) -> Self {
        let shares = rules.failures.is_some() || rules.slow.is_some();
        let (seen, least) = match rules.window {
            _ if !shares => (Seen::Nothing, 0),
            // More than the window holds would never be there.
            Window::Calls(n) => (Seen::Calls(Ring::new(n)), rules.least.min(n)),
            Window::Time(span) => (Seen::Time(Box::new(Buckets::new(span))), rules.least),
        };
        Self {
            consecutive: rules.consecutive,
            row: AtomicU32::new(0),
            failures: rules.failures,
            slow: rules.slow.map(|(_, share)| share),
            least: least.into(),
            seen,
        }
    }

    /// Whether a success would change nothing: no share is judged, and none failed since the last.
    #[inline]
    pub(super) fn ignores_success(&self) -> bool {
        matches!(self.seen, Seen::Nothing) && self.row.load(Relaxed) == 0
    }

    /// Counts an outcome; says whether that was one too many. `now` is asked for only if it
    /// matters.
    pub(super) fn add(&self, outcome: Outcome, now: impl FnOnce() -> Instant) -> Option<Cause> {
        let row = self.row(outcome.failed);
        let sums = match &self.seen {
            Seen::Nothing => return row,
            Seen::Calls(ring) => {
                ring.add(outcome.failed, outcome.slow);
                ring.sums()
            }
            Seen::Time(buckets) => add_timed(buckets, outcome, now()),
        };
        row.or_else(|| self.judge(sums))
    }

    pub(super) fn clear(&self) {
        self.row.store(0, Relaxed);
        match &self.seen {
            Seen::Nothing => {}
            Seen::Calls(ring) => ring.clear(),
            Seen::Time(buckets) => buckets.clear(),
        }
    }

    #[inline]
    fn row(&self, failed: bool) -> Option<Cause> {
        let most = self.consecutive?;
        if !failed {
            if self.row.load(Relaxed) != 0 {
                self.row.store(0, Relaxed);
            }
            return None;
        }
        let row = self.row.fetch_add(1, Relaxed).saturating_add(1);
        (row >= most).then_some(Cause::Consecutive(row))
    }

    #[inline]
    fn judge(&self, [of, failed, slow]: [u64; 3]) -> Option<Cause> {
        if (failed == 0 && slow == 0) || of < self.least {
            return None;
        }
        if self
            .failures
            .is_some_and(|share| failed > 0 && share.reached(failed, of))
        {
            return Some(Cause::Failures { failed, of });
        }
        let too_slow = self
            .slow
            .is_some_and(|share| slow > 0 && share.reached(slow, of));
        too_slow.then_some(Cause::Slow { slow, of })
    }
}

fn add_timed(buckets: &Buckets<3>, outcome: Outcome, now: Instant) -> [u64; 3] {
    buckets.add(0, now);
    if outcome.failed {
        buckets.add(1, now);
    }
    if outcome.slow {
        buckets.add(2, now);
    }
    buckets.sums(now)
}

#[cfg(test)]
mod tests;

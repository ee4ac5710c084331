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

    /// Counts an outcome; says whether that was one too many. `now` is asked for only if it
    /// matters.
    #[inline]
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
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rules(consecutive: Option<u32>, failures: Option<f64>, slow: Option<f64>) -> Rules {
        let share = |share| Share::try_new("share", share).unwrap();
        Rules {
            consecutive,
            failures: failures.map(share),
            slow: slow.map(|of| (Duration::ZERO, share(of))),
            window: Window::Calls(10),
            least: 4,
        }
    }

    /// `.` went well, `x` failed, `s` was slow, `X` both.
    fn feed(tally: &Tally, calls: &str) -> Option<Cause> {
        let now = Instant::now();
        let outcome = |c| Outcome {
            failed: "xX".contains(c),
            slow: "sX".contains(c),
        };
        calls
            .chars()
            .map(|c| tally.add(outcome(c), || now))
            .fold(None, Option::or)
    }

    #[test]
    fn each_rule_opens_at_its_number() {
        let failed = |failed, of| Some(Cause::Failures { failed, of });
        let slow = |slow, of| Some(Cause::Slow { slow, of });
        let half = Some(0.5);
        for (name, rules, calls, want) in [
            (
                "three in a row",
                rules(Some(3), None, None),
                "xx.xxx",
                Some(Cause::Consecutive(3)),
            ),
            (
                "never three in a row",
                rules(Some(3), None, None),
                "xx.xx.xx.",
                None,
            ),
            (
                "slow is no failure",
                rules(Some(3), None, None),
                "ssss",
                None,
            ),
            (
                "half of four",
                rules(None, half, None),
                ".x.x",
                failed(2, 4),
            ),
            ("too few to judge", rules(None, half, None), "xxx", None),
            (
                "a success can be the one that was missing",
                rules(None, half, None),
                "xxx.",
                failed(3, 4),
            ),
            (
                "the oldest are forgotten",
                rules(None, half, None),
                "......xxxx......xxxx",
                None,
            ),
            (
                "half of ten",
                rules(None, half, None),
                ".....xxxxx",
                failed(5, 10),
            ),
            ("slow calls", rules(None, None, half), "s.s.", slow(2, 4)),
            (
                "a slow failure is one of each",
                rules(None, Some(0.9), half),
                "X.X.",
                slow(2, 4),
            ),
            (
                "failures are named first",
                rules(None, half, half),
                "X.X.",
                failed(2, 4),
            ),
            ("no rule", rules(None, None, None), "xxxxxxxxxx", None),
        ] {
            assert_eq!(feed(&Tally::new(&rules), calls), want, "{name}");
        }
    }

    #[test]
    fn what_is_cleared_is_forgotten() {
        for window in [Window::Calls(10), Window::Time(Duration::from_secs(1))] {
            let tally = Tally::new(&Rules {
                window,
                ..rules(Some(3), Some(0.5), None)
            });
            assert_eq!(feed(&tally, "xx"), None);
            tally.clear();
            assert_eq!(feed(&tally, "xx."), None);
        }
    }

    proptest! {
        #[test]
        fn a_share_is_judged_as_a_list_is(
            window in 1_u32..40, least in 0_u32..40, percent in 1_u64..=100,
            calls in prop::collection::vec(any::<bool>(), 0..120),
        ) {
            let rules = Rules {
                failures: Some(Share::try_new("share", percent as f64 / 100.0).unwrap()),
                window: Window::Calls(window),
                least,
                ..rules(None, None, None)
            };
            let (tally, now) = (Tally::new(&rules), Instant::now());
            for n in 0..calls.len() {
                let last = &calls[(n + 1).saturating_sub(window as usize)..=n];
                let failed = last.iter().filter(|failed| **failed).count() as u64;
                let of = last.len() as u64;
                let enough = of >= u64::from(least.min(window));
                let open = enough && failed > 0 && failed * 100 >= percent * of;
                let outcome = Outcome { failed: calls[n], slow: false };
                let cause = tally.add(outcome, || now);
                prop_assert_eq!(cause, open.then_some(Cause::Failures { failed, of }));
            }
        }
    }
}

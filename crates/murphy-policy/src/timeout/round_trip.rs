//! [`RoundTrip`]: smoothed latency plus four deviations.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::adaptive::{Estimate, Range};
use super::limit::sealed;
use crate::BadKnob;

/// A timeout as TCP computes its own: smoothed latency plus four mean deviations.
///
/// SRTT and RTTVAR as in RFC 6298, section 2, with its gains of 1/8 and 1/4 and a granularity of
/// 1 ms. One second, or what is nearest to it in the range, until the first success.
///
/// A call that timed out enters as a latency of what it was given, unless that is less than SRTT,
/// which tells nothing; and the timeout doubles, once for each timeout that was in force. Of Karn's
/// rule its second half holds: the doubled timeout stays until a success. Its first half, no
/// samples of what was sent twice, is for replies that could be to either; a reply here belongs to
/// one attempt, so that repeats count.
///
/// # Examples
///
/// ```
/// use murphy_policy::timeout::{Estimate, RoundTrip};
/// use std::time::Duration;
///
/// let millis = Duration::from_millis;
/// let estimate = RoundTrip::try_new(millis(10), millis(5000))?;
/// estimate.answered(millis(100));
/// assert_eq!(estimate.timeout(), millis(300)); // 100 + 4 · 50
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "rto")]
pub struct RoundTrip(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    range: Range,
    /// In nanoseconds; what calls read.
    timeout: AtomicU64,
    estimator: Mutex<Estimator>,
}

impl RoundTrip {
    /// A timeout of at least `floor` (1 ms or more) and at most `ceiling` (a day or less).
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the bound that cannot be.
    pub fn try_new(floor: Duration, ceiling: Duration) -> Result<Self, BadKnob> {
        let range = Range::try_new(floor, ceiling)?;
        let estimator = Estimator::new(range);
        Ok(Self(Arc::new(Shared {
            range,
            timeout: AtomicU64::new(nanos(estimator.timeout())),
            estimator: Mutex::new(estimator),
        })))
    }

    fn learn(&self, f: impl FnOnce(&mut Estimator)) {
        let estimator = self.0.estimator.lock();
        let mut estimator = estimator.unwrap_or_else(PoisonError::into_inner);
        f(&mut estimator);
        self.0.timeout.store(nanos(estimator.timeout()), Relaxed);
    }
}

impl sealed::Sealed for RoundTrip {}

impl Estimate for RoundTrip {
    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.0.timeout.load(Relaxed))
    }

    fn answered(&self, after: Duration) {
        let after = after.min(self.0.range.ceiling);
        self.learn(|estimator| estimator.answered(after));
    }

    fn elapsed(&self, given: Duration) {
        self.learn(|estimator| estimator.elapsed(given));
    }
}

/// A day at most, where 584 years fit.
fn nanos(timeout: Duration) -> u64 {
    timeout.as_nanos() as u64
}

/// The arithmetic, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Estimator {
    range: Range,
    /// SRTT and RTTVAR, once there is a success.
    smoothed: Option<(f64, f64)>,
    /// What timeouts doubled it to, until the next success.
    doubled: Duration,
}

impl Estimator {
    const INITIAL: Duration = Duration::from_secs(1);
    const GRANULARITY: f64 = 1e6;

    const fn new(range: Range) -> Self {
        Self {
            range,
            smoothed: None,
            doubled: Duration::ZERO,
        }
    }

    fn timeout(&self) -> Duration {
        let estimate = self.smoothed.map_or(Self::INITIAL, |(srtt, rttvar)| {
            Duration::from_nanos((srtt + (4.0 * rttvar).max(Self::GRANULARITY)).round() as u64)
        });
        self.range.clamp(estimate.max(self.doubled))
    }

    fn answered(&mut self, after: Duration) {
        self.doubled = Duration::ZERO;
        self.sample(after);
    }

    fn elapsed(&mut self, given: Duration) {
        let timeout = self.timeout();
        if let Some((srtt, _)) = self.smoothed {
            if given.as_nanos() as f64 > srtt {
                self.sample(given);
            }
        }
        // Of many calls that were given the same, the first to time out doubles it.
        if given >= timeout {
            self.doubled = self.range.clamp(timeout.saturating_mul(2));
        }
    }

    fn sample(&mut self, after: Duration) {
        let r = after.as_nanos() as f64;
        self.smoothed = Some(match self.smoothed {
            None => (r, r / 2.0),
            Some((srtt, rttvar)) => (
                0.875 * srtt + 0.125 * r,
                0.75 * rttvar + 0.25 * (srtt - r).abs(),
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn estimator(floor: u64, ceiling: u64) -> Estimator {
        Estimator::new(Range::try_new(millis(floor), millis(ceiling)).expect("a range"))
    }

    #[test]
    fn it_computes_what_rfc_6298_says() {
        let mut estimator = estimator(1, 60_000);
        assert_eq!(
            estimator.timeout(),
            Duration::from_secs(1),
            "the initial one"
        );
        for (sample, micros) in [
            (100, 300_000.0),
            (100, 250_000.0),
            (200, 325_000.0),
            (50, 326_562.5),
            (1000, 1_278_320.3),
        ] {
            estimator.answered(millis(sample));
            let timeout = estimator.timeout().as_nanos() as f64 / 1e3;
            assert!((timeout - micros).abs() < 0.1, "{sample}: {timeout}");
        }
    }

    #[test]
    fn a_timeout_doubles_it_once_until_the_next_success() {
        let mut estimator = estimator(1, 60_000);
        estimator.answered(millis(100));
        assert_eq!(estimator.timeout(), millis(300));
        for _ in 0..3 {
            estimator.elapsed(millis(300));
        }
        // Three at once were given 300 ms, and 300 ms is what is doubled. As samples they count.
        let doubled = estimator.timeout();
        assert!(
            doubled >= millis(600) && doubled < millis(1200),
            "{doubled:?}"
        );
        estimator.elapsed(doubled);
        assert_eq!(
            estimator.timeout(),
            doubled * 2,
            "again, when that is not enough"
        );
        estimator.answered(millis(100));
        assert!(estimator.timeout() < doubled * 2, "a success ends it");
        assert!(
            estimator.timeout() > millis(300),
            "what timed out is not forgotten"
        );
    }

    #[test]
    fn less_than_is_usual_tells_nothing() {
        let mut estimator = estimator(1, 60_000);
        estimator.answered(millis(100));
        estimator.elapsed(millis(5));
        assert_eq!(estimator.timeout(), millis(300));
    }

    #[test]
    fn doubling_starts_before_the_first_success() {
        let mut estimator = estimator(1, 3000);
        for want in [2000, 3000, 3000] {
            let given = estimator.timeout();
            estimator.elapsed(given);
            assert_eq!(estimator.timeout(), millis(want));
        }
    }

    proptest! {
        #[test]
        fn it_stays_in_its_range(
            outcomes in prop::collection::vec((any::<bool>(), any::<u64>()), 0..100)
        ) {
            let estimate = RoundTrip::try_new(millis(20), millis(700)).expect("a range");
            for (success, nanos) in outcomes {
                let time = Duration::from_nanos(nanos);
                if success { estimate.answered(time) } else { estimate.elapsed(time) }
                prop_assert!((millis(20)..=millis(700)).contains(&estimate.timeout()));
            }
        }
    }

    #[test]
    fn a_range_is_checked() {
        for (floor, ceiling, field) in [
            (0, 5, "floor"),
            (9, 5, "ceiling"),
            (1, 90_000_000, "ceiling"),
        ] {
            let error = RoundTrip::try_new(millis(floor), millis(ceiling)).expect_err("no range");
            assert_eq!(error.field, field);
        }
    }
}

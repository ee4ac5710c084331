//! [`Histogram`]: how many calls took how long, in a fixed number of atomic buckets.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Each octave of microseconds has 2⁴ buckets: a value is known to 1/16.
const BITS: u32 = 4;
const SUB: u64 = 1 << BITS;
/// 2³⁷ µs are a day and a half.
const OCTAVES: u64 = 37 - BITS as u64;
const BUCKETS: usize = ((OCTAVES + 1) * SUB) as usize;

/// 544 counters, 2176 bytes.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU32; BUCKETS]);

impl Histogram {
    pub(super) const fn new() -> Self {
        Self([const { AtomicU32::new(0) }; BUCKETS])
    }

    pub(super) fn record(&self, time: Duration) {
        self.0[bucket(time)].fetch_add(1, Relaxed);
    }

    /// Forgets half of what it knows. What is recorded meanwhile is not lost.
    pub(super) fn halve(&self) {
        for count in &self.0 {
            let half = count.load(Relaxed).div_ceil(2);
            count.fetch_sub(half, Relaxed);
        }
    }

    /// How many calls it remembers, and within how long the fraction `q` of them was over: the
    /// longest time that has the same bucket, so never less than the truth.
    pub(super) fn quantile(&self, q: f64) -> (u64, Duration) {
        let count = |bucket: &AtomicU32| u64::from(bucket.load(Relaxed));
        let total: u64 = self.0.iter().map(count).sum();
        let rank = ((total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|bucket| {
            seen += count(bucket);
            seen >= rank
        });
        (total, longest(at.unwrap_or(BUCKETS - 1)))
    }
}

fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    if micros < SUB {
        return micros as usize;
    }
    let octave = micros.ilog2() - BITS;
    let at = u64::from(octave) * SUB + (micros >> octave);
    (at as usize).min(BUCKETS - 1)
}

/// The end of a bucket.
fn longest(bucket: usize) -> Duration {
    let next = bucket as u64 + 1;
    let octave = (next / SUB).saturating_sub(1);
    Duration::from_micros((next - octave * SUB) << octave)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_known_to_a_sixteenth(micros in 0_u64..1 << 37) {
            let time = Duration::from_micros(micros);
            let known = longest(bucket(time));
            prop_assert!(known > time);
            prop_assert!(known - time <= time / 16 + Duration::from_micros(1));
        }

        #[test]
        fn longer_is_never_in_an_earlier_bucket(a in any::<u64>(), b in any::<u64>()) {
            let at = |micros| bucket(Duration::from_micros(micros));
            prop_assert!(at(a.min(b)) <= at(a.max(b)));
        }
    }

    #[test]
    fn quantiles_of_a_thousand_calls() {
        let histogram = Histogram::new();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        for (q, millis) in [(0.5, 500), (0.9, 900), (0.99, 990), (1.0, 1000)] {
            let (total, time) = histogram.quantile(q);
            let want = Duration::from_millis(millis);
            assert!(time >= want && time < want * 17 / 16, "{q}: {time:?}");
            assert_eq!(total, 1000);
        }
        histogram.halve();
        assert!(histogram.quantile(0.5).0 <= 500);
        for _ in 0..32 {
            histogram.halve();
        }
        assert_eq!(histogram.quantile(0.5).0, 0);
    }
}

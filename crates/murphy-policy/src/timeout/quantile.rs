//! [`Quantile`]: a multiple of what most calls take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::adaptive::{Estimate, Range};
use super::histogram::Histogram;
use super::limit::sealed;
use crate::BadKnob;

/// A timeout of so many times a quantile of the latency.
///
/// The ceiling, until it has seen enough. Latencies are known to 1/16, rounded up. After each 1024
/// calls it forgets half of what it knows, so that between 1024 and 2048 calls count; how old they
/// are is of no account. The timeout is computed anew each 32 calls. A call that timed out enters
/// as a latency of what it was given, unless that is less than the quantile, which tells nothing:
/// where more than the fraction 1 − q time out the timeout grows by the factor, up to the ceiling.
///
/// Takes no lock: a call costs two atomic additions, and one in 32 looks at all 544 buckets.
///
/// # Examples
///
/// ```
/// use murphy_policy::timeout::{Estimate, Quantile};
/// use std::time::Duration;
///
/// let millis = Duration::from_millis;
/// let estimate = Quantile::try_new(0.99, millis(10), millis(5000))?.factor(1.5)?;
/// assert_eq!(estimate.timeout(), millis(5000));
/// (0..100).for_each(|_| estimate.answered(millis(100)));
/// assert!((millis(150)..millis(160)).contains(&estimate.timeout()));
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "percentile")]
pub struct Quantile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    knobs: Knobs,
    seen: Histogram,
    /// How many calls there were.
    calls: AtomicU64,
    /// The quantile in nanoseconds, and the timeout made of it.
    quantile: AtomicU64,
    timeout: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Knobs {
    q: f64,
    factor: f64,
    samples: u32,
    range: Range,
}

impl Quantile {
    /// By what the quantile is multiplied unless [`factor`](Self::factor) says otherwise.
    pub const DEFAULT_FACTOR: f64 = 2.0;
    /// How many calls it needs unless [`min_samples`](Self::min_samples) says otherwise.
    pub const DEFAULT_MIN_SAMPLES: u32 = 100;

    /// After so many calls it forgets half.
    const WINDOW: u64 = 1024;
    /// After so many it computes.
    const REFRESH: u64 = 32;

    /// Twice the time within which the fraction `q` (0.5 to 0.999) of calls is over, but at least
    /// `floor` (1 ms or more) and at most `ceiling` (a day or less).
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names what cannot be: `q = 99: use 0.5 to 0.999; did you mean 0.99 (99%)?`
    pub fn try_new(q: f64, floor: Duration, ceiling: Duration) -> Result<Self, BadKnob> {
        if !(0.5..=0.999).contains(&q) {
            let guess = if (50.0..=99.9).contains(&q) {
                format!("; did you mean {} ({q}%)?", q / 100.0)
            } else {
                String::new()
            };
            return Err(BadKnob::new("q", q, format!("use 0.5 to 0.999{guess}")));
        }
        Ok(Self::build(Knobs {
            q,
            factor: Self::DEFAULT_FACTOR,
            samples: Self::DEFAULT_MIN_SAMPLES,
            range: Range::try_new(floor, ceiling)?,
        }))
    }

    /// A new estimate that multiplies the quantile by `factor`, 1.0 to 100.0.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the factor.
    pub fn factor(self, factor: f64) -> Result<Self, BadKnob> {
        if !(1.0..=100.0).contains(&factor) {
            let remedy = "use 1.0 to 100.0; less would end calls that are as quick as most";
            return Err(BadKnob::new("factor", factor, remedy));
        }
        let knobs = self.0.knobs;
        Ok(Self::build(Knobs { factor, ..knobs }))
    }

    /// A new estimate that says the ceiling until it has seen so many calls, 1 to 1024.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the number.
    pub fn min_samples(self, samples: u32) -> Result<Self, BadKnob> {
        if samples == 0 || u64::from(samples) > Self::WINDOW {
            let remedy = format!("use 1 to {}, which are always remembered", Self::WINDOW);
            return Err(BadKnob::new("min_samples", samples, remedy));
        }
        let knobs = self.0.knobs;
        Ok(Self::build(Knobs { samples, ..knobs }))
    }

    fn build(knobs: Knobs) -> Self {
        Self(Arc::new(Shared {
            knobs,
            seen: Histogram::new(),
            calls: AtomicU64::new(0),
            quantile: AtomicU64::new(0),
            timeout: AtomicU64::new(knobs.range.ceiling.as_nanos() as u64),
        }))
    }
}

impl Shared {
    fn record(&self, time: Duration) {
        self.seen.record(time);
        let calls = self.calls.fetch_add(1, Relaxed) + 1;
        if calls % Quantile::REFRESH == 0 || calls == u64::from(self.knobs.samples) {
            self.refresh(calls);
        }
    }

    #[cold]
    fn refresh(&self, calls: u64) {
        let knobs = &self.knobs;
        let (_, quantile) = self.seen.quantile(knobs.q);
        // Halved counts are enough: the threshold is for the beginning.
        if calls >= u64::from(knobs.samples) {
            let timeout = knobs.range.clamp(quantile.mul_f64(knobs.factor));
            self.quantile.store(quantile.as_nanos() as u64, Relaxed);
            self.timeout.store(timeout.as_nanos() as u64, Relaxed);
        }
        if calls % Quantile::WINDOW == 0 {
            self.seen.halve();
        }
    }
}

impl sealed::Sealed for Quantile {}

impl Estimate for Quantile {
    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.0.timeout.load(Relaxed))
    }

    fn answered(&self, after: Duration) {
        self.0.record(after);
    }

    fn elapsed(&self, given: Duration) {
        if given >= Duration::from_nanos(self.0.quantile.load(Relaxed)) {
            self.0.record(given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn estimate() -> Quantile {
        Quantile::try_new(0.9, millis(10), millis(5000)).expect("a quantile")
    }

    fn about(timeout: Duration, want: u64) {
        assert!(
            timeout >= millis(want) && timeout <= millis(want * 17 / 16 + 1),
            "{timeout:?}"
        );
    }

    #[test]
    fn it_waits_for_enough_and_then_follows() {
        let estimate = estimate();
        for n in 0..100 {
            assert_eq!(estimate.timeout(), millis(5000), "{n}");
            estimate.answered(millis(if n % 20 == 0 { 900 } else { 100 }));
        }
        about(estimate.timeout(), 200);
        (0..4096).for_each(|_| estimate.answered(millis(300)));
        about(estimate.timeout(), 600);
        (0..8192).for_each(|_| estimate.answered(millis(1)));
        assert_eq!(estimate.timeout(), millis(10), "the floor");
    }

    #[test]
    fn where_many_time_out_it_grows_to_its_ceiling() {
        let estimate = estimate();
        (0..1000).for_each(|_| estimate.answered(millis(100)));
        about(estimate.timeout(), 200);
        for _ in 0..100_000 {
            estimate.elapsed(estimate.timeout());
        }
        assert_eq!(estimate.timeout(), millis(5000));
        (0..20_000).for_each(|_| estimate.answered(millis(100)));
        about(estimate.timeout(), 200);
    }

    #[test]
    fn what_a_deadline_cut_short_tells_nothing() {
        let estimate = estimate();
        (0..1000).for_each(|_| estimate.answered(millis(100)));
        (0..9000).for_each(|_| estimate.elapsed(millis(1)));
        about(estimate.timeout(), 200);
    }

    #[test]
    fn knobs_are_checked() {
        let error = Quantile::try_new(99.0, millis(1), millis(2)).expect_err("a percentage");
        assert_eq!(
            error.to_string(),
            "`q = 99`: use 0.5 to 0.999; did you mean 0.99 (99%)?"
        );
        assert!(Quantile::try_new(f64::NAN, millis(1), millis(2)).is_err());
        for factor in [0.9, f64::NAN, f64::INFINITY] {
            assert_eq!(
                estimate().factor(factor).expect_err("a factor").field,
                "factor"
            );
        }
        for samples in [0, 1025] {
            assert!(estimate().min_samples(samples).is_err());
        }
    }
}

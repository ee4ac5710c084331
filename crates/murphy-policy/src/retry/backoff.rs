//! [`Backoff`]: the ready-made paces.
//!
//! With base `b`, cap `c`, multiplier `m`, retry `n` (0 is the first) and a uniform `U` in [0, 1),
//! the exponential wait is `e(n) = min(c, b·mⁿ)` and full jitter is `U·e(n)`. The cap bounds what
//! is waited, jitter included, and jitter goes on at the cap. Full jitter is the default because
//! it makes the fewest calls under contention, needs no state and never synchronises sessions
//! (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::time::Duration;

use super::{Pace, Step};
use crate::BadKnob;

/// A ready-made [`Pace`].
///
/// Total: no retry number, duration or draw makes it panic or exceed its cap.
///
/// # Examples
///
/// ```
/// use murphy_core::Draw;
/// use murphy_policy::{Backoff, Pace, Step};
/// use std::time::Duration;
///
/// let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(20));
/// let mut step = Step::first(Draw::from_bits(0));
/// let waits = [0, 1, 2, 60].map(|n| {
///     step.n = n;
///     backoff.wait(step).as_secs()
/// });
/// assert_eq!(waits, [1, 2, 4, 20]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    multiplier: f64,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jitter {
    None,
    Full,
}

impl Backoff {
    /// The base of [`Default`].
    pub const DEFAULT_BASE: Duration = Duration::from_millis(50);
    /// The cap of [`Default`].
    pub const DEFAULT_CAP: Duration = Duration::from_secs(20);

    /// No wait: the next attempt follows at once. What a naive retry does.
    #[must_use]
    pub const fn none() -> Self {
        Self::exponential(Duration::ZERO, Duration::ZERO)
    }

    /// `base`, twice that, four times that, up to `cap`; every session alike.
    ///
    /// For tests and single callers: many callers in step come back in step.
    #[must_use]
    #[doc(alias = "backoff_factor")]
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            multiplier: 2.0,
            jitter: Jitter::None,
        }
    }

    /// Anything from zero to what [`exponential`](Self::exponential) would wait.
    #[must_use]
    pub const fn full_jitter(base: Duration, cap: Duration) -> Self {
        let mut backoff = Self::exponential(base, cap);
        backoff.jitter = Jitter::Full;
        backoff
    }

    /// Grows by another factor than 2: 1.0 (constant) to 1000.0.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the factor: `backoff.multiplier = NaN: use 1.0 to 1000.0`
    pub fn multiplier(mut self, factor: f64) -> Result<Self, BadKnob> {
        if !(1.0..=1000.0).contains(&factor) {
            let remedy = "use 1.0 to 1000.0; 2.0 doubles, 1.0 is constant";
            return Err(BadKnob::new("backoff.multiplier", factor, remedy));
        }
        self.multiplier = factor;
        Ok(self)
    }

    /// `min(cap, base·multiplierⁿ)`, saturating.
    fn grown(&self, n: u32) -> Duration {
        if n == 0 || self.base.is_zero() {
            return self.base.min(self.cap);
        }
        scale(self.base, power(self.multiplier, n)).min(self.cap)
    }
}

impl Default for Backoff {
    /// Full jitter from 50 ms, doubling, to 20 s: the base and cap of the AWS SDKs.
    fn default() -> Self {
        Self::full_jitter(Self::DEFAULT_BASE, Self::DEFAULT_CAP)
    }
}

impl Pace for Backoff {
    fn wait(&self, step: Step) -> Duration {
        let most = self.grown(step.n);
        match self.jitter {
            Jitter::None => most,
            Jitter::Full => scale(most, step.draw.unit()).min(most),
        }
    }
}

/// `xⁿ` by squaring: products of IEEE doubles only, so that every platform waits the same.
fn power(mut x: f64, mut n: u32) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= x;
        }
        x *= x;
        n >>= 1;
    }
    result
}

/// `duration·factor` to the nanosecond below, saturating; `factor` is not negative, nor NaN.
fn scale(duration: Duration, factor: f64) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    // The cast saturates: an infinite product is `u128::MAX`.
    let nanos = (duration.as_nanos() as f64 * factor) as u128;
    match u64::try_from(nanos / NANOS) {
        Ok(secs) => Duration::new(secs, (nanos % NANOS) as u32),
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use murphy_core::Draw;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn step(n: u32, bits: u64) -> Step {
        Step {
            n,
            ..Step::first(Draw::from_bits(bits))
        }
    }

    #[test]
    fn extremes_saturate() {
        let max = Duration::MAX;
        for (name, base, cap, n, want) in [
            ("doubling is exact", SECOND, max, 20, SECOND * (1 << 20)),
            ("the cap is kept", SECOND, SECOND * 20, 5, SECOND * 20),
            (
                "no retry number is too large",
                SECOND,
                SECOND * 20,
                u32::MAX,
                SECOND * 20,
            ),
            (
                "no base stays none",
                Duration::ZERO,
                max,
                u32::MAX,
                Duration::ZERO,
            ),
            ("a base past the cap is cut", SECOND * 9, SECOND, 0, SECOND),
            ("no cap, no wait", SECOND, Duration::ZERO, 3, Duration::ZERO),
            ("the end of time", max, max, u32::MAX, max),
            ("the end of time, at once", max, max, 0, max),
        ] {
            let backoff = Backoff::exponential(base, cap);
            assert_eq!(backoff.wait(step(n, u64::MAX)), want, "{name}");
        }
    }

    #[test]
    fn a_multiplier_that_cannot_be_is_named() {
        for factor in [f64::NAN, f64::INFINITY, 0.5, -2.0, 1e9] {
            let e = Backoff::default().multiplier(factor).unwrap_err();
            assert_eq!(
                (e.field, e.value),
                ("backoff.multiplier", factor.to_string())
            );
            assert!(e.remedy.contains("1.0 to 1000.0"));
        }
    }

    #[test]
    fn jitter_goes_on_at_the_cap() {
        let backoff = Backoff::full_jitter(SECOND, SECOND * 4);
        assert_eq!(backoff.wait(step(9, 0)), Duration::ZERO);
        assert_eq!(backoff.wait(step(9, 1 << 63)), SECOND * 2);
        assert!(backoff.wait(step(9, u64::MAX)) < SECOND * 4);
    }

    proptest! {
        #[test]
        fn nothing_panics_or_passes_the_cap(
            base in any::<Duration>(),
            cap in any::<Duration>(),
            factor in 1.0..=1000.0_f64,
            n in any::<u32>(),
            bits in any::<u64>(),
        ) {
            let plain = Backoff::exponential(base, cap).multiplier(factor).unwrap();
            let jittered = Backoff::full_jitter(base, cap).multiplier(factor).unwrap();
            let most = plain.wait(step(n, bits));
            prop_assert!(most <= cap);
            prop_assert!(jittered.wait(step(n, bits)) <= most);
            prop_assert!(plain.wait(step(n.saturating_add(1), bits)) >= most);
        }

        #[test]
        fn any_multiplier_is_taken_or_refused(factor in any::<f64>()) {
            prop_assert_eq!(
                Backoff::default().multiplier(factor).is_ok(),
                (1.0..=1000.0).contains(&factor)
            );
        }
    }
}

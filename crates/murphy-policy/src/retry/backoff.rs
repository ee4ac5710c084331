//! [`Backoff`]: the ready-made paces.
//!
//! With base `b`, cap `c`, multiplier `m`, retry `n` (0 is the first) and a uniform `U` in [0, 1),
//! the exponential wait is `e(n) = min(c, b·mⁿ)`, and
//!
//! | | wait | what it is for |
//! |---|---|---|
//! | [`none`](Backoff::none) | 0 | what a naive retry does |
//! | [`constant`](Backoff::constant) | `b` | polling |
//! | [`linear`](Backoff::linear) | `min(c, b·(n+1))` | |
//! | [`exponential`](Backoff::exponential) | `e(n)` | tests, single callers |
//! | [`full_jitter`](Backoff::full_jitter) | `U·e(n)` | the default |
//! | [`equal_jitter`](Backoff::equal_jitter) | `e(n)/2 + U·e(n)/2` | where some wait must be |
//! | [`proportional`](Backoff::proportional) | `min(c, e(n)·(1 - f + 2fU))` | gRPC with `f` = 0.2 |
//! | [`decorrelated`](Backoff::decorrelated) | `s(n) = min(c, b + U·(3·s(n-1) - b))`, `s(-1) = b` | AWS, 2015 |
//! | [`smooth`](Backoff::smooth) | `(g(n + U(n)) - g(n - 1 + U(n-1)))·b/1.4` with `g(t) = 2ᵗ·tanh √(4t)` | Polly v8 |
//!
//! The cap bounds what is waited, jitter included, and jitter goes on at the cap, where the formula
//! has any: `smooth` draws from the upper half of the cap there, `decorrelated` is at the cap two
//! times of three. Full jitter is the default because it makes the fewest calls under contention,
//! needs no state and never synchronises sessions (M. Brooker, "Exponential Backoff And Jitter", AWS
//! Architecture Blog, 2015).

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
    growth: Growth,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Growth {
    Linear,
    /// By this factor.
    Power(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Jitter {
    None,
    Full,
    Equal,
    /// So much of it, up or down.
    Proportional(f64),
    Decorrelated,
    Smooth,
}

impl Backoff {
    /// The base of [`Default`].
    pub const DEFAULT_BASE: Duration = Duration::from_millis(50);
    /// The cap of [`Default`].
    pub const DEFAULT_CAP: Duration = Duration::from_secs(20);

    const fn new(base: Duration, cap: Duration, jitter: Jitter) -> Self {
        Self {
            base,
            cap,
            growth: Growth::Power(2.0),
            jitter,
        }
    }

    /// No wait: the next attempt follows at once. What a naive retry does.
    #[must_use]
    pub const fn none() -> Self {
        Self::constant(Duration::ZERO)
    }

    /// `wait` each time; every session alike.
    #[must_use]
    pub const fn constant(wait: Duration) -> Self {
        let mut backoff = Self::exponential(wait, wait);
        backoff.growth = Growth::Power(1.0);
        backoff
    }

    /// `base`, twice that, three times that, up to `cap`; every session alike.
    #[must_use]
    pub const fn linear(base: Duration, cap: Duration) -> Self {
        let mut backoff = Self::exponential(base, cap);
        backoff.growth = Growth::Linear;
        backoff
    }

    /// `base`, twice that, four times that, up to `cap`; every session alike.
    ///
    /// For tests and single callers: many callers in step come back in step.
    #[must_use]
    #[doc(alias = "backoff_factor")]
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self::new(base, cap, Jitter::None)
    }

    /// Anything from zero to what [`exponential`](Self::exponential) would wait.
    #[must_use]
    pub const fn full_jitter(base: Duration, cap: Duration) -> Self {
        Self::new(base, cap, Jitter::Full)
    }

    /// Anything from half of what [`exponential`](Self::exponential) would wait to all of it.
    #[must_use]
    pub const fn equal_jitter(base: Duration, cap: Duration) -> Self {
        Self::new(base, cap, Jitter::Equal)
    }

    /// Anything from `base` to three times the wait before, up to `cap`.
    #[must_use]
    pub const fn decorrelated(base: Duration, cap: Duration) -> Self {
        Self::new(base, cap, Jitter::Decorrelated)
    }

    /// Decorrelated without peaks: waits spread smoothly around `base·2ⁿ`, which is about the median
    /// of the `n`-th. All waits together stay below `base·2ⁿ⁺¹/1.4`.
    #[must_use]
    #[doc(alias = "decorrelated_jitter_v2")]
    pub const fn smooth(base: Duration, cap: Duration) -> Self {
        Self::new(base, cap, Jitter::Smooth)
    }

    /// What this would wait without jitter, and up to `fraction` of it more or less: 0.0 to 1.0.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the fraction: `backoff.fraction = 20: use 0.0 to 1.0; did you mean 0.2?`
    pub fn proportional(mut self, fraction: f64) -> Result<Self, BadKnob> {
        if !(0.0..=1.0).contains(&fraction) {
            let guess = if fraction > 1.0 && fraction <= 100.0 {
                format!("; did you mean {}?", fraction / 100.0)
            } else {
                String::new()
            };
            let remedy = format!("use 0.0 to 1.0{guess}");
            return Err(BadKnob::new("backoff.fraction", fraction, remedy));
        }
        self.jitter = Jitter::Proportional(fraction);
        Ok(self)
    }

    /// Grows by another factor than 2: 1.0 (constant) to 1000.0. Of `linear` and the two decorrelated
    /// forms, which have none, nothing is changed.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the factor: `backoff.multiplier = NaN: use 1.0 to 1000.0`
    pub fn multiplier(mut self, factor: f64) -> Result<Self, BadKnob> {
        if !(1.0..=1000.0).contains(&factor) {
            let remedy = "use 1.0 to 1000.0; 2.0 doubles, 1.0 is constant";
            return Err(BadKnob::new("backoff.multiplier", factor, remedy));
        }
        if let Growth::Power(own) = &mut self.growth {
            *own = factor;
        }
        Ok(self)
    }

    /// The longest wait that it asks for.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.cap
    }

    /// The longest wait that it can ask for before retry `n` (0 is the first).
    #[must_use]
    pub fn longest_before(&self, n: u32) -> Duration {
        match self.jitter {
            Jitter::None | Jitter::Full | Jitter::Equal => self.grown(n),
            Jitter::Proportional(f) => scale(self.grown(n), 1.0 + f).min(self.cap),
            Jitter::Decorrelated => scale(self.base, power(3.0, n.saturating_add(1))).min(self.cap),
            // Of two neighbouring draws, the one highest and the other lowest.
            Jitter::Smooth => scale(self.base, smooth(f64::from(n) + 1.0) / 1.4).min(self.cap),
        }
    }

    /// `min(cap, base·multiplierⁿ)`, or `min(cap, base·(n+1))`, saturating.
    fn grown(&self, n: u32) -> Duration {
        if n == 0 || self.base.is_zero() {
            return self.base.min(self.cap);
        }
        let grown = match self.growth {
            Growth::Linear => self.base.saturating_mul(n.saturating_add(1)),
            Growth::Power(factor) => scale(self.base, power(factor, n)),
        };
        grown.min(self.cap)
    }

    fn decorrelated_wait(&self, step: Step) -> Duration {
        let most = step.previous.max(self.base).saturating_mul(3);
        let more = scale(most.saturating_sub(self.base), step.draw.unit());
        self.base.saturating_add(more).min(self.cap)
    }

    fn smooth_wait(&self, step: Step) -> Duration {
        let n = f64::from(step.n);
        let before = match step.n {
            0 => 0.0,
            _ => smooth(n - 1.0 + step.earlier.unit()),
        };
        // Past 2¹⁰²³ both ends are infinite, and their difference is no number.
        let units = (smooth(n + step.draw.unit()) - before) / 1.4;
        let wait = if units.is_nan() {
            Duration::MAX
        } else {
            scale(self.base, units.max(0.0))
        };
        if wait < self.cap {
            return wait;
        }
        let half = self.cap / 2;
        half.saturating_add(scale(self.cap - half, step.draw.unit()))
            .min(self.cap)
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
        let most = || self.grown(step.n);
        match self.jitter {
            Jitter::None => most(),
            Jitter::Full => scale(most(), step.draw.unit()),
            Jitter::Equal => {
                let half = most() / 2;
                half.saturating_add(scale(most() - half, step.draw.unit()))
            }
            Jitter::Proportional(f) => {
                scale(most(), 1.0 - f + 2.0 * f * step.draw.unit()).min(self.cap)
            }
            Jitter::Decorrelated => self.decorrelated_wait(step),
            Jitter::Smooth => self.smooth_wait(step),
        }
    }

    fn longest_before(&self, n: u32) -> Option<Duration> {
        Some(Self::longest_before(self, n))
    }
}

/// Polly's curve: smooth, zero at zero, and `2ᵗ` soon after.
fn smooth(t: f64) -> f64 {
    libm::exp2(t) * libm::tanh((4.0 * t).sqrt())
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

    /// Waits in tenths of the base, for draws of nothing, a half and nearly all.
    #[test]
    fn each_form_follows_its_formula() {
        let (base, cap) = (SECOND, SECOND * 10);
        let proportional = Backoff::exponential(base, cap).proportional(0.2).unwrap();
        for (name, backoff, n, want) in [
            ("constant", Backoff::constant(base), 7, [10, 10, 10]),
            ("linear", Backoff::linear(base, cap), 2, [30, 30, 30]),
            (
                "linear, at its cap",
                Backoff::linear(base, cap),
                20,
                [100, 100, 100],
            ),
            ("full", Backoff::full_jitter(base, cap), 2, [0, 20, 40]),
            ("equal", Backoff::equal_jitter(base, cap), 2, [20, 30, 40]),
            (
                "equal, at its cap",
                Backoff::equal_jitter(base, cap),
                9,
                [50, 75, 100],
            ),
            ("a fifth", proportional, 2, [32, 40, 48]),
            ("a fifth, at its cap", proportional, 9, [80, 100, 100]),
            (
                "decorrelated, first",
                Backoff::decorrelated(base, cap),
                0,
                [10, 20, 30],
            ),
            (
                "smooth, at its cap",
                Backoff::smooth(base, cap),
                9,
                [50, 75, 100],
            ),
        ] {
            let waits = [0, 1 << 63, u64::MAX]
                .map(|bits| (backoff.wait(step(n, bits)).as_secs_f64() * 10.0).round() as u32);
            assert_eq!(waits, want, "{name}");
        }
    }

    #[test]
    fn decorrelated_waits_grow_from_the_one_before() {
        let backoff = Backoff::decorrelated(SECOND, SECOND * 20);
        let after = |previous, bits| {
            let step = Step {
                previous,
                ..step(3, bits)
            };
            backoff.wait(step)
        };
        assert_eq!(after(SECOND * 4, 0), SECOND);
        assert_eq!(after(SECOND * 5, 1 << 63), SECOND * 8);
        assert_eq!(after(SECOND * 19, 1 << 63), SECOND * 20);
        assert_eq!(after(Duration::MAX, u64::MAX), SECOND * 20);
    }

    /// Medians and means of 10⁵ sessions: those that Polly's own formula gives.
    #[test]
    fn smooth_waits_are_spread_as_published() {
        let backoff = Backoff::smooth(SECOND, Duration::MAX);
        for (n, median, mean) in [
            (0, 0.90, 0.87),
            (1, 1.14, 1.16),
            (2, 2.02, 2.07),
            (3, 4.02, 4.13),
            (4, 8.01, 8.24),
            (5, 16.0, 16.5),
        ] {
            let mut waits: Vec<f64> = (0..100_000)
                .map(|session| {
                    let draw = Draw::from_bits(session);
                    let step = Step {
                        n,
                        earlier: draw.nth(1),
                        ..Step::first(draw.nth(2))
                    };
                    backoff.wait(step).as_secs_f64()
                })
                .collect();
            waits.sort_by(f64::total_cmp);
            let off = |got: f64, want: f64| (got / want - 1.0).abs();
            assert!(off(waits[50_000], median) < 0.02, "{n}: {}", waits[50_000]);
            let sum: f64 = waits.iter().sum();
            assert!(off(sum / 1e5, mean) < 0.02, "{n}: {}", sum / 1e5);
        }
    }

    #[test]
    fn a_fraction_that_cannot_be_is_named() {
        for fraction in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            let e = Backoff::default().proportional(fraction).unwrap_err();
            assert_eq!(e.field, "backoff.fraction");
        }
        let e = Backoff::default().proportional(20.0).unwrap_err();
        assert!(e.remedy.contains("did you mean 0.2?"), "{}", e.remedy);
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
        fn no_form_panics_or_passes_what_it_says_is_its_longest(
            base in any::<Duration>(),
            cap in any::<Duration>(),
            fraction in 0.0..=1.0_f64,
            n in any::<u32>(),
            (draw, earlier) in any::<(u64, u64)>(),
            previous in any::<Duration>(),
        ) {
            for backoff in [
                Backoff::constant(base),
                Backoff::linear(base, cap),
                Backoff::exponential(base, cap),
                Backoff::full_jitter(base, cap),
                Backoff::equal_jitter(base, cap),
                Backoff::exponential(base, cap).proportional(fraction).unwrap(),
                Backoff::decorrelated(base, cap),
                Backoff::smooth(base, cap),
            ] {
                let step = Step {
                    previous: previous.min(backoff.longest_before(n.saturating_sub(1))),
                    earlier: Draw::from_bits(earlier),
                    ..step(n, draw)
                };
                let wait = backoff.wait(step);
                prop_assert!(wait <= backoff.longest(), "{backoff:?}: {wait:?}");
                prop_assert!(wait <= backoff.longest_before(n), "{backoff:?}: {wait:?}");
            }
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

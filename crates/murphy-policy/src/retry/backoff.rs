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

#[cfg(test)]
mod tests;

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

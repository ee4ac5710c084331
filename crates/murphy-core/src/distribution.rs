//! [`Distribution`]: how long; a quantile function of a draw.

mod mean;
mod normal;
mod quantile;
mod shape;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Draw;

pub use shape::Shape;

/// A distribution of durations.
///
/// It is a *quantile function*: a draw is a number `u` in `[0, 1)`, and [`sample`](Self::sample)
/// is the duration that a fraction `u` of all samples stay below. So the same draw from a
/// slower distribution is a longer delay, never a shorter one: see each constructor for the
/// parameters that it rises with.
///
/// Nothing here panics or overflows: what no [`Duration`] can hold is [`Duration::MAX`].
/// Results are whole nanoseconds, rounded down, and the same bits on every target with IEEE 754
/// doubles (not on 32-bit x86 without SSE2): they are made of `+ - * /` and the `libm` crate alone.
/// The price of that is the last bit of `libm`'s logarithm and power, which may let two draws
/// that are neighbours among 2⁵³ trade places by one unit in the last place.
///
/// # Examples
///
/// ```
/// use murphy_core::{Distribution, Draw};
/// use std::time::Duration;
///
/// let wire = Distribution::log_normal(Duration::from_millis(40), 0.5)?.at_most(Duration::from_secs(2));
/// assert_eq!(wire.to_string(), "log-normal(median 40ms, sigma 0.5), at most 2s");
///
/// let p99 = wire.quantile(0.99);
/// assert!((127..=129).contains(&p99.as_millis()), "{p99:?}");
/// assert_eq!(wire.sample(Draw::from_bits(u64::MAX)), Duration::from_secs(2));
/// # Ok::<(), murphy_core::BadDistribution>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    shape: Shape,
    cap: Option<Duration>,
}

/// Parameters that make no distribution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field}: `{value}` {remedy}")]
pub struct BadDistribution {
    /// The parameter.
    pub field: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub remedy: &'static str,
}

impl Distribution {
    /// Always `d`.
    #[must_use]
    pub const fn fixed(d: Duration) -> Self {
        Self::of(Shape::Fixed(d))
    }

    /// Anything from `min` to `max` (excluded), all alike. Rises with both.
    ///
    /// # Errors
    ///
    /// [`BadDistribution`] if `max < min`.
    pub fn uniform(min: Duration, max: Duration) -> Result<Self, BadDistribution> {
        if max < min {
            return Err(bad("max", max, "is below `min`: swap the two"));
        }
        Ok(Self::of(Shape::Uniform { min, max }))
    }

    /// The bell curve, cut off at zero: what would be negative is zero.
    ///
    /// The cut lifts the mean: by less than a thousandth of `sd` while `sd` is below a third of
    /// `mean`, by 8 % of the mean where both are alike, to 0.4 `sd` where `mean` is zero.
    /// [`mean`](Self::mean) accounts for it. Rises with `mean`, and with `sd` above the median.
    #[must_use]
    pub const fn normal(mean: Duration, sd: Duration) -> Self {
        Self::of(Shape::Normal { mean, sd })
    }

    /// `median` times *e* to a bell curve of width `sigma`: the usual shape of a healthy service.
    ///
    /// `sigma` 0.5 puts the 99th percentile at 3.2 medians, 1 puts it at ten. Rises with
    /// `median`, and with `sigma` above the median.
    ///
    /// # Errors
    ///
    /// [`BadDistribution`] if `sigma` is negative, infinite or no number.
    pub fn log_normal(median: Duration, sigma: f64) -> Result<Self, BadDistribution> {
        if !(sigma.is_finite() && sigma >= 0.0) {
            let remedy = "is no width: use a finite number from 0.0 up, say 0.5";
            return Err(bad("sigma", sigma, remedy));
        }
        // `-0.0` passes the test above: normalised, so that it also prints as 0.
        let sigma = sigma.abs();
        Ok(Self::of(Shape::LogNormal { median, sigma }))
    }

    /// The time to the next of many independent events. Rises with `mean`.
    #[must_use]
    pub const fn exponential(mean: Duration) -> Self {
        Self::of(Shape::Exponential { mean })
    }

    /// A heavy tail: never below `scale`, and `2^shape` times rarer at each doubling.
    ///
    /// `shape` 1.16 is the 80/20 rule; at 1 and below there is no mean. Rises with `scale`, and
    /// *falls* with `shape`.
    ///
    /// # Errors
    ///
    /// [`BadDistribution`] if `shape` is not a finite number above zero.
    pub fn pareto(scale: Duration, shape: f64) -> Result<Self, BadDistribution> {
        if !(shape.is_finite() && shape > 0.0) {
            let remedy = "is no tail index: use a finite number above 0.0, say 1.5";
            return Err(bad("shape", shape, remedy));
        }
        Ok(Self::of(Shape::Pareto { scale, shape }))
    }

    /// What a dashboard knows: `(quantile, duration)` points, joined by straight lines.
    ///
    /// Below the first point it is flat at the first duration, above the last one at the last:
    /// a table that ends at `(0.99, 800ms)` never makes anything longer. Rises with each duration.
    ///
    /// # Errors
    ///
    /// [`BadDistribution`] if the table is empty, a quantile lies outside of 0 to 1, the
    /// quantiles do not rise from row to row, or a duration falls.
    pub fn empirical(
        table: impl IntoIterator<Item = (f64, Duration)>,
    ) -> Result<Self, BadDistribution> {
        let table: Arc<[(f64, Duration)]> = table.into_iter().collect();
        if table.is_empty() {
            return Err(bad("table", "[]", "is empty: give it one row at least"));
        }
        for (quantile, _) in &*table {
            if !(0.0..=1.0).contains(quantile) {
                let remedy = "is no quantile: use 0.0 to 1.0 (`0.99`, not `99`)";
                return Err(bad("table", quantile, remedy));
            }
        }
        for rows in table.windows(2) {
            let [(q0, d0), (q1, d1)] = rows else { continue };
            if q1 <= q0 {
                let remedy = "does not rise: sort the rows by quantile, one row each";
                return Err(bad("table", q1, remedy));
            }
            if d1 < d0 {
                let remedy = "is below the row before it: durations cannot fall as quantiles rise";
                return Err(bad("table", d1, remedy));
            }
        }
        Ok(Self::of(Shape::Empirical(table)))
    }

    /// What was recorded, and nothing between: a draw picks one of the samples.
    ///
    /// The samples are sorted; of `n` of them a draw `u` picks the one at index ⌊u·n⌋. Rises with
    /// each sample.
    ///
    /// # Errors
    ///
    /// [`BadDistribution`] if there is no sample.
    pub fn trace(samples: impl IntoIterator<Item = Duration>) -> Result<Self, BadDistribution> {
        let mut samples: Arc<[Duration]> = samples.into_iter().collect();
        if samples.is_empty() {
            let remedy = "is empty: record one sample at least";
            return Err(bad("samples", "[]", remedy));
        }
        if let Some(samples) = Arc::get_mut(&mut samples) {
            samples.sort_unstable();
        }
        Ok(Self::of(Shape::Trace(samples)))
    }

    /// The same, but never longer than `cap`: what would be longer is `cap`. Of two caps the
    /// lower one holds.
    #[must_use]
    pub fn at_most(mut self, cap: Duration) -> Self {
        self.cap = Some(self.cap.map_or(cap, |old| old.min(cap)));
        self
    }

    /// The duration at a draw.
    #[must_use]
    pub fn sample(&self, draw: Draw) -> Duration {
        self.at(draw.bits() >> 11)
    }

    /// The duration that a fraction `u` of all samples stay below.
    ///
    /// Takes any number: `u` is rounded down to a multiple of 2⁻⁵³, as draws are. Below 0, and no
    /// number at all, counts as 0; 1 and above as 1 − 2⁻⁵³, the largest draw there is.
    #[must_use]
    pub fn quantile(&self, u: f64) -> Duration {
        // The cast saturates, and makes 0 of NaN.
        let steps = (u * quantile::STEPS as f64) as u64;
        self.at(steps.min(quantile::STEPS - 1))
    }

    /// The mean, with the cap and the cut at zero accounted for; `None` where there is none (a
    /// Pareto tail with `shape` ≤ 1 and no cap). In closed form: good to about twelve digits.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        mean::mean(&self.shape, self.cap)
    }

    /// What kind it is, and its parameters.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The upper bound, if it has one.
    #[must_use]
    pub const fn cap(&self) -> Option<Duration> {
        self.cap
    }

    const fn of(shape: Shape) -> Self {
        Self { shape, cap: None }
    }

    /// The duration at `steps` · 2⁻⁵³.
    fn at(&self, steps: u64) -> Duration {
        let duration = quantile::at(&self.shape, steps);
        self.cap.map_or(duration, |cap| duration.min(cap))
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shape.fmt(f)?;
        match self.cap {
            Some(cap) => write!(f, ", at most {cap:?}"),
            None => Ok(()),
        }
    }
}

fn bad(field: &'static str, value: impl fmt::Debug, remedy: &'static str) -> BadDistribution {
    BadDistribution {
        field,
        value: format!("{value:?}").replace('"', ""),
        remedy,
    }
}

#[cfg(test)]
mod tests;

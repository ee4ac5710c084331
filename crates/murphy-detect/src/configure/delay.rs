//! [`Delay`]: how long a beat that is not lost takes.

use std::time::Duration;

use murphy_core::{Distribution, Shape};

use crate::BadKnob;

/// A distribution of delays, by its tail. Every [`Distribution`] is one, and so is a closure.
pub trait Delay {
    /// The chance that a beat takes longer than `t`: from 0 to 1, never rising. What is outside counts as the nearer
    /// end, what is no number as 1.
    fn longer_than(&self, t: Duration) -> f64;
}

impl<F: Fn(Duration) -> f64> Delay for F {
    fn longer_than(&self, t: Duration) -> f64 {
        self(t)
    }
}

impl Delay for Distribution {
    fn longer_than(&self, t: Duration) -> f64 {
        if self.cap().is_some_and(|cap| t >= cap) {
            return 0.0;
        }
        tail(self.shape(), t)
    }
}

fn tail(shape: &Shape, t: Duration) -> f64 {
    let seconds = t.as_secs_f64();
    let bell = |z: f64| 0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2);
    let beyond = |d: &Duration| f64::from(u8::from(*d > t));
    match shape {
        Shape::Fixed(d) => beyond(d),
        Shape::Uniform { min, max } => {
            let (min, max) = (min.as_secs_f64(), max.as_secs_f64());
            if seconds < min {
                1.0
            } else if seconds >= max {
                0.0
            } else {
                (max - seconds) / (max - min)
            }
        }
        Shape::Normal { mean, sd } if sd.is_zero() => beyond(mean),
        Shape::Normal { mean, sd } => bell((seconds - mean.as_secs_f64()) / sd.as_secs_f64()),
        Shape::LogNormal { median, sigma } if *sigma == 0.0 => beyond(median),
        Shape::LogNormal { median, .. } if median.is_zero() => 0.0,
        Shape::LogNormal { .. } if t.is_zero() => 1.0,
        Shape::LogNormal { median, sigma } => {
            bell(libm::log(seconds / median.as_secs_f64()) / sigma)
        }
        Shape::Exponential { mean } if mean.is_zero() => 0.0,
        Shape::Exponential { mean } => libm::exp(-seconds / mean.as_secs_f64()),
        Shape::Pareto { scale, .. } if t < *scale => 1.0,
        Shape::Pareto { scale, .. } if scale.is_zero() => 0.0,
        Shape::Pareto { scale, shape } => libm::pow(scale.as_secs_f64() / seconds, *shape),
        Shape::Empirical(table) => 1.0 - below(table, t),
        Shape::Trace(samples) => {
            let longer = samples.len() - samples.partition_point(|sample| *sample <= t);
            longer as f64 / samples.len().max(1) as f64
        }
    }
}

/// The share of an empirical table that is `t` at most.
fn below(table: &[(f64, Duration)], t: Duration) -> f64 {
    let above = table.partition_point(|(_, d)| *d <= t);
    match (above.checked_sub(1).map(|n| table[n]), table.get(above)) {
        (None, _) => 0.0,
        (Some(_), None) => 1.0,
        (Some((q0, d0)), Some(&(q1, d1))) => {
            let part = (t - d0).as_secs_f64() / (d1 - d0).as_secs_f64();
            q0 + part * (q1 - q0)
        }
    }
}

/// Mean and standard deviation of the delays of beats that are not lost: what can be measured of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Spread {
    /// Delays with this mean and standard deviation.
    #[must_use]
    pub fn new(mean: Duration, deviation: Duration) -> Self {
        let deviation = deviation.as_secs_f64();
        Self {
            mean: mean.as_secs_f64(),
            variance: deviation * deviation,
        }
    }

    /// What was measured.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] of fewer than two samples: one has no deviation.
    pub fn of(samples: &[Duration]) -> Result<Self, BadKnob> {
        if samples.len() < 2 {
            let remedy = "measure two delays at least, better a few hundred";
            return Err(BadKnob::new("samples", samples.len(), remedy));
        }
        let n = samples.len() as f64;
        let mean = samples.iter().map(Duration::as_secs_f64).sum::<f64>() / n;
        let square = |d: &Duration| (d.as_secs_f64() - mean).powi(2);
        let variance = samples.iter().map(square).sum::<f64>() / (n - 1.0);
        Ok(Self { mean, variance })
    }
}

#[cfg(test)]
mod tests {
    use murphy_core::Distribution;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_tail_is_what_the_quantile_leaves() {
        let samples = (1..=100).map(|n| MS * n);
        let table = [(0.1, MS * 10), (0.5, MS * 40), (0.9, MS * 50)];
        for distribution in [
            Distribution::uniform(MS * 10, MS * 90).unwrap(),
            Distribution::normal(MS * 100, MS * 20),
            Distribution::log_normal(MS * 30, 0.8).unwrap(),
            Distribution::exponential(MS * 20),
            Distribution::pareto(MS * 5, 1.5).unwrap(),
            Distribution::trace(samples).unwrap(),
            Distribution::empirical(table).unwrap(),
            Distribution::exponential(MS * 20).at_most(MS * 30),
        ] {
            for below in [0.15, 0.3, 0.5, 0.7] {
                let tail = distribution.longer_than(distribution.quantile(below));
                assert!(
                    (1.0 - tail - below).abs() < 0.011,
                    "{distribution}: {tail} of {below}"
                );
            }
        }
        let fixed = Distribution::fixed(MS);
        assert_eq!(
            (fixed.longer_than(MS / 2), fixed.longer_than(MS)),
            (1.0, 0.0)
        );
        let capped = Distribution::exponential(MS * 20).at_most(MS * 30);
        assert_eq!(capped.longer_than(MS * 30), 0.0);
    }

    #[test]
    fn distributions_without_any_width_have_a_tail() {
        for (nothing, want) in [
            (Distribution::exponential(Duration::ZERO), 0.0),
            (Distribution::normal(Duration::ZERO, Duration::ZERO), 0.0),
            (Distribution::log_normal(Duration::ZERO, 1.0).unwrap(), 0.0),
            (Distribution::log_normal(MS, 0.0).unwrap(), 1.0),
            (Distribution::pareto(Duration::ZERO, 1.0).unwrap(), 0.0),
            (Distribution::uniform(MS, MS).unwrap(), 1.0),
        ] {
            assert_eq!(nothing.longer_than(Duration::ZERO), want, "{nothing}");
        }
    }
}

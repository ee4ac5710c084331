//! Means in closed form, capped or not.

use std::time::Duration;

use super::normal::{below, density};
use super::quantile::{duration, nanos};
use super::shape::Shape;

/// The mean of `min(shape, cap)`, if there is one.
pub(super) fn mean(shape: &Shape, cap: Option<Duration>) -> Option<Duration> {
    let limit = cap.map_or(f64::INFINITY, nanos);
    let mean = match shape {
        Shape::Fixed(d) => nanos(*d).min(limit),
        Shape::Uniform { min, max } => line(nanos(*min), nanos(*max), limit),
        Shape::Normal { mean, sd } => normal(nanos(*mean), nanos(*sd), limit),
        Shape::LogNormal { median, sigma } => log_normal(nanos(*median), *sigma, limit),
        Shape::Exponential { mean } if mean.is_zero() => 0.0,
        Shape::Exponential { mean } => nanos(*mean) * -libm::expm1(-limit / nanos(*mean)),
        Shape::Pareto { shape, .. } if cap.is_none() && *shape <= 1.0 => return None,
        Shape::Pareto { scale, shape } => pareto(nanos(*scale), *shape, limit),
        Shape::Empirical(table) => empirical(table, limit),
        Shape::Trace(samples) => {
            let sum: f64 = samples.iter().map(|d| nanos(*d).min(limit)).sum();
            sum / samples.len() as f64
        }
    };
    // Rounding can lift a mean by a double's last bit, but not over the cap.
    Some(duration(mean).min(cap.unwrap_or(Duration::MAX)))
}

/// The mean of a straight line from `from` to `to`, cut at `limit`.
fn line(from: f64, to: f64, limit: f64) -> f64 {
    if limit >= to {
        from + (to - from) / 2.0
    } else if limit <= from {
        limit
    } else {
        let rising = (limit - from) / (to - from);
        rising * (from + limit) / 2.0 + (1.0 - rising) * limit
    }
}

/// What is above zero, less what is above the limit.
fn normal(mean: f64, sd: f64, limit: f64) -> f64 {
    if sd == 0.0 {
        return mean.min(limit);
    }
    let above = |bound: f64| {
        let z = (mean - bound) / sd;
        (mean - bound) * below(z) + sd * density(z)
    };
    let cut = if limit.is_finite() { above(limit) } else { 0.0 };
    above(0.0) - cut
}

fn log_normal(median: f64, sigma: f64, limit: f64) -> f64 {
    if median == 0.0 || limit == 0.0 {
        return 0.0;
    }
    let uncapped = median * libm::exp(sigma * sigma / 2.0);
    if limit.is_infinite() {
        return uncapped;
    }
    if sigma == 0.0 {
        return median.min(limit);
    }
    let z = libm::log(limit / median) / sigma;
    // The share of the mean that is below the limit.
    let tail = sigma - z;
    let low = if tail <= 30.0 {
        uncapped * below(-tail)
    } else {
        // The one is about to leave the doubles above, the other below: their product, by Mills'
        // ratio of the bell.
        limit * density(z) * mills(tail)
    };
    low + limit * below(-z)
}

/// `below(-z) / density(z)`, good to twelve digits from 30 up.
fn mills(z: f64) -> f64 {
    let r = 1.0 / (z * z);
    (1.0 - r * (1.0 - r * (3.0 - r * (15.0 - r * 105.0)))) / z
}

/// `scale · (1 + (1 − (limit/scale)^(1−shape)) / (shape − 1))`, written so that it passes
/// smoothly through `shape = 1`, where it is `scale · (1 + ln(limit/scale))`.
fn pareto(scale: f64, shape: f64, limit: f64) -> f64 {
    if limit <= scale {
        return limit;
    }
    if scale == 0.0 {
        return 0.0;
    }
    if limit.is_infinite() {
        return scale * shape / (shape - 1.0);
    }
    let log = libm::log(limit / scale);
    let t = (1.0 - shape) * log;
    let part = if t == 0.0 {
        log
    } else {
        log * libm::expm1(t) / t
    };
    scale * (1.0 + part)
}

fn empirical(table: &[(f64, Duration)], limit: f64) -> f64 {
    let (Some(first), Some(last)) = (table.first(), table.last()) else {
        return 0.0;
    };
    let between: f64 = table
        .windows(2)
        .map(|rows| (rows[1].0 - rows[0].0) * line(nanos(rows[0].1), nanos(rows[1].1), limit))
        .sum();
    let ends = first.0 * nanos(first.1).min(limit) + (1.0 - last.0) * nanos(last.1).min(limit);
    ends + between
}

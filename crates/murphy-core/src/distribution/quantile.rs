//! The quantile functions. `u` comes as a whole number of steps of 2⁻⁵³, so that whatever can
//! be done in whole numbers is exact, and 1 − u is exact always.

use std::time::Duration;

use super::normal;
use super::shape::Shape;

/// How many draws there are: 2⁵³.
pub(super) const STEPS: u64 = 1 << 53;

const NANOS: u128 = 1_000_000_000;

/// The quantile function of `shape` at `steps` · 2⁻⁵³, for `steps < STEPS`.
pub(super) fn at(shape: &Shape, steps: u64) -> Duration {
    match shape {
        Shape::Fixed(d) => *d,
        Shape::Uniform { min, max } => between(*min, *max, steps),
        Shape::Normal { mean, sd } => duration(nanos(*mean) + nanos(*sd) * normal::quantile(steps)),
        Shape::LogNormal { median, sigma } => {
            duration(nanos(*median) * libm::exp(sigma * normal::quantile(steps)))
        }
        Shape::Exponential { mean } => duration(nanos(*mean) * -libm::log(rest(steps))),
        Shape::Pareto { scale, shape } => {
            duration(nanos(*scale) * libm::pow(rest(steps), -1.0 / shape))
        }
        Shape::Empirical(table) => interpolate(table, steps),
        // ⌊u·n⌋, in whole numbers; below n because u is below 1.
        Shape::Trace(samples) => {
            samples[(samples.len() as u128 * u128::from(steps) / u128::from(STEPS)) as usize]
        }
    }
}

/// A duration in nanoseconds.
pub(super) fn nanos(d: Duration) -> f64 {
    d.as_nanos() as f64
}

/// A number of nanoseconds, rounded down; saturates at both ends, and makes 0 of NaN (which is
/// how nothing times infinity comes out).
pub(super) fn duration(nanos: f64) -> Duration {
    from_nanos(nanos as u128)
}

fn from_nanos(nanos: u128) -> Duration {
    match u64::try_from(nanos / NANOS) {
        Ok(secs) => Duration::new(secs, (nanos % NANOS) as u32),
        Err(_) => Duration::MAX,
    }
}

/// 1 − u, which is never 0.
fn rest(steps: u64) -> f64 {
    (STEPS - steps) as f64 / STEPS as f64
}

/// ⌊from + (to − from) · steps · 2⁻⁵³⌋, exactly.
fn between(from: Duration, to: Duration, steps: u64) -> Duration {
    let span = to.saturating_sub(from).as_nanos();
    // The span has up to 94 bits, and 53 more would not fit: in two halves, of which the upper
    // one loses nothing.
    let steps = u128::from(steps);
    let (high, low) = (span >> 64, span & u128::from(u64::MAX));
    let part = ((high * steps) << 11) + ((low * steps) >> 53);
    from_nanos(from.as_nanos() + part)
}

/// The table at `steps`: flat outside of it.
fn interpolate(table: &[(f64, Duration)], steps: u64) -> Duration {
    let u = steps as f64 / STEPS as f64;
    let above = table.partition_point(|(quantile, _)| *quantile <= u);
    match (above.checked_sub(1).map(|i| table[i]), table.get(above)) {
        (Some((q0, d0)), Some(&(q1, d1))) => {
            let part = (u - q0) / (q1 - q0) * STEPS as f64;
            between(d0, d1, (part as u64).min(STEPS - 1))
        }
        (Some((_, last)), None) => last,
        (None, Some(&(_, first))) => first,
        // An empty table is refused at the door.
        (None, None) => Duration::ZERO,
    }
}

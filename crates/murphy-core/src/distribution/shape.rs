//! [`Shape`]: the kinds of distribution, and what each is given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What kind a [`Distribution`](crate::Distribution) is, and its parameters: for whoever writes
/// one down. To make one, use its constructors.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Always the same.
    Fixed(Duration),
    /// Anything between two bounds.
    Uniform {
        /// The least.
        min: Duration,
        /// The bound that is not reached.
        max: Duration,
    },
    /// A bell curve, cut off at zero.
    Normal {
        /// Its centre, which is the mean before the cut.
        mean: Duration,
        /// Its standard deviation before the cut.
        sd: Duration,
    },
    /// A bell curve of the logarithm.
    LogNormal {
        /// Half of all samples are below.
        median: Duration,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// The time to the next of many independent events.
    Exponential {
        /// The mean, also the standard deviation.
        mean: Duration,
    },
    /// A heavy tail.
    Pareto {
        /// The least.
        scale: Duration,
        /// The tail index: the lower, the heavier.
        shape: f64,
    },
    /// Points of a quantile function, rising, joined by straight lines.
    Empirical(Arc<[(f64, Duration)]>),
    /// Recorded samples, sorted.
    Trace(Arc<[Duration]>),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(d) => write!(f, "fixed({d:?})"),
            Self::Uniform { min, max } => write!(f, "uniform({min:?} to {max:?})"),
            Self::Normal { mean, sd } => write!(f, "normal(mean {mean:?}, sd {sd:?})"),
            Self::LogNormal { median, sigma } => {
                write!(f, "log-normal(median {median:?}, sigma {sigma})")
            }
            Self::Exponential { mean } => write!(f, "exponential(mean {mean:?})"),
            Self::Pareto { scale, shape } => write!(f, "pareto(scale {scale:?}, shape {shape})"),
            Self::Empirical(table) => {
                write!(f, "empirical({} points", table.len())?;
                range(f, table.iter().map(|row| row.1))
            }
            Self::Trace(samples) => {
                write!(f, "trace({} samples", samples.len())?;
                range(f, samples.iter().copied())
            }
        }
    }
}

/// `, first to last)`.
fn range(
    f: &mut fmt::Formatter<'_>,
    mut sorted: impl DoubleEndedIterator<Item = Duration> + Clone,
) -> fmt::Result {
    match (sorted.clone().next(), sorted.next_back()) {
        (Some(first), Some(last)) => write!(f, ", {first:?} to {last:?})"),
        _ => write!(f, ")"),
    }
}

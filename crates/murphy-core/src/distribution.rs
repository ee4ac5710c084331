//! [`Distribution`]: how long, how much; a quantile function of a draw.

use std::time::Duration;

use crate::Draw;

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(Duration);

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
        Self(d)
    }

    /// The duration at a draw.
    #[must_use]
    pub fn sample(&self, draw: Draw) -> Duration {
        let _ = draw;
        self.0
    }
}

//! Draws in a row: one stream of this house for each question of a workload.

use std::time::Duration;

use murphy_core::{Distribution, Draw, Lane, Point, Seed, Stream};

/// A stream that is drawn from in order.
#[derive(Clone, Debug)]
pub struct Chance {
    stream: Stream,
    next: u64,
}

impl Chance {
    /// The draws that answer `question`.
    #[must_use]
    pub fn new(seed: Seed, question: &str) -> Self {
        Self {
            stream: Stream::new(seed, "detector-eval", question, Lane::Magnitude),
            next: 0,
        }
    }

    /// The next draw.
    pub fn draw(&mut self) -> Draw {
        self.next += 1;
        self.stream.at(Point::positional(self.next))
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.draw().unit()
    }

    /// Whether something of chance `p` happens.
    pub fn hits(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Nanoseconds, of a distribution.
    pub fn nanos(&mut self, of: &Distribution) -> u64 {
        of.sample(self.draw()).as_nanos() as u64
    }
}

/// The log-normal distribution with this mean and deviation, in seconds.
///
/// # Panics
///
/// If they are not above zero.
#[must_use]
pub fn log_normal(mean: f64, deviation: f64) -> Distribution {
    let variance = (1.0 + (deviation / mean).powi(2)).ln();
    let median = Duration::from_secs_f64(mean / (variance / 2.0).exp());
    Distribution::log_normal(median, variance.sqrt()).expect("a width")
}

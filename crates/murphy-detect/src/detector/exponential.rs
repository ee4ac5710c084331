//! [`Exponential`]: so many mean silences.

use super::span::Span;
use super::window::{self, Unit, Window};
use super::{Beat, Detector, agree, later};
use crate::knob::within;
use crate::{BadKnob, Moment};

/// φ of exponentially distributed silences: suspects after a multiple of their mean.
///
/// Cheap and slow: it takes no notice of how regular beats are. A silence that is longer than a bound, or that ended
/// a suspicion, is not learned. Counts from arrivals: `sent` is not looked at.
///
/// Source: A. Lakshman, P. Malik, "Cassandra", LADIS 2009; its `FailureDetector`, and that of chitchat 0.13.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    threshold: f64,
    /// φ of a silence as long as the mean.
    unit: f64,
    samples: u16,
    prior: Span,
    /// So many samples of the prior count for ever; 0: one that goes like any other.
    weight: u16,
    longest: Span,
}

/// What [`Exponential`] knows of a node.
#[derive(Clone, Debug)]
pub struct ExponentialState {
    last: Option<Moment>,
    nominal: u64,
    window: Window,
}

impl Exponential {
    /// As Cassandra has it: φ is `log₁₀ e` times silence over mean, so that 8 is 18.4 means; 1000 samples, of which
    /// the first counts as two intervals; what is longer than two intervals is not learned.
    #[must_use]
    pub fn cassandra() -> Self {
        Self {
            threshold: 8.0,
            unit: std::f64::consts::LOG10_E,
            samples: 1000,
            prior: Span::new(2.0, std::time::Duration::ZERO),
            weight: 0,
            longest: Span::new(2.0, std::time::Duration::ZERO),
        }
    }

    /// As chitchat has it: φ is silence over mean, so that 8 is 8 means; 1000 samples, beside which five of five
    /// intervals count for ever; what is longer than ten intervals is not learned.
    ///
    /// chitchat's own bounds are 5 s and 10 s, whatever the interval. It also takes a node for dead until two beats
    /// came, and forgets all samples when one dies: here, that is the monitor's to decide.
    #[must_use]
    pub fn chitchat() -> Self {
        Self {
            threshold: 8.0,
            unit: 1.0,
            samples: 1000,
            prior: Span::new(5.0, std::time::Duration::ZERO),
            weight: 5,
            longest: Span::new(10.0, std::time::Duration::ZERO),
        }
    }

    /// The φ from which a node is suspected. Default: 8.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not a number from 0.001 to 1000.
    pub fn suspect_from(mut self, threshold: f64) -> Result<Self, BadKnob> {
        self.threshold = within("threshold", threshold, 1e-3, 1e3)?;
        Ok(self)
    }

    /// How many silences are remembered. Default: 1000.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not from 1 to 16384.
    pub fn samples(mut self, samples: u16) -> Result<Self, BadKnob> {
        within("samples", samples.into(), 1.0, window::MOST.into())?;
        self.samples = samples;
        Ok(self)
    }

    /// The silence from which on one is not learned. Default: two intervals for Cassandra's, ten for chitchat's.
    #[must_use]
    pub const fn longest(mut self, longest: Span) -> Self {
        self.longest = longest;
        self
    }

    /// The mean silence in nanoseconds: 1 µs at least.
    #[inline]
    fn mean(&self, state: &ExponentialState) -> f64 {
        let prior = self.prior.nanos(state.nominal) as f64;
        let learned = Unit::of(state.nominal).nanos(state.window.sum() as f64);
        let (n, weight) = (state.window.len() as f64, f64::from(self.weight));
        let sum = n * state.nominal as f64 + learned + weight * prior;
        // There is a sample, or a weight.
        (sum / (n + weight).max(1.0)).max(1e3)
    }

    #[inline]
    fn deadline(&self, last: Moment, state: &ExponentialState) -> Moment {
        later(last, self.threshold / self.unit * self.mean(state))
    }
}

impl Detector for Exponential {
    type State = ExponentialState;

    fn start(&self) -> ExponentialState {
        ExponentialState {
            last: None,
            nominal: 0,
            window: Window::default(),
        }
    }

    #[inline]
    fn observe(&self, state: &mut ExponentialState, beat: &Beat) -> Moment {
        let sample = match state.last {
            None => {
                state.nominal = beat.nominal();
                (self.weight == 0).then(|| self.prior.nanos(state.nominal))
            }
            Some(last) => {
                let silence = beat.at.nanos_since(last);
                let learned = !beat.ends_outage && silence <= self.longest.nanos(state.nominal);
                learned.then_some(silence)
            }
        };
        if let Some(silence) = sample {
            let over = silence.min(i64::MAX as u64) as i64 - state.nominal as i64;
            let sample = Unit::of(state.nominal).sample(over);
            state.window.push(self.samples, sample);
        }
        state.last = Some(beat.at);
        self.deadline(beat.at, state)
    }

    fn level(&self, state: &ExponentialState, now: Moment) -> f64 {
        let Some(last) = state.last else { return 0.0 };
        let phi = self.unit * now.nanos_since(last) as f64 / self.mean(state);
        agree(phi, self.threshold, now >= self.deadline(last, state))
    }

    fn threshold(&self) -> f64 {
        self.threshold
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{beats, every};
    use super::*;

    #[test]
    fn the_same_eight_is_eighteen_means_or_eight() {
        let second = Duration::from_secs(1);
        let silence = |detector: Exponential| {
            let (last, deadline) = beats(&detector, &every(second, 5000));
            deadline.since(last).as_secs_f64()
        };
        let cassandra = silence(Exponential::cassandra());
        assert!((cassandra - 18.42).abs() < 0.01, "{cassandra}");
        // Five samples of 5 s among a thousand of 1 s: 1.02 s in the mean.
        let chitchat = silence(Exponential::chitchat());
        assert!(
            (chitchat - 8.0 * 1025.0 / 1005.0).abs() < 0.001,
            "{chitchat}"
        );
    }

    #[test]
    fn before_the_second_beat_the_prior_counts() {
        let second = Duration::from_secs(1);
        for (detector, want) in [
            (Exponential::cassandra(), 2.0 * 18.42),
            (Exponential::chitchat(), 40.0),
        ] {
            let (last, deadline) = beats(&detector, &every(second, 1));
            let silence = deadline.since(last).as_secs_f64();
            assert!((silence - want).abs() < 0.01, "{silence}");
        }
    }

    #[test]
    fn a_long_silence_is_not_learned() {
        let second = Duration::from_secs(1);
        let mut sparse = every(second, 100);
        sparse.push(Duration::from_millis(2_001));
        let (last, deadline) = beats(&Exponential::cassandra(), &sparse);
        let (steady, before) = beats(&Exponential::cassandra(), &every(second, 100));
        assert_eq!(deadline.since(last), before.since(steady));
    }
}

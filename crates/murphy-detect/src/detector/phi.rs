//! [`Phi`]: how improbable a silence is after those before it.

use std::time::Duration;

use super::span::saturated;
use super::tail::Tail;
use super::window::{self, Unit, Window};
use super::{Beat, Detector, agree, later};
use crate::knob::within;
use crate::{BadKnob, Moment};

/// φ accrual: suspects when −log₁₀ of the chance of a longer silence reaches a threshold.
///
/// Silences are taken for normally distributed, with the mean and the deviation of the last `samples`, and may be
/// longer than that by a `pause`. The threshold is turned into deviations once, when the detector is made: a beat
/// costs one square root, and neither a logarithm nor an exponential.
///
/// The first beat counts as two samples, of ¾ and of 5⁄4 of the sender's interval (as akka has it). A silence that
/// ended a suspicion is not learned. Counts from arrivals: `sent` is not looked at.
///
/// With many samples and little `pause` one beat that is lost in a hundred widens the deviation so far that a single
/// loss stops counting: what decides is `pause` and `min_deviation`, more than the threshold.
///
/// Source: N. Hayashibara et al., "The φ Accrual Failure Detector", SRDS 2004.
#[doc(alias = "phi accrual")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phi {
    tail: Tail,
    threshold: f64,
    /// The threshold in deviations.
    deviations: f64,
    samples: u16,
    min_deviation: u64,
    pause: u64,
}

/// What [`Phi`] knows of a node.
#[derive(Clone, Debug)]
pub struct PhiState {
    last: Option<Moment>,
    /// The interval, in nanoseconds, from which samples deviate.
    nominal: u64,
    window: Window,
}

impl Phi {
    /// As akka has it: its logistic curve, threshold 8, 1000 samples, a deviation of 100 ms at least, a pause of 3 s.
    ///
    /// The curve is an approximation that drifts off: akka's 8 is truly 7.06, its 12 9.8.
    #[must_use]
    pub fn akka() -> Self {
        Self {
            tail: Tail::Logistic,
            threshold: 8.0,
            deviations: Tail::Logistic.deviations(8.0),
            samples: 1000,
            min_deviation: 100_000_000,
            pause: 3_000_000_000,
        }
    }

    /// The same settings, and the bell itself instead of akka's curve.
    #[must_use]
    pub fn exact() -> Self {
        Self {
            tail: Tail::Normal,
            deviations: Tail::Normal.deviations(8.0),
            ..Self::akka()
        }
    }

    /// The φ from which a node is suspected. Default: 8.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not a number from 0.001 to 1000000.
    pub fn suspect_from(mut self, threshold: f64) -> Result<Self, BadKnob> {
        self.threshold = within("threshold", threshold, 1e-3, 1e6)?;
        self.deviations = self.tail.deviations(threshold);
        Ok(self)
    }

    /// How many silences are remembered. Default: 1000.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not from 2 to 16384.
    pub fn samples(mut self, samples: u16) -> Result<Self, BadKnob> {
        within("samples", samples.into(), 2.0, window::MOST.into())?;
        self.samples = samples;
        Ok(self)
    }

    /// What the deviation counts as at least. Default: 100 ms.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is below 1 µs.
    pub fn min_deviation(mut self, least: Duration) -> Result<Self, BadKnob> {
        self.min_deviation = saturated(least);
        if self.min_deviation < 1_000 {
            let remedy = "use 1µs or more; without one, perfect beats leave no room for any delay";
            return Err(BadKnob::new("min_deviation", format!("{least:?}"), remedy));
        }
        Ok(self)
    }

    /// By how much a silence may be longer than those before. Default: 3 s.
    #[doc(alias = "acceptable_heartbeat_pause")]
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = saturated(pause);
        self
    }

    /// Mean and deviation of the next silence, in nanoseconds.
    #[inline]
    fn expected(&self, state: &PhiState) -> (f64, f64) {
        let unit = Unit::of(state.nominal);
        let mean = state.nominal as f64 + unit.nanos(state.window.mean()) + self.pause as f64;
        let deviation = unit.nanos(state.window.deviation());
        (mean, deviation.max(self.min_deviation as f64))
    }

    #[inline]
    fn deadline(&self, last: Moment, state: &PhiState) -> Moment {
        let (mean, deviation) = self.expected(state);
        later(last, mean + self.deviations * deviation)
    }
}

impl Detector for Phi {
    type State = PhiState;

    fn start(&self) -> PhiState {
        PhiState {
            last: None,
            nominal: 0,
            window: Window::default(),
        }
    }

    #[inline]
    fn observe(&self, state: &mut PhiState, beat: &Beat) -> Moment {
        match state.last {
            None => {
                state.nominal = beat.nominal();
                let unit = Unit::of(state.nominal);
                let quarter = unit.sample((state.nominal / 4) as i64);
                state.window.push(self.samples, -quarter);
                state.window.push(self.samples, quarter);
            }
            Some(last) if !beat.ends_outage => {
                let silence = beat.at.nanos_since(last).min(i64::MAX as u64) as i64;
                let unit = Unit::of(state.nominal);
                let sample = unit.sample(silence - state.nominal as i64);
                state.window.push(self.samples, sample);
            }
            Some(_) => {}
        }
        state.last = Some(beat.at);
        self.deadline(beat.at, state)
    }

    fn level(&self, state: &PhiState, now: Moment) -> f64 {
        let Some(last) = state.last else { return 0.0 };
        let (mean, deviation) = self.expected(state);
        let silence = now.nanos_since(last) as f64;
        let phi = self.tail.phi((silence - mean) / deviation);
        agree(phi, self.threshold, now >= self.deadline(last, state))
    }

    fn threshold(&self) -> f64 {
        self.threshold
    }
}

#[cfg(test)]
mod tests;

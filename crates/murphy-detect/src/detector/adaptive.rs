//! [`Adaptive`]: the default.

use super::expectation::Expectation;
use super::offset::{Lateness, Offset};
use super::span::Span;
use super::{Beat, Detector};
use crate::knob::within;
use crate::{BadKnob, Moment};

/// The detector to begin with: suspects a node whose next beat is later than a margin, and never later than a cap.
///
/// A beat is expected an interval after the last one was sent, plus the mean way of the last ones, as [`Chen`] does
/// it; and later where the sender's beats are further apart than it says. The margin is what was asked for; where
/// beats come restlessly it grows with their deviation, to ten times that at most:
///
/// ```text
/// margin = max(asked, min(10, 20 · asked / interval) · deviation)         deadline ≤ arrival + cap
/// ```
///
/// The deviation is of what beats are off their expected arrival, whether the network or the sender was late, also of
/// beats that ended a suspicion: else only the punctual ones would be learned from. A beat that was lost is none. One
/// beat counts as two intervals at most: a pause of the sender's does not make it deaf for a minute.
///
/// An asked margin of two intervals and more is as a rule what counts; there adaptivity buys little.
///
/// All of it is in 64 bytes: means are exponentially weighted, over 16 beats (the way) and 64 (what they are off).
///
/// How it was chosen: on the tables of `detector-eval`, where it makes at most twice the mistakes of the best detector
/// of each column at the same mean time to detection, and on silences alone.
///
/// A `sent` that makes no sense delays a deadline to the cap at most; one that lies more than 8 intervals (8 s, if
/// that is more) off the others is not learned from, and the fourth in a row begins anew. One that lies in the past
/// brings suspicion on its sender, for as long as it takes to learn.
///
/// The level is the share of the margin that is used up, the threshold 1.
///
/// [`Chen`]: super::Chen
///
/// # Examples
///
/// ```
/// use murphy_detect::detector::{Adaptive, Beat, Detector};
/// use murphy_detect::Moment;
/// use std::time::Duration;
///
/// let interval = Duration::from_secs(1);
/// let detector = Adaptive::default();
/// let mut state = detector.start();
/// let mut deadline = Moment::ZERO;
/// for seq in 0..60 {
///     let sent = Moment::after(interval * seq);
///     let at = sent.plus(Duration::from_millis(20));
///     deadline = detector.observe(&mut state, &Beat { at, sent, seq: seq.into(), interval, ends_outage: false });
/// }
/// // Two beats may be lost, and the third may be late by 100 ms.
/// assert_eq!(deadline, Moment::after(Duration::from_millis(59_020 + 3_100)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    margin: Span,
    deviations: f64,
    cap: Span,
}

/// What [`Adaptive`] knows of a node.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveState {
    offset: Offset,
    /// Mean square of what beats were off, in square nanoseconds.
    variance: f32,
    /// Their mean: how much longer than the interval it takes to the next beat.
    longer: f32,
    sent: Moment,
    seq: u64,
    beats: u32,
    next: Expectation,
}

/// Beats that count for the mean way.
const WAY: u32 = 16;
/// Beats that count for the deviation.
const RESTLESS: u32 = 64;
/// The deviation from which on a margin grows, as a share of the interval.
const RESTLESS_FROM: f64 = 1.0 / 20.0;

impl Default for Adaptive {
    /// A margin of two intervals and 100 ms, ten deviations, a cap of ten intervals.
    fn default() -> Self {
        let hundred_ms = std::time::Duration::from_millis(100);
        Self {
            margin: Span::new(2.0, hundred_ms),
            deviations: 10.0,
            cap: Span::new(10.0, std::time::Duration::ZERO),
        }
    }
}

impl Adaptive {
    /// How late a beat may be. Default: two intervals and 100 ms, so that two beats may be lost.
    ///
    /// With less than an interval each beat that is lost is a mistake, where the network is at rest.
    #[must_use]
    pub const fn margin(mut self, margin: Span) -> Self {
        self.margin = margin;
        self
    }

    /// To how many deviations the margin grows where beats come restlessly. Default: 10; 0 leaves it as asked.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not a number from 0 to 100.
    pub fn deviations(mut self, deviations: f64) -> Result<Self, BadKnob> {
        self.deviations = within("deviations", deviations, 0.0, 100.0)?;
        Ok(self)
    }

    /// The longest silence that is forgiven, counted from a beat's arrival. Default: ten intervals.
    ///
    /// A cap below interval and margin is obeyed, and suspects the node early.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is nothing.
    pub fn cap(mut self, cap: Span) -> Result<Self, BadKnob> {
        if cap.is_zero() {
            return Err(BadKnob::new(
                "cap",
                0,
                "use a few intervals, say `Span::intervals(10.0)?`",
            ));
        }
        self.cap = cap;
        Ok(self)
    }

    #[inline]
    fn stretched(&self, interval: u64, variance: f64) -> u64 {
        let asked = self.margin.nanos(interval);
        let patience = asked as f64 / (RESTLESS_FROM * interval as f64);
        let grown = patience.min(self.deviations) * variance.sqrt();
        asked.max(grown as u64)
    }
}

impl AdaptiveState {
    fn anew(&mut self, interval: u64) {
        // As akka begins: a quarter of an interval. The second beat takes its place.
        let quarter = 0.25 * interval as f64;
        (self.variance, self.longer, self.beats) = ((quarter * quarter) as f32, 0.0, 0);
    }

    /// Learns how much later this beat was than the one before it let expect.
    #[inline]
    fn learn(&mut self, beat: &Beat, interval: u64, late: i64) {
        let beats = beat.seq.saturating_sub(self.seq).min(1 << 16) as i64;
        let apart = beat.sent.as_nanos().wrapping_sub(self.sent.as_nanos()) as i64;
        let sending = apart.saturating_sub(beats * interval as i64);
        let most = 2.0 * interval as f64;
        let off = (late.saturating_add(sending) as f64).clamp(-most, most);
        let weight = 1.0 / f64::from(self.beats.min(RESTLESS));
        // Welford's, with a weight: the old mean and the new one.
        let before = off - f64::from(self.longer);
        self.longer += (weight * before) as f32;
        let after = off - f64::from(self.longer);
        let variance = f64::from(self.variance);
        self.variance = (variance + weight * (before * after - variance)) as f32;
    }
}

impl Detector for Adaptive {
    type State = AdaptiveState;

    fn start(&self) -> AdaptiveState {
        AdaptiveState {
            offset: Offset::default(),
            variance: 0.0,
            longer: 0.0,
            sent: Moment::ZERO,
            seq: 0,
            beats: 0,
            next: Expectation::default(),
        }
    }

    #[inline]
    fn observe(&self, state: &mut AdaptiveState, beat: &Beat) -> Moment {
        let interval = beat.nominal();
        let reach = (interval.max(1_000_000_000) * 8) as i64;
        let late = match state.offset.place(beat, reach) {
            Lateness::Anew => {
                state.anew(interval);
                0
            }
            Lateness::Near(late) => {
                state.beats = (state.beats + 1).min(RESTLESS);
                state.learn(beat, interval, late);
                let step = late / i64::from((state.beats + 1).min(WAY));
                state.offset.shift(step);
                late - step
            }
            Lateness::Astray(late) => late,
        };
        (state.sent, state.seq) = (beat.sent, beat.seq);
        let lead = (interval as i64)
            .saturating_sub(late)
            .saturating_add(state.longer as i64);
        let margin = self.stretched(interval, state.variance.into());
        state.next = Expectation::new(beat.at, lead, margin, self.cap.nanos(interval));
        state.next.deadline()
    }

    fn level(&self, state: &AdaptiveState, now: Moment) -> f64 {
        state.next.level(now)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

#[cfg(test)]
mod tests;

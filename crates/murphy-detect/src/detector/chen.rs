//! [`Chen`]: when the next beat should arrive, from when it is sent.

use super::expectation::Expectation;
use super::offset::{Lateness, Offset};
use super::span::Span;
use super::window::{self, Unit, Window};
use super::{Beat, Detector};
use crate::knob::within;
use crate::{BadKnob, Moment};

/// Chen's NFD-E: expects a beat an interval after the last one was *sent*, plus the mean way of the last ones, and
/// waits for a fixed margin more.
///
/// It holds the time to detection steady: a beat that was late on its way does not put off the next deadline. Beats
/// that waited in a queue do not keep a dead node alive. The sender's own `sent` is used, so that a sender whose real
/// period is longer than it says (a loop that sleeps) is expected when it sends.
///
/// A `sent` that makes no sense delays a deadline to twice interval and margin after the arrival at most; one that
/// lies more than 16 s (16 intervals, if that is more) off the others is not learned from, and the fourth in a row
/// begins anew. One that lies in the past brings suspicion on its sender, for as long as it takes to learn.
///
/// The level is the share of the margin that is used up, the threshold 1.
///
/// Source: W. Chen, S. Toueg, M. Aguilera, "On the Quality of Service of Failure Detectors", IEEE Transactions on
/// Computers 51(5), 2002, §6.3: there with `seq × interval` for the sending time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chen {
    margin: Span,
    samples: u16,
}

/// What [`Chen`] knows of a node.
#[derive(Clone, Debug)]
pub struct ChenState {
    offset: Offset,
    nominal: u64,
    window: Window,
    next: Expectation,
}

impl Chen {
    /// Waits for `margin` past the expected arrival; 32 samples.
    ///
    /// What [`configure`](crate::configure) says as `margin` goes here.
    #[must_use]
    pub const fn new(margin: Span) -> Self {
        Self {
            margin,
            samples: 32,
        }
    }

    /// Of how many beats the mean way is taken. Default: 32.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not from 1 to 16384.
    pub fn samples(mut self, samples: u16) -> Result<Self, BadKnob> {
        within("samples", samples.into(), 1.0, window::MOST.into())?;
        self.samples = samples;
        Ok(self)
    }
}

impl Detector for Chen {
    type State = ChenState;

    fn start(&self) -> ChenState {
        ChenState {
            offset: Offset::default(),
            nominal: 0,
            window: Window::default(),
            next: Expectation::default(),
        }
    }

    #[inline]
    fn observe(&self, state: &mut ChenState, beat: &Beat) -> Moment {
        let interval = beat.nominal();
        let way = Unit::of(state.nominal.max(1));
        let late = match state.offset.place(beat, way.reach()) {
            Lateness::Anew => {
                state.nominal = interval;
                state.window.clear();
                state.window.push(self.samples, 0);
                0
            }
            Lateness::Near(late) => {
                state.window.push(self.samples, way.sample(late));
                late
            }
            Lateness::Astray(late) => late,
        };
        // The mean way of the last beats, less that of this one.
        let mean = Unit::of(state.nominal).nanos(state.window.mean()) as i64;
        state.next = expect(beat, mean.saturating_sub(late), self.margin);
        state.next.deadline()
    }

    fn level(&self, state: &ChenState, now: Moment) -> f64 {
        state.next.level(now)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

/// The next beat, if it is `earlier` nanoseconds faster on its way than this one was.
#[inline]
pub(super) fn expect(beat: &Beat, earlier: i64, margin: Span) -> Expectation {
    let interval = beat.nominal();
    let margin = margin.nanos(interval);
    let cap = interval.saturating_add(margin).saturating_mul(2);
    let lead = earlier.saturating_add_unsigned(interval);
    Expectation::new(beat.at, lead, margin, cap)
}

#[cfg(test)]
mod tests;

//! [`TwoWindow`]: a short memory and a long one.

use super::chen::expect;
use super::expectation::Expectation;
use super::offset::{Lateness, Offset};
use super::span::Span;
use super::window::{self, Unit, Window};
use super::{Beat, Detector};
use crate::knob::within;
use crate::{BadKnob, Moment};

/// [`Chen`](super::Chen) with two windows: expects a beat at the later of what the last few and the last many say.
///
/// The long memory is steady, the short one reacts at once to a way that became longer. What is said there of `sent`
/// and of the level holds here too.
///
/// Source: A. Tomsic, P. Sens, J. Garcia, L. Arantes, J. Sopena, "2W-FD: A Failure Detector Algorithm with QoS",
/// IPDPS 2015.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoWindow {
    margin: Span,
    short: u16,
    long: u16,
}

/// What [`TwoWindow`] knows of a node.
#[derive(Clone, Debug)]
pub struct TwoWindowState {
    offset: Offset,
    nominal: u64,
    short: Window,
    long: Window,
    next: Expectation,
}

impl TwoWindow {
    /// Waits for `margin` past the expected arrival; 1 and 1000 samples.
    #[must_use]
    pub const fn new(margin: Span) -> Self {
        Self {
            margin,
            short: 1,
            long: 1000,
        }
    }

    /// Of how many beats the two means are taken. Default: 1 and 1000.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if one is not from 1 to 16384, or `short` is not below `long`.
    pub fn samples(mut self, short: u16, long: u16) -> Result<Self, BadKnob> {
        within("long", long.into(), 2.0, window::MOST.into())?;
        within("short", short.into(), 1.0, f64::from(long) - 1.0)?;
        (self.short, self.long) = (short, long);
        Ok(self)
    }
}

impl Detector for TwoWindow {
    type State = TwoWindowState;

    fn start(&self) -> TwoWindowState {
        TwoWindowState {
            offset: Offset::default(),
            nominal: 0,
            short: Window::default(),
            long: Window::default(),
            next: Expectation::default(),
        }
    }

    #[inline]
    fn observe(&self, state: &mut TwoWindowState, beat: &Beat) -> Moment {
        let way = Unit::of(state.nominal.max(1));
        let late = match state.offset.place(beat, way.reach()) {
            Lateness::Anew => {
                state.nominal = beat.nominal();
                state.short.clear();
                state.long.clear();
                state.short.push(self.short, 0);
                state.long.push(self.long, 0);
                0
            }
            Lateness::Near(late) => {
                state.short.push(self.short, way.sample(late));
                state.long.push(self.long, way.sample(late));
                late
            }
            Lateness::Astray(late) => late,
        };
        let mean = state.short.mean().max(state.long.mean());
        let mean = Unit::of(state.nominal).nanos(mean) as i64;
        state.next = expect(beat, mean.saturating_sub(late), self.margin);
        state.next.deadline()
    }

    fn level(&self, state: &TwoWindowState, now: Moment) -> f64 {
        state.next.level(now)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::Path;
    use super::*;

    #[test]
    fn a_way_that_became_longer_counts_at_once_and_one_that_became_shorter_does_not() {
        let interval = Duration::from_secs(1);
        let detector = TwoWindow::new(Span::fixed(Duration::from_millis(100)));
        for (way_ms, want) in [(500, 1100), (0, 1150)] {
            let mut path = Path::new(&detector, interval);
            path.run(1000, Duration::from_millis(50));
            let (at, deadline) = path.beat(Duration::from_millis(way_ms));
            let left = deadline.since(at).as_secs_f64() * 1e3;
            assert!((left - f64::from(want)).abs() < 1.0, "{way_ms}: {left} ms");
        }
    }

    #[test]
    fn windows_that_are_none_are_refused() {
        let detector = TwoWindow::new(Span::fixed(Duration::from_secs(1)));
        for (short, long) in [(0, 10), (10, 10), (1, 0), (1, u16::MAX)] {
            assert!(detector.samples(short, long).is_err(), "{short} {long}");
        }
    }
}

//! [`Fixed`]: a silence that is always the same.

use std::time::Duration;

use super::span::saturated;
use super::{Beat, Detector, agree};
use crate::{BadKnob, Moment};

/// Suspects a node that was silent for a fixed time.
///
/// Counts from arrivals: a beat that was long on its way counts as a fresh one. The level is the silence as a share
/// of the timeout, the threshold 1.
///
/// As good as any other where the timeout is a few intervals; see the [table](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    timeout: u64,
}

/// What [`Fixed`] knows of a node: its last beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedState {
    last: Moment,
}

impl Fixed {
    /// Suspects after a silence of `timeout`.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] for no time at all.
    pub fn try_new(timeout: Duration) -> Result<Self, BadKnob> {
        match saturated(timeout) {
            0 => Err(BadKnob::new(
                "timeout",
                "0ns",
                "use a few intervals, say 4s for beats every second",
            )),
            timeout => Ok(Self { timeout }),
        }
    }
}

impl Detector for Fixed {
    type State = FixedState;

    fn start(&self) -> FixedState {
        FixedState { last: Moment::ZERO }
    }

    #[inline]
    fn observe(&self, state: &mut FixedState, beat: &Beat) -> Moment {
        state.last = beat.at;
        self.deadline(state)
    }

    fn level(&self, state: &FixedState, now: Moment) -> f64 {
        let silence = now.since(state.last).as_nanos() as f64;
        agree(
            silence / self.timeout as f64,
            1.0,
            now >= self.deadline(state),
        )
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

impl Fixed {
    const fn deadline(&self, state: &FixedState) -> Moment {
        Moment::from_nanos(state.last.as_nanos().saturating_add(self.timeout))
    }
}

//! φ from moving averages of silences, for the table only: what loses a beat is deaf for a while.

use murphy_detect::{Beat, Detector, Moment};

/// Mean and variance of the last silences, each weighted by a sixteenth.
#[derive(Clone, Copy, Debug)]
pub struct Moving {
    deviations: f64,
}

/// What [`Moving`] knows of a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    last: Option<u64>,
    n: u32,
    mean: f64,
    variance: f64,
    deadline: u64,
}

impl Moving {
    /// Suspects after the mean silence and so many deviations.
    #[must_use]
    pub const fn new(deviations: f64) -> Self {
        Self { deviations }
    }
}

impl Detector for Moving {
    type State = State;

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, beat: &Beat) -> Moment {
        let at = beat.at.as_nanos();
        let silence = state
            .last
            .map_or(beat.interval.as_nanos() as u64, |last| at - last) as f64;
        state.n = (state.n + 1).min(16);
        let gain = 1.0 / f64::from(state.n);
        let off = silence - state.mean;
        state.mean += gain * off;
        state.variance = (1.0 - gain) * (state.variance + gain * off * off);
        state.last = Some(at);
        let patience = state.mean + self.deviations * state.variance.sqrt();
        state.deadline = at + patience as u64;
        Moment::from_nanos(state.deadline)
    }

    fn level(&self, state: &State, now: Moment) -> f64 {
        f64::from(now.as_nanos() >= state.deadline)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

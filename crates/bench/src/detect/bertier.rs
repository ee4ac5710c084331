//! Bertier's detector, for the table only: in a bad network it forgives silences without end.
//!
//! Source: M. Bertier, O. Marin, P. Sens, "Implementation and performance evaluation of an adaptable failure
//! detector", DSN 2002.

use murphy_detect::{Beat, Detector, Moment};

/// The share of an error that is learned.
const GAIN: f64 = 0.1;

/// Chen's expectation over the last 1000 beats, and a margin that follows its own errors, as TCP's timeout does.
#[derive(Clone, Copy, Debug)]
pub struct Bertier {
    weight: f64,
}

/// What [`Bertier`] knows of a node.
#[derive(Clone, Debug, Default)]
pub struct State {
    ways: Vec<f64>,
    next: usize,
    sum: f64,
    expected: Option<f64>,
    delay: f64,
    variation: f64,
    at: f64,
    deadline: f64,
}

impl Bertier {
    /// `weight` is what the paper calls φ: of the mean error in the margin.
    #[must_use]
    pub const fn new(weight: f64) -> Self {
        Self { weight }
    }
}

impl Detector for Bertier {
    type State = State;

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, beat: &Beat) -> Moment {
        const SAMPLES: usize = 1000;
        let (at, sent) = (beat.at.as_nanos() as f64, beat.sent.as_nanos() as f64);
        if let Some(expected) = state.expected {
            let error = at - expected - state.delay;
            state.delay += GAIN * error;
            state.variation += GAIN * (error.abs() - state.variation);
        }
        let way = at - sent;
        state.sum += way;
        if state.ways.len() < SAMPLES {
            state.ways.push(way);
        } else {
            state.sum -= std::mem::replace(&mut state.ways[state.next], way);
            state.next = (state.next + 1) % SAMPLES;
        }
        let interval = beat.interval.as_nanos() as f64;
        let expected = state.sum / state.ways.len() as f64 + sent + interval;
        state.expected = Some(expected);
        state.at = at;
        let deadline = expected + state.delay + self.weight * state.variation;
        state.deadline = deadline.max(at);
        Moment::from_nanos(state.deadline as u64)
    }

    fn level(&self, state: &State, now: Moment) -> f64 {
        f64::from(now.as_nanos() as f64 >= state.deadline)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

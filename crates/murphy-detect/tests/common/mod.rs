//! What the tests share.

use std::time::Duration;

use murphy_detect::{Beat, Detector, Moment};

/// Suspects after a fixed silence.
#[derive(Clone, Debug)]
pub(crate) struct Fixed(pub(crate) Duration);

impl Detector for Fixed {
    type State = Moment;

    fn start(&self) -> Moment {
        Moment::ZERO
    }

    fn observe(&self, last: &mut Moment, beat: &Beat) -> Moment {
        *last = beat.at;
        beat.at.plus(self.0)
    }

    fn level(&self, last: &Moment, now: Moment) -> f64 {
        now.since(*last).as_secs_f64() / self.0.as_secs_f64()
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

/// `n` milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

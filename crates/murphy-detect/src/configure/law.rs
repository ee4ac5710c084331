//! What a network promises: Chen's two sets of formulas, in seconds.

use std::time::Duration;

use super::delay::{Delay, Spread};

/// What is known of a network.
pub(super) trait Law {
    /// The longest interval with which mistakes last `duration` at most; none where no beat ever comes in time.
    fn longest(&self, detection: f64, duration: f64) -> f64;

    /// How far before the deadline a beat must have been sent to be of any help.
    fn reach(&self, detection: f64) -> f64;

    /// 1 over the chance that a beat is of no help which was sent so long before the deadline: 1 or more.
    fn helps(&self, before: f64) -> f64;

    /// By what the recurrence is divided: the chance that a beat comes in time.
    fn in_time(&self, detection: f64) -> f64;

    /// The mean delay, of which no more than `bound` counts.
    fn mean(&self, bound: f64) -> f64;
}

/// The distribution of delays is known.
pub(super) struct Known<'a, D: ?Sized> {
    pub(super) loss: f64,
    pub(super) delay: &'a D,
}

impl<D: Delay + ?Sized> Known<'_, D> {
    fn longer_than(&self, seconds: f64) -> f64 {
        let tail = self.delay.longer_than(Duration::from_secs_f64(seconds));
        if tail.is_nan() {
            1.0
        } else {
            tail.clamp(0.0, 1.0)
        }
    }
}

impl<D: Delay + ?Sized> Law for Known<'_, D> {
    fn longest(&self, detection: f64, duration: f64) -> f64 {
        self.in_time(detection) * duration
    }

    fn reach(&self, detection: f64) -> f64 {
        detection
    }

    fn helps(&self, before: f64) -> f64 {
        1.0 / (self.loss + (1.0 - self.loss) * self.longer_than(before))
    }

    fn in_time(&self, detection: f64) -> f64 {
        (1.0 - self.loss) * (1.0 - self.longer_than(detection))
    }

    fn mean(&self, bound: f64) -> f64 {
        // The area under the tail, by the trapezoid rule on a grid that is fine near zero.
        const STEPS: u32 = 4096;
        let at = |n: u32| bound * (f64::from(n) / f64::from(STEPS)).powi(3);
        let part = |n: u32| {
            let (from, to) = (at(n), at(n + 1));
            0.5 * (to - from) * (self.longer_than(from) + self.longer_than(to))
        };
        (0..STEPS).map(part).sum()
    }
}

/// Only mean and deviation of delays are known.
pub(super) struct Unknown {
    pub(super) loss: f64,
    pub(super) delay: Spread,
}

impl Law for Unknown {
    fn longest(&self, detection: f64, duration: f64) -> f64 {
        let room = detection - self.delay.mean;
        if room <= 0.0 {
            return 0.0;
        }
        let square = room * room;
        let in_time = (1.0 - self.loss) * square / (self.delay.variance + square);
        (in_time * duration).min(room)
    }

    fn reach(&self, detection: f64) -> f64 {
        detection - self.delay.mean
    }

    fn helps(&self, before: f64) -> f64 {
        let (square, variance) = ((before - self.delay.mean).powi(2), self.delay.variance);
        (variance + square) / (variance + self.loss * square)
    }

    fn in_time(&self, _: f64) -> f64 {
        1.0
    }

    fn mean(&self, _: f64) -> f64 {
        self.delay.mean
    }
}

/// The mean time between two mistakes with this interval, at least. Infinite where there are none.
pub(super) fn recurrence(law: &dyn Law, detection: f64, interval: f64) -> f64 {
    let beats = (law.reach(detection) / interval).ceil() as u32;
    let mut recurrence = interval / law.in_time(detection);
    for beat in 1..beats {
        recurrence *= law.helps(detection - f64::from(beat) * interval);
        if recurrence.is_infinite() {
            break;
        }
    }
    recurrence
}

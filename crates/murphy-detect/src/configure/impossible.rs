//! [`Impossible`]: a wish that no interval fulfils.

use std::fmt;
use std::time::Duration;

use super::law::Law;
use super::{Wish, search};

/// No interval fulfils the wish on this network; what would be possible.
///
/// Each is said alone: relax one of them, and keep the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible {
    wish: Wish,
    detection: Option<Duration>,
    recurrence: Option<Duration>,
}

impl Impossible {
    pub(super) fn of(wish: Wish, law: &dyn Law) -> Self {
        let recurrence = search::longest_recurrence(wish, law);
        // What is said must be possible, whatever is rounded.
        let recurrence = Duration::try_from_secs_f64(recurrence * 0.999).unwrap_or(Duration::MAX);
        Self {
            wish,
            detection: detection(wish, law),
            recurrence: (recurrence >= Duration::from_micros(1)).then_some(recurrence),
        }
    }

    /// What was wished for.
    #[must_use]
    pub const fn wish(&self) -> Wish {
        self.wish
    }

    /// The time to detection with which the rest is possible; `None` if none is, a thousand times the wished one or
    /// more apart.
    #[must_use]
    pub const fn detection(&self) -> Option<Duration> {
        self.detection
    }

    /// The time between mistakes with which the rest is possible; `None` if none is: then no beat comes in time.
    #[must_use]
    pub const fn recurrence(&self) -> Option<Duration> {
        self.recurrence
    }
}

/// The shortest time to detection with which there is an interval, to a thousandth.
fn detection(wish: Wish, law: &dyn Law) -> Option<Duration> {
    let possible = |detection| search::interval(wish.found_within(detection), law).is_some();
    let mut bad = wish.detection();
    let mut good = bad.saturating_mul(2);
    for _ in 0..10 {
        if possible(good) {
            break;
        }
        (bad, good) = (good, good.saturating_mul(2));
    }
    for _ in 0..10 {
        let middle = bad + good.saturating_sub(bad) / 2;
        if possible(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    possible(good).then_some(good)
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wish = &self.wish;
        let (detection, recurrence, duration) =
            (wish.detection(), wish.recurrence(), wish.duration());
        write!(
            f,
            "no interval finds a crash within {detection:?} with {recurrence:?} between mistakes that last {duration:?}: "
        )?;
        match (self.detection, self.recurrence) {
            (Some(detection), Some(recurrence)) => write!(
                f,
                "relax `detection` to {detection:?}, or `recurrence` to {recurrence:?}"
            ),
            (Some(detection), None) => write!(f, "relax `detection` to {detection:?}"),
            (None, Some(recurrence)) => write!(f, "relax `recurrence` to {recurrence:?}"),
            (None, None) => write!(f, "no beat comes in time, whatever is relaxed"),
        }
    }
}

impl std::error::Error for Impossible {}

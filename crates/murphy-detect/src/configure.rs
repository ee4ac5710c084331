//! From a wish to an interval and a margin: "found within 30 s, one mistake a month".
//!
//! Chen's configurator. What is wished for is a [`Wish`]: the time to detection, the time between mistakes, and how
//! long a mistake lasts. What is known of the network is the share of beats that are lost, and of the others the
//! [distribution](Delay) of how long they take, or only its mean and [spread](Spread). [`known`] and [`estimated`]
//! answer with the *longest* interval that does it, from 1 ms to an hour, so that the wish costs the fewest beats, or with
//! [`Impossible`], which says what would be possible.
//!
//! What holds is worst-case for a network that behaves as described, with losses and delays that are independent. A
//! link whose losses come in bursts longer than the detection time makes more mistakes with every detector.
//!
//! Source: W. Chen, S. Toueg, M. Aguilera, "On the Quality of Service of Failure Detectors", IEEE Transactions on
//! Computers 51(5), 2002, §4 and §5.
//!
//! # Examples
//!
//! ```
//! use murphy_core::{Distribution, Probability};
//! use murphy_detect::configure::{self, Wish};
//! use std::time::Duration;
//!
//! let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
//! let wish = Wish::try_new(minute / 2, day * 30, minute)?;
//! let delay = Distribution::exponential(Duration::from_millis(20));
//! let configured = configure::known(wish, "1%".parse()?, &delay)?;
//! assert_eq!(configured.interval().as_millis(), 9_976);
//!
//! let detector = configured.detector();
//! # let _: murphy_detect::detector::Chen = detector;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod delay;
mod impossible;
mod law;
mod search;
#[cfg(test)]
mod tests;
mod wish;

use std::time::Duration;

use murphy_core::Probability;

pub use self::delay::{Delay, Spread};
pub use self::impossible::Impossible;
use self::law::{Known, Law, Unknown};
pub use self::wish::Wish;
use crate::detector::{Chen, Span};

/// How often to beat, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Configured {
    interval: Duration,
    shift: Duration,
    delay: Duration,
}

impl Configured {
    /// How often to beat.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Until when after the next beat is *sent* it is waited for: the paper's δ. Interval and shift are the time to
    /// detection.
    #[must_use]
    pub const fn shift(&self) -> Duration {
        self.shift
    }

    /// Until when after the next beat is *expected* it is waited for: the paper's α, which is the shift less the mean
    /// delay.
    #[must_use]
    pub const fn margin(&self) -> Duration {
        self.shift.saturating_sub(self.delay)
    }

    /// The detector that does it.
    #[must_use]
    pub const fn detector(&self) -> Chen {
        Chen::new(Span::fixed(self.margin()))
    }
}

/// The longest interval that fulfils `wish`, where the distribution of delays is known.
///
/// # Errors
///
/// [`Impossible`] if no interval does.
pub fn known<D: Delay + ?Sized>(
    wish: Wish,
    loss: Probability,
    delay: &D,
) -> Result<Configured, Impossible> {
    answer(
        wish,
        &Known {
            loss: loss.get(),
            delay,
        },
    )
}

/// The longest interval that fulfils `wish` with any distribution of delays that has this mean and deviation: with
/// Cantelli's inequality, and so a little shorter than what a known one allows.
///
/// # Errors
///
/// [`Impossible`] if no interval does.
pub fn estimated(wish: Wish, loss: Probability, delay: Spread) -> Result<Configured, Impossible> {
    answer(
        wish,
        &Unknown {
            loss: loss.get(),
            delay,
        },
    )
}

fn answer(wish: Wish, law: &dyn Law) -> Result<Configured, Impossible> {
    let interval = search::interval(wish, law).ok_or_else(|| Impossible::of(wish, law))?;
    let interval = Duration::from_secs_f64(interval);
    let shift = wish.detection().saturating_sub(interval);
    let delay = Duration::from_secs_f64(law.mean(shift.as_secs_f64()));
    Ok(Configured {
        interval,
        shift,
        delay,
    })
}

//! [`Limit`]: how many calls at once, as a function of what was measured.

mod aimd;
mod gradient;
mod least;

use std::time::Duration;

pub use self::aimd::Aimd;
pub use self::gradient::Gradient;
pub use self::least::LeastRtt;
use crate::BadKnob;

/// Says how many calls may be in flight: a state and what was measured, without a clock.
pub trait Limit {
    /// The limit now.
    fn limit(&self) -> u32;

    /// Takes a round into account.
    fn update(&mut self, round: Round);
}

/// What was measured since the last one: calls that began after it, at least ten of them (or as
/// many as the limit, if that is less).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// The mean time from call to reply of what succeeded; `None` if nothing did.
    pub rtt: Option<Duration>,
    /// The most calls that were in flight when one of them began, that one included.
    pub in_flight: u32,
    /// Whether one failed.
    pub dropped: bool,
}

impl Round {
    /// A round of successes, for tests of a limit; set the fields from there.
    #[must_use]
    pub const fn new(rtt: Duration, in_flight: u32) -> Self {
        Self {
            rtt: Some(rtt),
            in_flight,
            dropped: false,
        }
    }
}

/// A limit between two others.
#[derive(Clone, Copy, Debug)]
struct Between {
    least: u32,
    most: u32,
    at: f64,
}

impl Between {
    /// From 20, between 20 and 200.
    const DEFAULT: Self = Self {
        least: 20,
        most: 200,
        at: 20.0,
    };

    fn bounds(self, least: u32, most: u32) -> Result<Self, BadKnob> {
        if least == 0 || least > most || most > MOST {
            let value = format!("{least} to {most}");
            let remedy = format!("use 1 or more to {MOST} or less, the lesser first");
            return Err(BadKnob::new("concurrency.between", value, remedy));
        }
        Ok(Self {
            least,
            most,
            ..self
        }
        .set(self.at))
    }

    fn set(mut self, at: f64) -> Self {
        self.at = at.clamp(self.least.into(), self.most.into());
        self
    }

    fn whole(self) -> u32 {
        // A hair below a whole number, by rounding, is that number.
        (self.at + 1e-9) as u32
    }

    /// Whether less than half of it is used: what was measured then says nothing against it.
    fn is_idle(self, in_flight: u32) -> bool {
        f64::from(in_flight) < self.at / 2.0
    }
}

const MOST: u32 = 1_000_000;

/// Each limit starts somewhere and stays between two numbers.
macro_rules! bounded {
    ($limit:ty) => {
        impl $limit {
            /// Stays between `least` and `most`: 1 to a million, 20 to 200 unless set.
            ///
            /// # Errors
            ///
            /// [`BadKnob`](crate::BadKnob) where they are none, or the wrong way round.
            pub fn between(mut self, least: u32, most: u32) -> Result<Self, crate::BadKnob> {
                self.limit = self.limit.bounds(least, most)?;
                Ok(self)
            }

            /// Starts at `limit`, cut to what it stays between; 20 unless set.
            #[must_use]
            pub fn initial(mut self, limit: u32) -> Self {
                self.limit = self.limit.set(limit.into());
                self
            }
        }
    };
}
use bounded;

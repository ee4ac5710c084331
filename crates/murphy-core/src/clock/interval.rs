//! [`Interval`]: a time of day that admits what it does not know.

use std::fmt;
use std::time::Duration;

use super::Wall;

/// The true time of day lies in here, both ends included: if the bound on the error is right.
///
/// What TrueTime returns (Corbett et al., *Spanner*, OSDI 2012), and what an NTP daemon can say:
/// the local offset, root dispersion and half of the root delay, added up, to both sides.
///
/// # Examples
///
/// ```
/// use murphy_core::clock::{Interval, Wall};
/// use std::time::Duration;
///
/// let (ten, one) = (Wall::from_nanos(10_000_000), Duration::from_millis(1));
/// let first = Interval::around(ten, one);
/// let second = Interval::around(ten + one, one);
/// assert!(!first.certainly_before(second) && !second.certainly_before(first));
/// assert!(first.certainly_before(Interval::around(ten + 3 * one, one)));
/// ```
#[doc(alias = "TrueTime")]
#[doc(alias = "NTP")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    earliest: Wall,
    latest: Wall,
}

impl Interval {
    /// From the earlier of two times of day to the later one.
    #[must_use]
    pub fn new(one: Wall, other: Wall) -> Self {
        Self {
            earliest: one.min(other),
            latest: one.max(other),
        }
    }

    /// A time of day that is wrong by at most `error`. Saturates at the ends of [`Wall`].
    #[must_use]
    pub fn around(wall: Wall, error: Duration) -> Self {
        Self::new(wall - error, wall + error)
    }

    /// It is not earlier than this.
    #[must_use]
    pub const fn earliest(self) -> Wall {
        self.earliest
    }

    /// It is not later than this.
    #[must_use]
    pub const fn latest(self) -> Wall {
        self.latest
    }

    /// The distance of its ends.
    #[must_use]
    pub fn width(self) -> Duration {
        Duration::from_nanos(self.latest.nanos().abs_diff(self.earliest.nanos()))
    }

    /// Whether this may be the time of day.
    #[must_use]
    pub fn contains(self, wall: Wall) -> bool {
        (self.earliest..=self.latest).contains(&wall)
    }

    /// Whether this one is over before the other begins. If neither is, nobody can tell: they may
    /// be the same instant.
    #[must_use]
    pub fn certainly_before(self, other: Self) -> bool {
        self.latest < other.earliest
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.earliest, f)?;
        f.write_str("..=")?;
        fmt::Display::fmt(&self.latest, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_to(earliest: i64, latest: i64) -> Interval {
        Interval::new(Wall::from_nanos(earliest), Wall::from_nanos(latest))
    }

    #[test]
    fn only_what_is_over_is_certainly_before() {
        for (name, one, other, want) in [
            ("apart", (0, 1), (2, 3), true),
            ("at one point", (0, 1), (1, 2), false),
            ("overlapping", (0, 2), (1, 3), false),
            ("within", (0, 3), (1, 2), false),
            ("the same", (0, 1), (0, 1), false),
            ("the other way", (2, 3), (0, 1), false),
        ] {
            let (one, other) = (from_to(one.0, one.1), from_to(other.0, other.1));
            assert_eq!(one.certainly_before(other), want, "{name}");
        }
    }

    #[test]
    fn an_interval_contains_its_ends() {
        let interval = from_to(5, 2);
        let contained = (0..8).filter(|&n| interval.contains(Wall::from_nanos(n)));
        assert_eq!(contained.collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(interval.width(), Duration::from_nanos(3));
        let all = Interval::around(Wall::EPOCH, Duration::MAX);
        assert!(all.contains(Wall::MAX) && all.width() > Duration::from_nanos(u64::MAX - 2));
    }
}

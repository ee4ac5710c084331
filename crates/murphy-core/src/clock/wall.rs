//! [`Wall`]: a reading of a time-of-day clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;
#[expect(
    clippy::disallowed_types,
    reason = "the type that stands for it everywhere else"
)]
use std::time::SystemTime;

use super::Offset;

/// The Gregorian calendar repeats itself after 400 years: 146 097 days.
const FOUR_CENTURIES: Duration = Duration::from_secs(146_097 * 86_400);

/// A time of day, in nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// It is what a machine *believes*: two of them from two machines, or from one machine before and
/// after it was set, say little about which came first. So their difference is an [`Offset`],
/// which can be negative, and never a [`Duration`].
///
/// From 1677-09-21 to 2262-04-11; arithmetic saturates there and never panics. Printed as RFC 3339
/// in UTC, with as many digits as there are, or as asked for (`{wall:.3}`: 0, 3, 6 or 9).
///
/// # Examples
///
/// ```
/// use murphy_core::clock::{Offset, Wall};
/// use std::time::Duration;
///
/// let before: Wall = "2024-01-01T10:00:05.123Z".parse()?;
/// let after: Wall = "2024-01-01T10:00:04.999Z".parse()?;
/// assert_eq!(after - before, Offset::behind(Duration::from_millis(124)));
/// assert_eq!((after - before).to_string(), "-124ms");
/// # Ok::<(), murphy_core::clock::BadWall>(())
/// ```
#[doc(alias = "time-of-day clock")]
#[doc(alias = "time.time")]
#[doc(alias = "timestamp")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

/// A text that is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a time of day: {remedy}")]
pub struct BadWall {
    /// What was given, cut after 64 characters.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl Wall {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The first one: 1677-09-21T00:12:43.145224192Z.
    pub const MIN: Self = Self(i64::MIN);
    /// The last one: 2262-04-11T23:47:16.854775807Z.
    pub const MAX: Self = Self(i64::MAX);

    /// So many nanoseconds after 1970-01-01T00:00:00Z, or before it.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

/// Saturates.
impl Add<Offset> for Wall {
    type Output = Self;

    fn add(self, by: Offset) -> Self {
        Self(self.0.saturating_add(by.nanos()))
    }
}

/// Saturates.
impl Sub<Offset> for Wall {
    type Output = Self;

    fn sub(self, by: Offset) -> Self {
        Self(self.0.saturating_sub(by.nanos()))
    }
}

/// Saturates.
impl Add<Duration> for Wall {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(nanos(by)))
    }
}

/// Saturates.
impl Sub<Duration> for Wall {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(nanos(by)))
    }
}

/// How far ahead the left one is: negative when it is the earlier one. Saturates.
impl Sub for Wall {
    type Output = Offset;

    fn sub(self, earlier: Self) -> Offset {
        Offset::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The nearest one that there is.
#[expect(clippy::disallowed_types, reason = "the way in")]
impl From<SystemTime> for Wall {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Self::EPOCH + since,
            Err(before) => Self::EPOCH - before.duration(),
        }
    }
}

/// The epoch, on a system whose time cannot be so early.
#[expect(clippy::disallowed_types, reason = "the way out")]
impl From<Wall> for SystemTime {
    fn from(wall: Wall) -> Self {
        let distance = Duration::from_nanos(wall.0.unsigned_abs());
        let time = match wall.0 >= 0 {
            true => Self::UNIX_EPOCH.checked_add(distance),
            false => Self::UNIX_EPOCH.checked_sub(distance),
        };
        time.unwrap_or(Self::UNIX_EPOCH)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 0 {
            return f.write_str(&rfc3339(*self, Duration::ZERO, f.precision()));
        }
        // humantime has no years before 1970: the same day, four centuries on.
        let text = rfc3339(*self, FOUR_CENTURIES, f.precision());
        let (year, rest) = text.split_at(4);
        let year = year.parse::<u32>().unwrap_or_default().saturating_sub(400);
        write!(f, "{year:04}{rest}")
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wall({self})")
    }
}

/// RFC 3339 in UTC, from 1970 on: `2024-01-01T10:00:05.123Z`.
impl FromStr for Wall {
    type Err = BadWall;

    fn from_str(text: &str) -> Result<Self, BadWall> {
        let bad = |remedy: &str| BadWall {
            value: text.chars().take(64).collect(),
            remedy: remedy.into(),
        };
        let time = humantime::parse_rfc3339(text)
            .map_err(|_| bad("write RFC 3339 in UTC, from 1970 on: `2024-01-01T10:00:05.123Z`"))?;
        match Self::from(time) {
            Self::MAX => Err(bad("use a date before 2262-04-11")),
            wall => Ok(wall),
        }
    }
}

/// All that a [`Wall`] can move by, at most: 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Some time after `wall`, not before 1970.
#[expect(clippy::disallowed_types, reason = "what humantime prints")]
fn rfc3339(wall: Wall, after: Duration, digits: Option<usize>) -> String {
    let time = SystemTime::from(wall) + after;
    match digits {
        None => humantime::format_rfc3339(time).to_string(),
        Some(0) => humantime::format_rfc3339_seconds(time).to_string(),
        Some(1..=3) => humantime::format_rfc3339_millis(time).to_string(),
        Some(4..=6) => humantime::format_rfc3339_micros(time).to_string(),
        Some(_) => humantime::format_rfc3339_nanos(time).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_is_printed_as_rfc_3339() {
        for (nanos, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_704_103_205_123_000_000, "2024-01-01T10:00:05.123000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(Wall::from_nanos(nanos).to_string(), want);
        }
        let wall = Wall::from_nanos(1_704_103_205_123_456_789);
        assert_eq!(format!("{wall:.0}"), "2024-01-01T10:00:05Z");
        assert_eq!(format!("{wall:.3}"), "2024-01-01T10:00:05.123Z");
        assert_eq!(format!("{wall:.6}"), "2024-01-01T10:00:05.123456Z");
    }

    #[test]
    fn what_is_no_time_of_day_is_refused_with_a_remedy() {
        for (text, says) in [
            ("10:00:05", "RFC 3339"),
            ("1969-12-31T23:59:59Z", "from 1970 on"),
            ("2300-01-01T00:00:00Z", "before 2262"),
            ("", "RFC 3339"),
        ] {
            let e = text.parse::<Wall>().unwrap_err().to_string();
            assert!(e.contains(says), "{text}: {e}");
        }
        let long = "9".repeat(1000).parse::<Wall>().unwrap_err();
        assert_eq!(long.value.len(), 64);
    }

    #[test]
    fn a_wall_saturates_at_its_ends() {
        assert_eq!(Wall::MAX + Duration::MAX, Wall::MAX);
        assert_eq!(Wall::MIN - Duration::MAX, Wall::MIN);
        assert_eq!(Wall::MIN + Duration::MAX, Wall::MAX);
        assert_eq!(Wall::MIN - Wall::MAX, Offset::MIN);
        assert_eq!(Wall::MIN - Offset::MIN, Wall::EPOCH);
        assert_eq!(Wall::from(SystemTime::from(Wall::MIN)), Wall::MIN);
        assert_eq!(Wall::from(SystemTime::from(Wall::MAX)), Wall::MAX);
    }

    #[expect(clippy::disallowed_types, reason = "the way there and back")]
    type SystemTime = std::time::SystemTime;
}

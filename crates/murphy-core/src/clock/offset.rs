//! [`Offset`]: how far one clock is from another, or from itself.

use std::fmt;
use std::ops::{Add, Neg, Sub};
use std::time::Duration;

/// A signed length of time, in nanoseconds: up to 292 years ahead or behind.
///
/// What lies between two readings of a wall clock, and what a clock is set by. Arithmetic
/// saturates and never panics. Printed with its sign: `-124ms`, `+1s`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

impl Offset {
    /// Neither ahead nor behind.
    pub const ZERO: Self = Self(0);
    /// The furthest behind.
    pub const MIN: Self = Self(i64::MIN);
    /// The furthest ahead.
    pub const MAX: Self = Self(i64::MAX);

    /// So far ahead: fast. More than 292 years count as [`MAX`](Self::MAX).
    #[must_use]
    pub const fn ahead(by: Duration) -> Self {
        let nanos = by.as_nanos();
        Self(if nanos > i64::MAX as u128 {
            i64::MAX
        } else {
            nanos as i64
        })
    }

    /// So far behind: slow. More than 292 years count as the same.
    #[must_use]
    pub const fn behind(by: Duration) -> Self {
        Self(-Self::ahead(by).0)
    }

    /// So many nanoseconds ahead; behind, if negative.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds ahead; negative ones are behind.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// How far, whichever way.
    #[must_use]
    pub const fn abs(self) -> Duration {
        Duration::from_nanos(self.0.unsigned_abs())
    }

    /// Whether it goes back.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// Saturates.
impl Add for Offset {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Saturates.
impl Sub for Offset {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Saturates.
impl Neg for Offset {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// Ahead.
impl From<Duration> for Offset {
    fn from(by: Duration) -> Self {
        Self::ahead(by)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_negative() { "-" } else { "+" })?;
        fmt::Debug::fmt(&self.abs(), f)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offset({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_has_a_sign() {
        for (offset, want) in [
            (Offset::ahead(Duration::from_millis(1500)), "+1.5s"),
            (Offset::behind(Duration::from_millis(124)), "-124ms"),
            (Offset::ZERO, "+0ns"),
        ] {
            assert_eq!(offset.to_string(), want);
            assert_eq!((-offset).abs(), offset.abs());
        }
    }

    #[test]
    fn an_offset_saturates_at_its_ends() {
        assert_eq!(Offset::ahead(Duration::MAX), Offset::MAX);
        assert_eq!(Offset::behind(Duration::MAX), -Offset::MAX);
        assert_eq!(-Offset::MIN, Offset::MAX);
        assert_eq!(Offset::MIN + Offset::MIN, Offset::MIN);
        assert_eq!(Offset::MIN.abs(), Duration::from_nanos(1 << 63));
    }
}

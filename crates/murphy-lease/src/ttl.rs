//! [`Ttl`]: for how long a lease is granted.

#[cfg(feature = "serde")]
mod text;

use std::fmt;
use std::time::Duration;

use murphy_core::BadKnob;

/// For how long a lease is granted, from 1 ms to a day; 10 s by default.
///
/// Longer than the longest pause and round trip together that the holder is to survive; as short as the rest can wait
/// for a dead holder.
///
/// With the feature `serde` it is read from a text, `"10s"`, `"1m 30s"`, `"250ms"` (of at most 128 characters), or from what it is
/// written as: serde's form of a `Duration`, `{"secs": 10, "nanos": 0}`. A format that is not for people has the latter only. One that is
/// out of range is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(Duration);

impl Ttl {
    /// The shortest: a millisecond.
    pub const MIN: Self = Self(Duration::from_millis(1));
    /// The longest: a day.
    pub const MAX: Self = Self(Duration::from_secs(24 * 60 * 60));

    /// A lease of this length.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] below 1 ms or above a day.
    pub fn try_new(ttl: Duration) -> Result<Self, BadKnob> {
        if (Self::MIN.0..=Self::MAX.0).contains(&ttl) {
            Ok(Self(ttl))
        } else {
            let value = format!("{ttl:?}");
            Err(BadKnob::new(
                "ttl",
                value,
                "use 1 ms to 24 h; 10 s suits most",
            ))
        }
    }

    /// A lease of whole seconds, brought into the range: no second is 1 ms, and more than a day is a day.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self::clamped(Duration::from_secs(seconds as u64))
    }

    /// A lease of whole milliseconds, brought into the range.
    #[must_use]
    pub const fn from_millis(millis: u32) -> Self {
        Self::clamped(Duration::from_millis(millis as u64))
    }

    /// The nearest in the range.
    const fn clamped(ttl: Duration) -> Self {
        let (min, max) = (Self::MIN.0.as_nanos(), Self::MAX.0.as_nanos());
        match ttl.as_nanos() {
            nanos if nanos < min => Self::MIN,
            nanos if nanos > max => Self::MAX,
            _ => Self(ttl),
        }
    }

    /// The length.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self::from_secs(10)
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = BadKnob;

    fn try_from(ttl: Duration) -> Result<Self, BadKnob> {
        Self::try_new(ttl)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_out_of_range_are_refused_or_brought_in() {
        for (ttl, fits) in [
            (Duration::ZERO, false),
            (Duration::from_millis(1), true),
            (Duration::from_secs(86_400), true),
            (Duration::from_secs(86_401), false),
            (Duration::MAX, false),
        ] {
            assert_eq!(Ttl::try_new(ttl).is_ok(), fits, "{ttl:?}");
        }
        let said = Ttl::try_new(Duration::ZERO).unwrap_err().to_string();
        assert_eq!(said, "`ttl = 0ns`: use 1 ms to 24 h; 10 s suits most");
        assert_eq!(Ttl::from_secs(0), Ttl::MIN);
        assert_eq!(Ttl::from_secs(u32::MAX), Ttl::MAX);
    }
}

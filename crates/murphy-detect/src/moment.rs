//! [`Moment`]: an instant of the observer's, in eight bytes.

use std::fmt;
use std::time::Duration;

/// An instant on the observer's monotonic clock, as nanoseconds since its monitor began.
///
/// Arithmetic saturates, after 584 years.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The beginning.
    pub const ZERO: Self = Self(0);
    /// Never.
    pub const MAX: Self = Self(u64::MAX);

    /// So many nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// So much after the beginning.
    #[must_use]
    pub fn after(since: Duration) -> Self {
        Self::ZERO.plus(since)
    }

    /// So much later, [`MAX`](Self::MAX) at most.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How many nanoseconds after `earlier` this is; none if it is not.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long after `earlier` this is; nothing if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:?}", Duration::from_nanos(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment::MAX.plus(second), Moment::MAX);
        assert_eq!(Moment::ZERO.plus(Duration::MAX), Moment::MAX);
        assert_eq!(Moment::ZERO.since(Moment::MAX), Duration::ZERO);
        assert_eq!(Moment::after(second).since(Moment::ZERO), second);
    }
}

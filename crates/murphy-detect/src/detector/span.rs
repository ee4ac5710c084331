//! [`Span`]: how long, in intervals of the sender.

use std::time::Duration;

use crate::BadKnob;
use crate::knob::within;

/// A length of time that grows with the sender's interval: so many intervals, and so much more.
///
/// "Two beats may be lost, and the network may be late by 100 ms" is
/// `Span::intervals(2.0)?.plus(Duration::from_millis(100))`, whoever beats how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    intervals: f64,
    plus: Duration,
}

impl Span {
    /// The same for every sender.
    #[must_use]
    pub const fn fixed(length: Duration) -> Self {
        Self::new(0.0, length)
    }

    /// So many intervals; a fraction is fine.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not a number from 0 to 1000.
    pub fn intervals(intervals: f64) -> Result<Self, BadKnob> {
        let intervals = within("intervals", intervals, 0.0, 1e3)?;
        Ok(Self::new(intervals, Duration::ZERO))
    }

    /// So much more.
    #[must_use]
    pub const fn plus(self, more: Duration) -> Self {
        Self::new(self.intervals, self.plus.saturating_add(more))
    }

    /// How long that is where beats come every `interval`.
    #[must_use]
    pub fn of(&self, interval: Duration) -> Duration {
        Duration::from_nanos(self.nanos(saturated(interval)))
    }

    /// Whether it is nothing, whatever the interval.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.intervals == 0.0 && self.plus.is_zero()
    }

    pub(super) const fn new(intervals: f64, plus: Duration) -> Self {
        Self { intervals, plus }
    }

    /// In nanoseconds, of an interval in nanoseconds.
    #[inline]
    pub(super) fn nanos(&self, interval: u64) -> u64 {
        let scaled = (self.intervals * interval as f64) as u64;
        scaled.saturating_add(saturated(self.plus))
    }
}

/// A duration's nanoseconds, or 584 years.
#[inline]
pub(super) fn saturated(d: Duration) -> u64 {
    let whole = d.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::from(d.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_so_many_intervals_and_so_much_more() {
        let span = Span::intervals(2.0)
            .unwrap()
            .plus(Duration::from_millis(100));
        for (interval, want) in [(0, 100), (50, 200), (1000, 2100)] {
            let interval = Duration::from_millis(interval);
            assert_eq!(span.of(interval), Duration::from_millis(want));
        }
        assert_eq!(Span::fixed(Duration::MAX).nanos(1), u64::MAX);
    }

    #[test]
    fn what_is_no_number_of_intervals_is_refused() {
        for bad in [-1.0, 1e4, f64::NAN, f64::INFINITY] {
            let error = Span::intervals(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`intervals = {bad}`: use 0 to 1000")
            );
        }
    }
}

//! Clocks that nobody bends: tokio's, and the system's.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use super::{Clock, Interval, Sleep, Wall};

/// More than what a timer of tokio's is rounded up by.
const ROUNDING: Duration = Duration::from_secs(1);

/// tokio's clock: the system's monotonic one, or virtual time under a paused runtime.
///
/// Its time of day is the system's as it was when the process first asked, and from there on tokio's
/// monotonic time: it never goes back, is virtual where time is virtual, and hears nothing of NTP
/// any more. Where the real one matters for long, use [`SystemClock`]. Its bound has no width.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Wall {
        let (instant, wall) = anchor();
        let now = Instant::now();
        // A paused runtime that is older than the anchor may stand before it.
        wall + now.saturating_duration_since(instant) - instant.saturating_duration_since(now)
    }

    /// # Panics
    ///
    /// The future, when polled outside of a tokio runtime with its timer enabled.
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(sleep_until(deadline))
    }
}

/// Waits for it on tokio's clock.
pub(super) async fn sleep_until(deadline: Instant) {
    // tokio rounds up to the millisecond: what cannot be rounded never comes.
    match deadline.checked_add(ROUNDING) {
        Some(_) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// tokio's monotonic clock, and the system's time of day: it goes back when somebody sets it.
///
/// The time of day is the machine's also under a paused runtime. How wrong it may be, no library
/// can know: say so by [`error`](Self::error), from what the NTP daemon reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock {
    error: Duration,
}

impl SystemClock {
    /// The system's clocks; their error is taken to be nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            error: Duration::ZERO,
        }
    }

    /// Takes the time of day to be wrong by at most `error`. Nothing by default.
    #[must_use]
    pub const fn error(mut self, error: Duration) -> Self {
        self.error = error;
        self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_types, reason = "the one place that reads it")]
    fn wall(&self) -> Wall {
        std::time::SystemTime::now().into()
    }

    fn bound(&self) -> Interval {
        Interval::around(self.wall(), self.error)
    }

    /// # Panics
    ///
    /// As [`TokioClock`]'s.
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        TokioClock.sleep_until(deadline)
    }
}

/// One instant by both clocks, the same for the whole process.
#[expect(
    clippy::disallowed_types,
    reason = "the one place that compares the two clocks"
)]
fn anchor() -> (Instant, Wall) {
    static ANCHOR: OnceLock<(Instant, Wall)> = OnceLock::new();
    // The system's instant and not tokio's, which may already be far ahead.
    *ANCHOR.get_or_init(|| {
        let instant = std::time::Instant::now();
        (instant.into(), std::time::SystemTime::now().into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Offset;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_of_a_paused_runtime_is_virtual() {
        let (wall, now) = (TokioClock.wall(), TokioClock.now());
        TokioClock.sleep_until(now + HOUR).await;
        assert_eq!(TokioClock.wall() - wall, Offset::ahead(HOUR));
        assert_eq!(TokioClock.now() - now, HOUR);
        assert_eq!(TokioClock.bound().width(), Duration::ZERO);
    }

    #[test]
    fn both_clocks_agree_on_the_day() {
        let apart = SystemClock::new().wall() - TokioClock.wall();
        assert!(apart.abs() < HOUR, "{apart}");
    }

    #[test]
    fn an_error_is_believed_to_both_sides() {
        let bound = SystemClock::new().error(HOUR).bound();
        assert_eq!(bound.width(), 2 * HOUR);
        assert!(bound.contains(SystemClock::new().wall()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_at_the_end_of_time_never_comes() {
        let mut last = Instant::now();
        let seconds = (0..64).map(|shift| Duration::from_secs(1 << shift));
        let nanos = (0..30).map(|shift| Duration::from_nanos(1 << shift));
        for step in seconds.rev().chain(nanos.rev()) {
            last = last.checked_add(step).unwrap_or(last);
        }
        let never = TokioClock.sleep_until(last);
        assert!(tokio::time::timeout(HOUR, never).await.is_err());
    }
}

//! Clocks. The only place in the workspace that reads one which is not tokio's.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// A monotonic clock: it never goes back.
pub trait Clock {
    /// The present instant.
    fn now(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Instant {
        (**self).now()
    }
}

/// tokio's clock: the system's monotonic one, or virtual time under a paused runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that stands still until it is told.
///
/// # Examples
///
/// ```
/// use murphy_core::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now() - before, Duration::from_secs(3));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Instant>,
}

impl ManualClock {
    /// A clock that starts at the present instant of tokio's.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: Mutex::new(Instant::now()),
        }
    }

    /// Moves the clock on. Past the end of what an instant can hold, it stays where it is.
    pub fn advance(&self, by: Duration) {
        let mut now = self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(*now);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether tokio's clock is paused here: time is virtual and moves only when everything waits.
///
/// tokio has no question for it, so this watches both clocks until the system's has moved
/// (at most a few microseconds). Outside a runtime: `false`.
#[must_use]
#[expect(
    clippy::disallowed_types,
    reason = "the one place that compares the two clocks"
)]
pub fn is_paused() -> bool {
    let virtual_start = Instant::now();
    let system_start = std::time::Instant::now();
    // tokio's clock is read after the system's has moved: a running one must have moved as well.
    while system_start.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    Instant::now() == virtual_start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_is_recognised() {
        assert!(is_paused());
    }

    #[tokio::test]
    async fn a_running_clock_is_recognised() {
        assert!(!is_paused());
    }

    #[test]
    fn without_a_runtime_time_runs() {
        assert!(!is_paused());
    }

    #[test]
    fn a_manual_clock_survives_the_end_of_time() {
        let clock = ManualClock::new();
        let before = clock.now();
        clock.advance(Duration::MAX);
        assert!(clock.now() >= before);
    }
}

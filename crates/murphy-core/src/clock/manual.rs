//! [`ManualClock`]: a clock that stands still until it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Clock, Offset, Sleep, Wall};

/// A clock that stands still until it is told. Clones share it.
///
/// Its time of day begins at [`Wall::EPOCH`], the same in every run. Sleepers wake when it is moved
/// on; they need no runtime's timer.
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
#[derive(Clone, Debug)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reading: Mutex<(Instant, Wall)>,
    moved: watch::Sender<()>,
}

impl ManualClock {
    /// A clock that starts at the present instant of tokio's.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                reading: Mutex::new((Instant::now(), Wall::EPOCH)),
                moved: watch::Sender::new(()),
            }),
        }
    }

    /// Moves both clocks on. Past the end of what an instant can hold, that one stays where it is.
    pub fn advance(&self, by: Duration) {
        self.shared.change(|(now, wall)| {
            *now = now.checked_add(by).unwrap_or(*now);
            *wall = *wall + by;
        });
    }

    /// Sets the time of day, forward or back; the monotonic clock does not move.
    pub fn set_wall(&self, to: Wall) {
        self.shared.change(|(_, wall)| *wall = to);
    }

    /// Sets the time of day by so much, forward or back; the monotonic clock does not move.
    pub fn jump(&self, by: Offset) {
        self.shared.change(|(_, wall)| *wall = *wall + by);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.shared.reading().0
    }

    fn wall(&self) -> Wall {
        self.shared.reading().1
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let shared = Arc::clone(&self.shared);
        Sleep::new(async move {
            let mut moved = shared.moved.subscribe();
            // What moves after the subscription is not missed. The sender is ours: no error.
            while shared.reading().0 < deadline && moved.changed().await.is_ok() {}
        })
    }
}

impl Shared {
    fn reading(&self) -> MutexGuard<'_, (Instant, Wall)> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut (Instant, Wall))) {
        how(&mut self.reading());
        self.moved.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_manual_clock_survives_the_end_of_time() {
        let clock = ManualClock::new();
        let before = clock.now();
        clock.advance(Duration::MAX);
        assert!(clock.now() >= before);
        assert_eq!(clock.wall(), Wall::MAX);
    }

    #[test]
    fn the_time_of_day_can_be_set_back() {
        let (clock, before) = (ManualClock::new(), ManualClock::new().now());
        clock.advance(SECOND);
        clock.jump(Offset::behind(3 * SECOND));
        assert_eq!(clock.wall() - Wall::EPOCH, Offset::behind(2 * SECOND));
        clock.set_wall(Wall::EPOCH);
        assert_eq!(clock.wall(), Wall::EPOCH);
        assert!(clock.now() >= before);
    }

    #[test]
    fn a_sleeper_wakes_when_it_is_told() {
        let clock = ManualClock::new();
        let mut sleep = tokio_test::task::spawn(clock.sleep_until(clock.now() + SECOND));
        assert!(sleep.poll().is_pending());
        clock.advance(SECOND - Duration::from_nanos(1));
        assert!(sleep.poll().is_pending(), "not a nanosecond early");
        clock.clone().advance(Duration::from_nanos(1));
        assert!(sleep.is_woken());
        assert!(sleep.poll().is_ready());
    }
}

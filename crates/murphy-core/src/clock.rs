//! Clocks: those that can be trusted, and those that cannot.
//!
//! A machine has two. Its *monotonic* clock measures how long something took: it never goes back,
//! has no date, and means nothing to another machine. Its *time of day* can be shown to people: it
//! is set now and then, also back, and differs from machine to machine. [`Clock`] has both, and
//! their types keep them apart: an [`Instant`] has no date, and the difference of two [`Wall`]s has
//! a sign.
//!
//! * [`TokioClock`] and [`SystemClock`] are true ones; the first is virtual under a paused runtime.
//! * [`BootClock`] is tokio's, and counts what the machine slept.
//! * [`ManualClock`] stands still until it is told.
//! * [`SkewedClock`] is the clocks of a machine that is fast, slow, set, frozen or suspended.
//!
//! This is the only module of the workspace that reads a clock which is not tokio's.

mod bend;
mod boot;
mod drift;
mod interval;
mod manual;
mod offset;
mod skewed;
mod sleep;
mod suspended;
mod system;
mod wall;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::boot::BootClock;
pub use self::drift::{BadDrift, Drift};
pub use self::interval::Interval;
pub use self::manual::ManualClock;
pub use self::offset::Offset;
pub use self::skewed::SkewedClock;
pub use self::sleep::Sleep;
pub use self::suspended::Suspended;
pub use self::system::{SystemClock, TokioClock};
pub use self::wall::{BadWall, Wall};

/// The clocks of a machine.
///
/// Can be shared as an `Arc<dyn Clock>`.
pub trait Clock: Send + Sync {
    /// The present instant. Never before one that was read earlier.
    #[doc(alias = "monotonic clock")]
    #[doc(alias = "time.monotonic")]
    fn now(&self) -> Instant;

    /// The time of day. Can go back.
    fn wall(&self) -> Wall;

    /// The time of day with the bound on its error that the machine believes in. Without one, as
    /// by default, the interval has no width.
    fn bound(&self) -> Interval {
        Interval::around(self.wall(), Duration::ZERO)
    }

    /// Waits until [`now`](Self::now) is at or past this clock's own `deadline`: maybe later, as
    /// timers are (tokio's are whole milliseconds), never earlier.
    ///
    /// # Cancel safety
    ///
    /// Safe: a wait that was dropped begins anew with the same deadline.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn wall(&self) -> Wall {
        (**self).wall()
    }

    fn bound(&self) -> Interval {
        (**self).bound()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        (**self).sleep_until(deadline)
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn wall(&self) -> Wall {
        (**self).wall()
    }

    fn bound(&self) -> Interval {
        (**self).bound()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        (**self).sleep_until(deadline)
    }
}

/// Waits until `wall` is certainly in the past: until [`Clock::bound`] begins after it.
///
/// Commit wait (Corbett et al., *Spanner*, OSDI 2012, §4.1.2): whoever stamps an event with
/// [`Interval::latest`], and waits for it to pass before anybody hears of the event, has stamps in
/// the order of events on all machines whose bounds are right. With an error of ε that takes 2 ε.
///
/// If the time of day is set meanwhile it looks again when the time is up by the old one: later
/// than necessary, never earlier. For [`Wall::MAX`] it waits for ever.
///
/// # Cancel safety
///
/// Safe: begin anew.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::clock::{Clock, SkewedClock, wait_past};
/// use std::time::Duration;
///
/// let clock = SkewedClock::new().error(Duration::from_millis(4));
/// let stamp = clock.bound().latest();
/// wait_past(&clock, stamp).await;
/// assert!(clock.bound().earliest() > stamp);
/// # });
/// ```
#[doc(alias = "commit wait")]
pub async fn wait_past<C: Clock + ?Sized>(clock: &C, wall: Wall) {
    loop {
        let earliest = clock.bound().earliest();
        if earliest > wall {
            return;
        }
        let left = (wall - earliest)
            .abs()
            .saturating_add(Duration::from_nanos(1));
        match clock.now().checked_add(left) {
            Some(deadline) => clock.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
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
}

//! [`BootClock`]: tokio's clock, and what the machine slept.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Clock, Sleep, TokioClock, Wall};

/// tokio's clock, and what the machine has slept since the process first asked: a lease goes on while a laptop is
/// shut or a virtual machine suspended, and `Instant` does not know it.
///
/// On Linux and Android that is `CLOCK_BOOTTIME` less `CLOCK_MONOTONIC`; elsewhere this is [`TokioClock`], which counts
/// suspension on Windows and does not on Apple's systems. All of a process show the same time. It never goes back.
///
/// Its sleepers look again each second of tokio's time, so that one whose time came in the sleep wakes within a second of the
/// machine. Under a paused runtime time is virtual; a machine that is put to sleep during the run moves it on.
///
/// A machine that is *stopped* without being told (a hypervisor that freezes it) has clocks that stood still, and no clock of
/// its own can tell.
///
/// # Examples
///
/// ```
/// use murphy_core::clock::{BootClock, Clock};
///
/// let before = BootClock.now();
/// assert!(BootClock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CLOCK_BOOTTIME")]
#[doc(alias = "suspend")]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Instant {
        Awake::<System>::of_the_process().now()
    }

    /// As [`TokioClock`]'s, and what the machine slept.
    fn wall(&self) -> Wall {
        let slept = Awake::<System>::of_the_process().slept();
        TokioClock.wall() + slept
    }

    /// # Panics
    ///
    /// The future, when polled outside of a tokio runtime with its timer enabled.
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(sleep_until(Awake::<System>::of_the_process(), deadline))
    }
}

/// How soon a sleeper notices that the machine slept.
const LOOK: Duration = Duration::from_secs(1);

/// The two clocks of a machine that differ by what it slept.
trait Clocks: Send + Sync {
    /// Whether they do.
    const DIFFER: bool;

    /// Counts while the machine sleeps.
    fn boot(&self) -> Duration;

    /// Stands still while it does.
    fn awake(&self) -> Duration;
}

/// What a machine has slept since this was made.
struct Awake<C> {
    clocks: C,
    /// By how much the clocks differed at the beginning: no less.
    began: Duration,
    /// The most that was seen, in nanoseconds.
    slept: AtomicU64,
}

impl<C: Clocks> Awake<C> {
    fn new(clocks: C) -> Self {
        // The clocks cannot be read at once. Here the difference is too large by what lies between the two readings, and
        // below too small: a machine that never slept is never taken to have.
        let differ = || {
            let awake = clocks.awake();
            clocks.boot().saturating_sub(awake)
        };
        let began = (0..8).map(|_| differ()).min().unwrap_or_default();
        let slept = AtomicU64::new(0);
        Self {
            clocks,
            began,
            slept,
        }
    }

    /// Never less than before.
    fn slept(&self) -> Duration {
        if !C::DIFFER {
            return Duration::ZERO;
        }
        let boot = self.clocks.boot();
        let differ = boot.saturating_sub(self.clocks.awake());
        let seen = nanos(differ.saturating_sub(self.began));
        let known = self.slept.load(Ordering::Acquire);
        if seen <= known {
            return Duration::from_nanos(known);
        }
        let known = self.slept.fetch_max(seen, Ordering::AcqRel);
        Duration::from_nanos(known.max(seen))
    }

    fn now(&self) -> Instant {
        // tokio's last: what was slept before it counts, and the sum does not go back.
        let slept = self.slept();
        let now = Instant::now();
        now.checked_add(slept).unwrap_or(now)
    }
}

impl Awake<System> {
    fn of_the_process() -> &'static Self {
        static PROCESS: OnceLock<Awake<System>> = OnceLock::new();
        PROCESS.get_or_init(|| Awake::new(System))
    }
}

async fn sleep_until<C: Clocks + 'static>(awake: &'static Awake<C>, deadline: Instant) {
    loop {
        let now = awake.now();
        if now >= deadline {
            return;
        }
        let left = deadline - now;
        let slice = if C::DIFFER { left.min(LOOK) } else { left };
        // By tokio's clock, and from one reading of it: slices do not add up their rounding.
        match Instant::now().checked_add(slice) {
            Some(at) => TokioClock.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// This machine.
struct System;

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Clocks for System {
    const DIFFER: bool = true;

    fn boot(&self) -> Duration {
        read(rustix::time::ClockId::Boottime)
    }

    fn awake(&self) -> Duration {
        read(rustix::time::ClockId::Monotonic)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn read(clock: rustix::time::ClockId) -> Duration {
    // Neither is ever before its zero.
    rustix::time::clock_gettime(clock)
        .try_into()
        .unwrap_or_default()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Clocks for System {
    const DIFFER: bool = false;

    fn boot(&self) -> Duration {
        Duration::ZERO
    }

    fn awake(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests;

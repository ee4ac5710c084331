//! [`BootClock`]: tokio's clock, and what the machine slept.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Clock, Sleep, TokioClock, Wall, system};

/// tokio's clock, and what the machine has slept since the process first asked: a lease goes on while a laptop is
/// shut or a virtual machine suspended, and `Instant` does not know it.
///
/// On Linux and Android that is `CLOCK_BOOTTIME`, read once; elsewhere this is [`TokioClock`], which counts
/// suspension on Windows and does not on Apple's systems. All of a process show the same time. It never goes back.
///
/// Its sleepers look again each second of tokio's time, so that one whose time came in the sleep wakes within a second of the
/// machine.
///
/// Under a paused runtime time is virtual, and a machine that is put to sleep during the run moves it on. That a runtime is
/// paused is seen by [`new`](Self::new), when a thread first looks at this clock, and when a sleeper wakes too early: pause
/// it at its start. From then on a look takes three readings, in the whole process.
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

impl BootClock {
    /// The clock; sees whether time is virtual here, which takes some microseconds.
    #[must_use]
    pub fn new() -> Self {
        Awake::of_the_process().look();
        Self
    }
}

impl Clock for BootClock {
    #[inline]
    fn now(&self) -> Instant {
        let process = Awake::of_the_process();
        LOOKED.with(|looked| {
            if !looked.replace(true) {
                process.look();
            }
        });
        process.now()
    }

    /// As [`TokioClock`]'s, and what the machine slept.
    fn wall(&self) -> Wall {
        Awake::of_the_process().wall()
    }

    /// # Panics
    ///
    /// The future, when polled outside of a tokio runtime with its timer enabled.
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(sleep_until(Awake::of_the_process(), deadline))
    }
}

thread_local! {
    /// Whether this thread has looked at the time, and so whether its runtime is paused.
    static LOOKED: Cell<bool> = const { Cell::new(false) };
}

/// How soon a sleeper notices that the machine slept.
const LOOK: Duration = Duration::from_secs(1);

/// The two clocks of a machine that differ by what it slept, each since a zero of its own.
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
    /// tokio's instant, when it was not virtual, at the zero of the clock that counts, or before it: so that a look is one
    /// sum. `None` where that is too early for an instant.
    zero: Option<Instant>,
    /// By how much the clocks differed then: no less.
    began: Duration,
    /// The most that was seen, in nanoseconds.
    slept: AtomicU64,
    /// Some runtime was seen to be paused: tokio's time is not the machine's.
    is_virtual: AtomicBool,
}

impl<C: Clocks> Awake<C> {
    #[expect(
        clippy::disallowed_types,
        reason = "the one place that compares the clocks"
    )]
    fn new(clocks: C) -> Self {
        // The clocks cannot be read at once. What is read first here is taken to be as late as what is read last, so the
        // difference is too large by what lies between; below it is too small: a machine that never slept is
        // never taken to have.
        let read = || {
            let (now, awake) = (std::time::Instant::now(), clocks.awake());
            let boot = clocks.boot();
            (boot.saturating_sub(awake), boot, now)
        };
        let readings = (0..8).map(|_| read());
        let (began, boot, now) = readings.min().expect("eight of them");
        Self {
            clocks,
            zero: Instant::from(now).checked_sub(boot),
            began,
            slept: AtomicU64::new(0),
            is_virtual: AtomicBool::new(false),
        }
    }

    fn now(&self) -> Instant {
        if C::DIFFER
            && !self.is_virtual.load(Ordering::Relaxed)
            && let Some(now) = self
                .zero
                .and_then(|zero| zero.checked_add(self.clocks.boot()))
        {
            // Never ahead of the sum below, so that who was here goes back by no step to there.
            return now;
        }
        // tokio's last: what was slept before it counts, and the sum does not go back.
        let slept = self.slept();
        let now = Instant::now();
        now.checked_add(slept).unwrap_or(now)
    }

    fn wall(&self) -> Wall {
        TokioClock.wall() + self.slept()
    }

    /// Sees whether tokio's time is virtual here.
    #[cold]
    fn look(&self) {
        if super::is_paused() {
            self.is_virtual.store(true, Ordering::Relaxed);
        }
    }

    /// Never less than before.
    fn slept(&self) -> Duration {
        if !C::DIFFER {
            return Duration::ZERO;
        }
        let boot = self.clocks.boot();
        let differ = boot.saturating_sub(self.clocks.awake());
        let seen = differ.saturating_sub(self.began).as_nanos();
        // It has not slept 584 years.
        let seen = u64::try_from(seen).unwrap_or(u64::MAX);
        let known = self.slept.load(Ordering::Acquire);
        if seen <= known {
            return Duration::from_nanos(known);
        }
        let known = self.slept.fetch_max(seen, Ordering::AcqRel);
        Duration::from_nanos(known.max(seen))
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
            Some(at) => system::sleep_until(at).await,
            None => std::future::pending().await,
        }
        if awake.now() < deadline {
            awake.look();
        }
    }
}

/// This machine.
struct System;

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Clocks for System {
    const DIFFER: bool = true;

    #[inline]
    fn boot(&self) -> Duration {
        read(rustix::time::ClockId::Boottime)
    }

    fn awake(&self) -> Duration {
        read(rustix::time::ClockId::Monotonic)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn read(clock: rustix::time::ClockId) -> Duration {
    // Neither is ever before its zero.
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
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

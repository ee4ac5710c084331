//! The pure part of a bent clock: local time as a function of true time.
//!
//! ```text
//! local = L0 + (T - T0) · (1 + drift)      while it runs
//! local = L0                               while it is frozen, or asleep
//! ```
//!
//! Each change moves the anchor `(T0, L0)` to where the clock stands, so local time is continuous.
//! True time is what has passed since the clock was made, and so is local monotonic time.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{Drift, Offset, Suspended, Wall};

/// A thousand years after it was made, a bent clock stands still.
const END: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// Where a bent clock stands.
#[derive(Clone, Debug)]
pub(super) struct Bend {
    /// The latest true time that was seen: if the base goes back, it stands still instead.
    seen: Duration,
    since: Duration,
    mono: Duration,
    wall: Wall,
    drift: Drift,
    frozen: bool,
    asleep: Option<Asleep>,
    slew: Option<Slew>,
}

/// A machine that is suspended, and what its clocks gain when it wakes.
#[derive(Clone, Copy, Debug)]
struct Asleep {
    until: Duration,
    mono: Duration,
    wall: Duration,
}

/// What is left of a slew: `by`, spread over so many local nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Slew {
    by: i64,
    over: u64,
}

/// When a local instant comes, in true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Duration),
    /// Not unless something changes.
    Never,
}

impl Bend {
    pub(super) fn new(wall: Wall) -> Self {
        Self {
            seen: Duration::ZERO,
            since: Duration::ZERO,
            mono: Duration::ZERO,
            wall,
            drift: Drift::NONE,
            frozen: false,
            asleep: None,
            slew: None,
        }
    }

    /// True time has come this far.
    pub(super) fn see(&mut self, true_time: Duration) {
        self.seen = self.seen.max(true_time);
        self.wake();
    }

    pub(super) fn mono(&self) -> Duration {
        self.mono.saturating_add(self.gained()).min(END)
    }

    pub(super) fn wall(&self) -> Wall {
        let gained = self.gained();
        let slewed = self.slew.map_or(0, |slew| slew.applied(gained));
        self.wall + gained + Offset::from_nanos(slewed)
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The earliest true time at which [`mono`](Self::mono) is at least `local`.
    pub(super) fn due(&self, local: Duration) -> Due {
        if self.mono() >= local {
            return Due::Now;
        }
        if self.frozen || local > END {
            return Due::Never;
        }
        let (from, mono) = match self.asleep {
            // ## Asleep. It wakes there, and may then already be past the deadline.
            Some(asleep) => (asleep.until, self.mono.saturating_add(asleep.mono)),
            None => (self.since, self.mono),
        };
        let runs = self.drift.elapsed(local.saturating_sub(mono));
        match runs.and_then(|runs| from.checked_add(runs)) {
            Some(at) => Due::At(at),
            None => Due::Never,
        }
    }

    pub(super) fn set_drift(&mut self, drift: Drift) {
        self.anchor();
        self.drift = drift;
    }

    pub(super) fn set_wall(&mut self, to: Wall) {
        self.anchor();
        self.wall = to;
        self.slew = None;
        if let Some(asleep) = &mut self.asleep {
            // What passed before has been set right with the rest.
            asleep.wall = asleep.until.saturating_sub(self.seen);
        }
    }

    pub(super) fn jump(&mut self, by: Offset) {
        // Only added to what it shows: no anchor to move.
        self.wall = self.wall + by;
    }

    pub(super) fn slew(&mut self, by: Offset, over: Duration) {
        self.anchor();
        let left = self.slew.map_or(0, |slew| slew.by);
        let slew = Slew {
            by: by.nanos().saturating_add(left),
            over: Offset::ahead(over).nanos().unsigned_abs(),
        };
        if slew.over == 0 {
            self.wall = self.wall + Offset::from_nanos(slew.by);
        }
        self.slew = (slew.over > 0).then_some(slew);
    }

    pub(super) fn freeze(&mut self) {
        self.anchor();
        self.frozen = true;
    }

    pub(super) fn thaw(&mut self) {
        self.anchor();
        self.frozen = false;
        self.wake();
    }

    /// Asleep for so much true time from now on; for so much longer, if it is already.
    pub(super) fn suspend(&mut self, by: Duration, mode: Suspended) {
        self.anchor();
        let counted = match mode {
            Suspended::Counts => by,
            Suspended::IsLost => Duration::ZERO,
        };
        let asleep = self.asleep.get_or_insert(Asleep {
            until: self.seen,
            mono: Duration::ZERO,
            wall: Duration::ZERO,
        });
        asleep.until = asleep.until.saturating_add(by);
        asleep.wall = asleep.wall.saturating_add(by);
        asleep.mono = asleep.mono.saturating_add(counted);
        self.wake();
    }

    /// ## Asleep => running, if it is time. A frozen machine does not notice until it thaws.
    fn wake(&mut self) {
        if self.frozen {
            return;
        }
        if let Some(asleep) = self.asleep.filter(|asleep| asleep.until <= self.seen) {
            self.asleep = None;
            self.since = self.since.max(asleep.until);
            self.mono = self.mono.saturating_add(asleep.mono).min(END);
            self.wall = self.wall + asleep.wall;
        }
    }

    /// Moves the anchor to where the clock stands.
    fn anchor(&mut self) {
        let (mono, wall, gained) = (self.mono(), self.wall(), self.gained());
        self.slew = self.slew.and_then(|slew| slew.after(gained));
        (self.since, self.mono, self.wall) = (self.seen, mono, wall);
    }

    /// What the clock has moved on by since its anchor.
    fn gained(&self) -> Duration {
        if self.frozen || self.asleep.is_some() {
            return Duration::ZERO;
        }
        let elapsed = self.seen.saturating_sub(self.since);
        self.drift.local(elapsed).min(END)
    }
}

impl Slew {
    /// How much of it has been done when the clock has gained this much.
    fn applied(self, gained: Duration) -> i64 {
        let gained = gained.as_nanos().min(u128::from(self.over)) as i128;
        // Less than `by`, which is an i64; 2⁶³ · 2⁶³ fits.
        (i128::from(self.by) * gained / i128::from(self.over)) as i64
    }

    fn after(self, gained: Duration) -> Option<Self> {
        let gone = u64::try_from(gained.as_nanos()).unwrap_or(u64::MAX);
        let over = self.over.saturating_sub(gone);
        let by = self.by.saturating_sub(self.applied(gained));
        (over > 0).then_some(Self { by, over })
    }
}

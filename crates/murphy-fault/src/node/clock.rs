//! [`NodeClock`] and [`Bend`]: the clock of a node, and what goes wrong with it.

use std::fmt;
use std::time::Duration;

use murphy_core::clock::{Drift, Interval, Offset, Sleep, Suspended};
use murphy_core::{Clock, SkewedClock, Wall};
use tokio::time::Instant;

use super::Node;
use crate::event::{NotArmed, Verb};

/// The clock of a node: what its code reads and sleeps by. From [`Node::clock`].
///
/// It is right until the node [bends](Node::bend) it. Its monotonic time never goes back, its time
/// of day may. A pause of the node does not stop it: that is what makes a pause dangerous.
/// A handle: clones are the same clock.
#[derive(Clone, Debug)]
pub struct NodeClock(SkewedClock);

/// What goes wrong with a clock.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "clock skew")]
pub enum Bend {
    /// Its time of day is set, forward or back: an NTP step. Its monotonic time does not notice.
    Jump(Offset),
    /// It runs fast or slow, both its times do.
    Drift(Drift),
    /// It stands still, both its times do: the machine is suspended and nobody has noticed.
    Freeze,
    /// Its machine was suspended for so long, and wakes with the right time of day. Whether its
    /// monotonic time counted is for the operating system to say. Nothing undoes it.
    Suspend(Duration, Suspended),
    /// It says that its time of day may be wrong by so much, either way.
    Error(Duration),
}

/// A clock that was bent. Dropping it undoes that bend: a jump is jumped back, a drift ends where it
/// has led to, a frozen clock goes on.
#[derive(Debug)]
#[must_use = "dropping it undoes the bend at once"]
pub struct Bent {
    node: Node,
    bend: Bend,
    kept: bool,
}

impl Node {
    /// The clock of the node.
    #[must_use]
    pub fn clock(&self) -> NodeClock {
        NodeClock(self.core.clock.clone())
    }

    /// Bends the clock of the node. The end of the run makes it right again: it goes on, at the
    /// right rate, and with the right time of day. (A suspension that is on ends by itself.)
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    pub fn bend(&self, bend: Bend) -> Result<Bent, NotArmed> {
        let chaos = self.chaos.as_ref().ok_or(NotArmed)?;
        let whom = format!("{}: {bend}", self.name());
        let run = self.only.or_else(|| chaos.version()).ok_or(NotArmed)?;
        chaos.disturb(Some(run), Verb::Clock, &whom, || ())?;
        // Sleepers are woken by this, so no lock may be held. A run that ends meanwhile has its
        // clocks put right below.
        bend.apply(&self.core.clock);
        if !self.core.switch.is_armed() {
            heal(&self.core.clock);
        }
        Ok(Bent {
            node: self.clone().during(run),
            bend,
            kept: false,
        })
    }
}

impl Bend {
    fn apply(self, clock: &SkewedClock) {
        match self {
            Self::Jump(by) => clock.jump(by),
            Self::Drift(drift) => clock.set_drift(drift),
            Self::Freeze => clock.freeze(),
            Self::Suspend(by, counts) => clock.suspend(by, counts),
            Self::Error(error) => clock.set_error(error),
        }
    }

    fn undo(self, clock: &SkewedClock) {
        match self {
            Self::Jump(by) => clock.jump(-by),
            Self::Drift(_) => clock.set_drift(Drift::NONE),
            Self::Freeze => clock.thaw(),
            Self::Suspend(..) => {}
            Self::Error(_) => clock.set_error(Duration::ZERO),
        }
    }
}

/// Makes a clock right again.
pub(super) fn heal(clock: &SkewedClock) {
    clock.thaw();
    clock.set_drift(Drift::NONE);
    clock.set_error(Duration::ZERO);
    clock.sync();
}

impl Bent {
    /// Leaves the clock as it is without the guard, until the end of the run.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Bent {
    fn drop(&mut self) {
        let Some(chaos) = self.node.chaos.as_ref().filter(|_| !self.kept) else {
            return;
        };
        // Of the run that bent it, and no other: the end of that one has undone everything.
        let whom = format!("{}: undo {}", self.node.name(), self.bend);
        let only = self.node.only;
        if chaos.disturb(only, Verb::Clock, &whom, || ()).is_ok() {
            self.bend.undo(&self.node.core.clock);
        }
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall(&self) -> Wall {
        self.0.wall()
    }

    fn bound(&self) -> Interval {
        self.0.bound()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.0.sleep_until(deadline)
    }
}

impl fmt::Display for Bend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = humantime::format_duration;
        match self {
            Self::Jump(by) => write!(f, "jump by {by}"),
            Self::Drift(drift) => write!(f, "drift by {} ppm", drift.as_ppm()),
            Self::Freeze => f.write_str("freeze"),
            Self::Suspend(by, Suspended::IsLost) => write!(f, "suspend for {}", span(*by)),
            Self::Suspend(by, Suspended::Counts) => {
                write!(f, "suspend for {}, which counts", span(*by))
            }
            Self::Error(error) => write!(f, "may be wrong by {}", span(*error)),
        }
    }
}

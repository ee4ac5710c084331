//! [`NodeClock`] and [`Bend`]: the clock of a node, and what goes wrong with it.

use std::fmt;
use std::time::Duration;

use murphy_core::clock::{Drift, Interval, Offset, Sleep, Suspended};
use murphy_core::{Clock, SkewedClock, Wall};
use tokio::time::Instant;

use super::{Away, Node};
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

/// A clock that was bent. Dropping it undoes that bend and no other: a jump is jumped back, a drift
/// ends where it has led to, a frozen clock goes on. Of several of a kind the latest counts, and
/// the one before it when that is gone; a clock stands still until no guard holds it any more.
#[derive(Debug)]
#[must_use = "dropping it undoes the bend at once"]
pub struct Bent {
    node: Away,
    number: u64,
    bend: Bend,
}

/// The bends that are on, in the order in which they came, and the clock that they bend.
///
/// It is changed under the lock that runs begin and end under, so that no bend of one run is felt
/// in another; sleepers are woken after that.
#[derive(Debug)]
pub(super) struct Bends {
    /// By a handle that wakes nobody.
    clock: SkewedClock,
    on: Vec<On>,
    numbers: u64,
}

#[derive(Debug)]
struct On {
    number: u64,
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
        let change = || self.core.bends().add(bend);
        let number = chaos.disturb(self.only, Verb::Clock, &whom, change)?;
        self.core.clock.rouse();
        Ok(Bent {
            node: self.away(),
            number,
            bend,
        })
    }
}

impl Bends {
    pub(super) fn new(clock: &SkewedClock) -> Self {
        Self {
            clock: clock.quiet(),
            on: Vec::new(),
            numbers: 0,
        }
    }

    fn add(&mut self, bend: Bend) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        match bend {
            // Nothing undoes it, so nobody needs to know of it.
            Bend::Suspend(by, counts) => self.clock.suspend(by, counts),
            bend => {
                self.on.push(On {
                    number,
                    bend,
                    kept: false,
                });
                match bend {
                    Bend::Jump(by) => self.clock.jump(by),
                    other => self.settle(other),
                }
            }
        }
        number
    }

    /// Ends one. Nothing, if it is over already.
    fn end(&mut self, number: u64) -> Option<()> {
        let index = self.on.iter().position(|on| on.number == number)?;
        match self.on.remove(index).bend {
            Bend::Jump(by) => self.clock.jump(-by),
            other => self.settle(other),
        }
        Some(())
    }

    /// This one is not ended by its guard. Of a kind no more than one of these is remembered: those
    /// before it will never count again.
    fn keep(&mut self, number: u64) {
        let Some(on) = self.on.iter_mut().find(|on| on.number == number) else {
            return;
        };
        on.kept = true;
        let kind = std::mem::discriminant(&on.bend);
        let same = |on: &&On| on.kept && std::mem::discriminant(&on.bend) == kind;
        let last = self.on.iter().rfind(same).map(|on| on.number);
        self.on.retain(|on| {
            let jump = matches!(on.bend, Bend::Jump(_));
            !same(&on) || (Some(on.number) == last && !jump)
        });
    }

    /// Makes the clock what the bends of this one's kind say that are on.
    fn settle(&self, kind: Bend) {
        let mut on = self.on.iter().rev().map(|on| on.bend);
        match kind {
            Bend::Freeze if on.any(|bend| bend == Bend::Freeze) => self.clock.freeze(),
            Bend::Freeze => self.clock.thaw(),
            Bend::Drift(_) => {
                let drift = on.find_map(|bend| match bend {
                    Bend::Drift(drift) => Some(drift),
                    _ => None,
                });
                self.clock.set_drift(drift.unwrap_or(Drift::NONE));
            }
            Bend::Error(_) => {
                let error = on.find_map(|bend| match bend {
                    Bend::Error(error) => Some(error),
                    _ => None,
                });
                self.clock.set_error(error.unwrap_or_default());
            }
            Bend::Jump(_) | Bend::Suspend(..) => {}
        }
    }

    /// Makes the clock right again.
    pub(super) fn heal(&mut self) {
        self.on.clear();
        self.clock.thaw();
        self.clock.set_drift(Drift::NONE);
        self.clock.set_error(Duration::ZERO);
        self.clock.sync();
    }
}

impl Bent {
    /// Leaves the clock as it is without the guard, until the end of the run.
    pub fn keep(self) {
        self.node.core().bends().keep(self.number);
    }
}

impl Drop for Bent {
    fn drop(&mut self) {
        let kept = |on: &On| on.number == self.number && on.kept;
        let core = self.node.core();
        if core.bends().on.iter().any(kept) {
            return;
        }
        let Some(chaos) = self.node.chaos() else {
            return;
        };
        // If its run is over, the end of that has undone everything.
        let whom = format!("{}: undo {}", core.name, self.bend);
        let change = || core.bends().end(self.number);
        if let Ok(Some(())) = chaos.disturb_if(None, Verb::Clock, &whom, change) {
            core.clock.rouse();
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

//! [`Hybrid`]: a logical clock that stays close to the time of day.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::text::{DIGITS, Reader, is_printed};
use super::{BadStamp, LogicalClock, NodeId, Refused};
use crate::clock::{Clock, SystemClock, Wall};

/// A hybrid logical clock: what happened before has the smaller stamp, and a stamp is a time of day.
///
/// It is the greatest time of day of all events that the node knows of: never behind its own, and ahead
/// by no more than the clocks of the nodes are apart. If the time of day is set back, it goes on
/// counting where it was. Clones are one clock.
///
/// A stamp from a peer that would put it more than [`max_offset`](Self::max_offset) ahead of its own
/// time of day (500 ms by default) is refused, before anything has moved: one node in the year 2100
/// does not take all others there. What a peer's *counter* can do is one nanosecond.
///
/// Source: Kulkarni et al., *Logical Physical Clocks*, OPODIS 2014; the limit is CockroachDB's.
///
/// # Examples
///
/// ```
/// use murphy_core::ManualClock;
/// use murphy_core::clock::Offset;
/// use murphy_core::order::{Hybrid, LogicalClock};
/// use std::time::Duration;
///
/// let machine = ManualClock::new();
/// let clock = Hybrid::over(machine.clone(), "web".parse()?);
/// let before = clock.tick();
/// machine.jump(Offset::behind(Duration::from_secs(3)));
/// assert!(before < clock.tick(), "the time of day went back, the stamps did not");
/// # Ok::<(), murphy_core::order::BadNode>(())
/// ```
#[doc(alias = "HLC")]
#[doc(alias = "logical clock")]
#[derive(Clone, Debug)]
pub struct Hybrid<C = SystemClock> {
    clock: C,
    node: NodeId,
    max_offset: Duration,
    last: Arc<Mutex<Reading>>,
}

/// A time of day and a count within it, and whose event it is. Unique, and totally ordered: by time
/// of day, count and node.
///
/// As text `1704103205123000000.2@web`, with nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HybridStamp {
    reading: Reading,
    node: NodeId,
}

/// What the paper calls `(l, c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Reading {
    wall: Wall,
    count: u32,
}

impl Hybrid {
    /// How far a peer's stamp may be ahead, unless told otherwise: 500 ms.
    pub const MAX_OFFSET: Duration = Duration::from_millis(500);

    /// The clock of this node over the system's time of day.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self::over(SystemClock::new(), node)
    }
}

impl<C: Clock> Hybrid<C> {
    /// The clock of this node over its machine's.
    #[must_use]
    pub fn over(clock: C, node: NodeId) -> Self {
        let first = Reading {
            wall: Wall::MIN,
            count: 0,
        };
        Self {
            clock,
            node,
            max_offset: Hybrid::MAX_OFFSET,
            last: Arc::new(Mutex::new(first)),
        }
    }

    /// The clock of a node that gave `stamp` or less before it was restarted: it goes on from
    /// there, whatever the time of day has become. Whoever has not kept a stamp waits for
    /// [`max_offset`](Self::max_offset) before the first one.
    #[must_use]
    pub fn starting_after(self, stamp: HybridStamp) -> Self {
        Self {
            last: Arc::new(Mutex::new(stamp.reading)),
            ..self
        }
    }

    /// Refuses stamps that are further ahead of the time of day here than this: 500 ms by default.
    ///
    /// It should be more than the clocks of honest nodes are apart. Clones made earlier keep theirs.
    #[must_use]
    pub fn max_offset(mut self, most: Duration) -> Self {
        self.max_offset = most;
        self
    }

    fn last(&self) -> MutexGuard<'_, Reading> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self, reading: Reading) -> HybridStamp {
        HybridStamp {
            reading,
            node: self.node,
        }
    }
}

impl<C: Clock> LogicalClock for Hybrid<C> {
    type Stamp = HybridStamp;

    fn tick(&self) -> HybridStamp {
        let wall = self.clock.wall();
        let mut last = self.last();
        *last = last.sent(wall);
        self.stamp(*last)
    }

    fn observe(&self, remote: &HybridStamp) -> Result<HybridStamp, Refused> {
        let wall = self.clock.wall();
        let ahead = remote.reading.wall - wall;
        let (ahead, is_ahead) = (ahead.abs(), !ahead.is_negative());
        let mut last = self.last();
        // Where we already are it takes us nowhere: a clock that was set back refuses nobody.
        let moves = remote.reading.wall > last.wall;
        if moves && is_ahead && ahead > self.max_offset {
            return Err(Refused::TooFarAhead {
                ahead,
                most: self.max_offset,
            });
        }
        *last = last.received(remote.reading, wall);
        Ok(self.stamp(*last))
    }
}

impl Reading {
    /// An event here, or a message that is sent.
    fn sent(self, wall: Wall) -> Self {
        match wall > self.wall {
            true => Self { wall, count: 0 },
            false => self.counted(),
        }
    }

    /// A message that brought `remote`.
    fn received(self, remote: Self, wall: Wall) -> Self {
        // The greater of the two has the greater time of day, or the greater count within one.
        self.max(remote).sent(wall)
    }

    /// One further; past the last count, one nanosecond further.
    fn counted(self) -> Self {
        match self.count.checked_add(1) {
            Some(count) => Self { count, ..self },
            None => Self {
                wall: self.wall + Duration::from_nanos(1),
                count: 0,
            },
        }
    }
}

impl HybridStamp {
    /// The `count`-th event of a node that knew of no later time of day than this, from 0.
    #[must_use]
    pub const fn new(wall: Wall, count: u32, node: NodeId) -> Self {
        Self {
            reading: Reading { wall, count },
            node,
        }
    }

    /// The greatest time of day that was known.
    #[must_use]
    pub const fn wall(self) -> Wall {
        self.reading.wall
    }

    /// How many events it had seen before at this time of day.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.reading.count
    }

    /// Whose event it is.
    #[must_use]
    pub const fn node(self) -> NodeId {
        self.node
    }
}

impl fmt::Display for HybridStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { wall, count } = self.reading;
        write!(f, "{}.{count}@{}", wall.nanos(), self.node)
    }
}

impl FromStr for HybridStamp {
    type Err = BadStamp;

    fn from_str(text: &str) -> Result<Self, BadStamp> {
        let reader = Reader {
            kind: "hybrid stamp",
            text,
            remedy: "write nanoseconds since 1970, a count and a node: `1704103205123000000.2@web`",
        };
        // The sign and 19 digits, the count's 10.
        let reader = reader.at_most(DIGITS + 1 + 10 + 1 + NodeId::LONGEST)?;
        let (time, node) = reader.split(text, '@')?;
        let (wall, count) = reader.split(time, '.')?;
        let digits = wall
            .strip_prefix('-')
            .filter(|rest| *rest != "0")
            .unwrap_or(wall);
        let nanos = wall.parse().ok().filter(|_| is_printed(digits));
        let nanos = nanos.ok_or_else(|| reader.bad(reader.remedy))?;
        let count = u32::try_from(reader.count(count)?).map_err(|_| reader.bad(reader.remedy))?;
        Ok(Self::new(
            Wall::from_nanos(nanos),
            count,
            reader.node(node)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall: i64, count: u32) -> Reading {
        Reading {
            wall: Wall::from_nanos(wall),
            count,
        }
    }

    #[test]
    fn a_reading_moves_as_the_paper_says() {
        for (name, own, remote, wall, want) in [
            (
                "its own time of day is the latest",
                (5, 3),
                (6, 9),
                7,
                (7, 0),
            ),
            ("the message's is", (5, 3), (9, 4), 7, (9, 5)),
            ("the last one is", (9, 3), (6, 8), 7, (9, 4)),
            ("the last one and the message's", (9, 3), (9, 8), 7, (9, 9)),
            (
                "the same, the greater count is ours",
                (9, 8),
                (9, 3),
                7,
                (9, 9),
            ),
            ("all three", (7, 1), (7, 2), 7, (7, 3)),
            ("its own and the message's", (5, 1), (7, 2), 7, (7, 3)),
            ("its own and the last one", (7, 1), (5, 2), 7, (7, 2)),
            ("past the last count", (7, u32::MAX), (5, 2), 7, (8, 0)),
            (
                "past the message's last count",
                (5, 1),
                (7, u32::MAX),
                7,
                (8, 0),
            ),
        ] {
            let (own, remote) = (reading(own.0, own.1), reading(remote.0, remote.1));
            let moved = own.received(remote, Wall::from_nanos(wall));
            assert_eq!(moved, reading(want.0, want.1), "{name}");
        }
        for (wall, want) in [(4, (5, 4)), (5, (5, 4)), (6, (6, 0))] {
            let moved = reading(5, 3).sent(Wall::from_nanos(wall));
            assert_eq!(moved, reading(want.0, want.1), "{wall}");
        }
    }
}

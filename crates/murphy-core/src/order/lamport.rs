//! [`Lamport`]: one number that only goes up.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::error::believable;
use super::text::{DIGITS, Reader};
use super::{BadStamp, LogicalClock, NodeId, Refused};

/// A Lamport clock: what happened before has the smaller stamp. Not conversely: of two stamps the
/// smaller one may as well be of a concurrent event.
///
/// Clones are one clock. A count past 2⁶³ − 1 is not believed ([`Refused::TooHigh`]), so that what a
/// peer says cannot bring this one to its end.
///
/// Source: Lamport, CACM 21(7), 1978; ties are broken by node, as there.
#[doc(alias = "Lamport timestamp")]
#[doc(alias = "logical clock")]
#[derive(Clone, Debug)]
pub struct Lamport {
    node: NodeId,
    count: Arc<AtomicU64>,
}

/// The count of an event, and whose it is. Unique, and totally ordered: by count, then by node.
///
/// As text `17@web`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LamportStamp {
    count: u64,
    node: NodeId,
}

impl Lamport {
    /// The clock of this node, at zero.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            count: Arc::default(),
        }
    }

    /// The clock of this node, which gave `stamp` or less before it was restarted.
    #[must_use]
    pub fn starting_after(node: NodeId, stamp: LamportStamp) -> Self {
        Self {
            node,
            count: Arc::new(AtomicU64::new(stamp.count)),
        }
    }

    /// One more than what it was, or than this.
    fn past(&self, remote: u64) -> LamportStamp {
        let next = |own: u64| own.max(remote).saturating_add(1);
        // Relaxed: the count is all that is shared, and it is changed in one step.
        let own = self
            .count
            .fetch_update(Relaxed, Relaxed, |own| Some(next(own)));
        LamportStamp {
            count: own.map_or_else(next, next),
            node: self.node,
        }
    }
}

impl LogicalClock for Lamport {
    type Stamp = LamportStamp;

    fn tick(&self) -> LamportStamp {
        self.past(0)
    }

    fn observe(&self, remote: &LamportStamp) -> Result<LamportStamp, Refused> {
        Ok(self.past(believable(remote.count)?))
    }
}

impl LamportStamp {
    /// The `count`-th event, or later, of a node.
    #[must_use]
    pub const fn new(count: u64, node: NodeId) -> Self {
        Self { count, node }
    }

    /// How many events came before it at least, and itself.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Whose event it is.
    #[must_use]
    pub const fn node(self) -> NodeId {
        self.node
    }
}

impl fmt::Display for LamportStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}@{}", self.count, self.node))
    }
}

impl FromStr for LamportStamp {
    type Err = BadStamp;

    fn from_str(text: &str) -> Result<Self, BadStamp> {
        let reader = Reader {
            kind: "Lamport stamp",
            text,
            remedy: "write a count and a node: `17@web`",
        };
        let reader = reader.at_most(DIGITS + 1 + NodeId::LONGEST)?;
        let (count, node) = reader.split(text, '@')?;
        Ok(Self {
            count: reader.count(count)?,
            node: reader.node(node)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamport_clock_counts_past_what_it_hears() {
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let clock = Lamport::new(a);
        assert_eq!(clock.tick().to_string(), "1@a");
        assert_eq!(clock.observe(&LamportStamp::new(7, b)).unwrap().count(), 8);
        assert_eq!(clock.observe(&LamportStamp::new(2, b)).unwrap().count(), 9);
        let restarted = Lamport::starting_after(a, clock.clone().tick());
        assert_eq!(restarted.tick().count(), 11);
    }

    #[test]
    fn no_peer_brings_a_lamport_clock_to_its_end() {
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let clock = Lamport::new(a);
        let most = u64::MAX / 2;
        for count in [most + 1, u64::MAX] {
            let e = clock.observe(&LamportStamp::new(count, b)).unwrap_err();
            assert_eq!(e, Refused::TooHigh { count, most });
        }
        assert_eq!(clock.tick().count(), 1, "not moved");
        assert_eq!(
            clock.observe(&LamportStamp::new(most, b)).unwrap().count(),
            most + 1
        );
        assert!(clock.tick().count() > most + 1);
    }
}

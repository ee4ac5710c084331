//! [`Link`]: what a site is that lies between two nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Leg;
use crate::book::Outcome;
use crate::network::{OnHold, Verdict, Wires};

/// An epoch that none reaches.
const NEVER: u64 = u64::MAX;

/// A site in a run, seen as the link that its name says.
#[derive(Debug)]
pub(crate) struct Link {
    wires: Arc<Wires>,
    ends: (u32, u32),
    /// The epoch at which both ways were last found clear, or [`NEVER`].
    clear: AtomicU64,
}

impl Link {
    /// The link that a site's name says: `"a->b"`, between two nodes that are known.
    pub(crate) fn named(site: &str, wires: &Arc<Wires>) -> Option<Self> {
        let (from, to) = site.split_once("->")?;
        let ends = wires.ends(from, to)?;
        Some(Self {
            wires: Arc::clone(wires),
            ends,
            clear: AtomicU64::new(NEVER),
        })
    }

    /// Whether nothing disturbs it, either way, as far as a glance at two numbers tells: after a
    /// change somewhere the first message has to depart to find out.
    #[inline]
    pub(crate) fn is_still_clear(&self) -> bool {
        self.clear.load(Relaxed) == self.wires.epoch()
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> bool {
        match self.wires.clear(self.ends) {
            Some(epoch) => {
                self.clear.store(epoch, Relaxed);
                true
            }
            None => false,
        }
    }

    /// A message departs on this leg.
    #[inline]
    pub(crate) fn depart(&self, leg: Leg) -> Result<Verdict, OnHold> {
        if self.is_still_clear() || self.look() {
            Ok(Verdict::Carries)
        } else {
            self.depart_disturbed(leg)
        }
    }

    #[cold]
    #[inline(never)]
    fn depart_disturbed(&self, leg: Leg) -> Result<Verdict, OnHold> {
        self.wires.depart(self.way(leg))
    }

    /// The directed link that a leg takes.
    pub(crate) fn way(&self, leg: Leg) -> (u32, u32) {
        match leg {
            Leg::Request => self.ends,
            Leg::Reply => (self.ends.1, self.ends.0),
        }
    }
}

/// The numbers, past those of all rules, under which the state of a link is written down.
pub(crate) fn cut(leg: Leg) -> u8 {
    252 + leg as u8
}

/// As [`cut`], for messages that were on hold.
pub(crate) fn held(leg: Leg) -> u8 {
    254 + leg as u8
}

/// How it is written down that a message met a link that does not carry it now, and what came of
/// it so far.
pub(crate) fn met(way: Verdict, leg: Leg) -> (u8, Outcome) {
    match (way, leg) {
        (Verdict::Overflows, _) => (held(leg), Outcome::Overflow),
        (Verdict::Loses, Leg::Reply) => (cut(leg), Outcome::Ran),
        (Verdict::Loses, Leg::Request) => (cut(leg), Outcome::UnderWay),
        (Verdict::Holds | Verdict::Carries, _) => (held(leg), Outcome::UnderWay),
    }
}

/// Name, kind and leg of the state of a link, by its number: what the ledger says of it.
pub(crate) fn state(number: u8) -> Option<(&'static str, &'static str, Leg)> {
    const STATES: [(&str, &str, Leg); 4] = [
        ("link.partition", "partition", Leg::Request),
        ("link.partition.reply", "partition", Leg::Reply),
        ("link.hold", "hold", Leg::Request),
        ("link.hold.reply", "hold", Leg::Reply),
    ];
    STATES.get(usize::from(number).checked_sub(252)?).copied()
}

/// What the names of faults begin with that no plan holds: they are the network's.
pub(crate) const OURS: &str = "link.";

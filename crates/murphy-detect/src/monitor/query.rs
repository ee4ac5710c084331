//! Questions, answered for the moment that they ask about.

use std::hash::Hash;
use std::time::Duration;

use super::node::Phase;
use super::{Liveness, Monitor, Slot};
use crate::{Detector, Moment};

impl<N: Clone + Eq + Hash, D: Detector> Monitor<N, D> {
    /// Whether the node's deadline is to come. `false` of a node that was never heard of, which is not dead either.
    #[must_use]
    pub fn is_alive(&self, node: &N, now: Moment) -> bool {
        self.liveness(node, now).is_alive()
    }

    /// What is believed of the node at `now`.
    #[must_use]
    pub fn liveness(&self, node: &N, now: Moment) -> Liveness {
        let index = self.roll.find(node);
        index.map_or(Liveness::Unknown, |index| self.belief(index, now))
    }

    /// What is believed at `now` of the node at `slot`: [`Unknown`](Liveness::Unknown) once it was forgotten.
    #[must_use]
    pub fn liveness_at(&self, slot: Slot, now: Moment) -> Liveness {
        if self.holds(slot) {
            self.belief(slot.index, now)
        } else {
            Liveness::Unknown
        }
    }

    /// The nodes that are dead at `now`, in the order of their slots. Looks at every node.
    #[doc(alias = "get_dead_nodes")]
    #[must_use]
    pub fn dead_nodes(&self, now: Moment) -> Vec<&N> {
        self.nodes(now)
            .filter(|(_, liveness)| liveness.is_dead())
            .map(|(node, _)| node)
            .collect()
    }

    /// All nodes that are known, and what is believed of them at `now`, in the order of their slots.
    pub fn nodes(&self, now: Moment) -> impl Iterator<Item = (&N, Liveness)> {
        (0..self.nodes.len() as u32)
            .filter(|&index| self.nodes[index as usize].phase != Phase::Free)
            .map(move |index| (self.roll.name(index), self.belief(index, now)))
    }

    /// How suspicious the node's silence is at `now`, in the detector's unit: at least its
    /// [`threshold`](Detector::threshold) exactly from the deadline on. Nothing of a node that was never heard of.
    #[doc(alias = "phi")]
    #[must_use]
    pub fn level(&self, node: &N, now: Moment) -> Option<f64> {
        let node = &self.nodes[self.roll.find(node)? as usize];
        let (judged, threshold) = (self.watch.judged(now), self.detector.threshold());
        // Whatever moved the deadline (a pause, a sign of life that was no beat) moves the level with it.
        let overdue = judged.since(node.until);
        if judged >= node.until {
            let level = self.detector.level(&node.state, node.raw.plus(overdue));
            return Some(level.max(threshold));
        }
        let left = node.until.since(judged);
        let at = Moment::after(node.raw.since(Moment::after(left)));
        Some(self.detector.level(&node.state, at))
    }

    /// How much longer the node may be silent from `now` on. Nothing of a node that was never heard of.
    #[must_use]
    pub fn time_to_suspect(&self, node: &N, now: Moment) -> Option<Duration> {
        let index = self.roll.find(node)?;
        let node = &self.nodes[index as usize];
        let left = node.until.since(self.watch.judged(now));
        Some(if node.phase == Phase::Alive {
            left
        } else {
            Duration::ZERO
        })
    }

    fn belief(&self, index: u32, now: Moment) -> Liveness {
        let node = &self.nodes[index as usize];
        let judged = self.watch.judged(now);
        let is_judging = self.watch.is_judging(now);
        let since = match node.phase {
            Phase::Free => return Liveness::Unknown,
            Phase::Dead => {
                let since = self.watch.real(node.since);
                return Liveness::Dead { since };
            }
            Phase::Suspect => node.since,
            Phase::Alive if is_judging && judged >= node.until => node.until,
            Phase::Alive => return Liveness::Alive,
        };
        let death = since.plus(self.rules.suspect_for);
        // With a safe mode it takes a look at everybody to say that one is dead.
        if is_judging && judged >= death && !self.safe.has_rule() {
            let since = self.watch.real(death);
            return Liveness::Dead { since };
        }
        let since = self.watch.real(since);
        Liveness::Suspect { since }
    }
}

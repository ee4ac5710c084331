//! Time passes: who is silent for too long is suspected, taken for dead, and forgotten.

use std::collections::VecDeque;
use std::hash::Hash;

use super::node::Phase;
use super::{Event, Monitor};
use crate::{Detector, Moment};

/// Room for so many events is kept.
const KEPT: usize = 1024;

impl<N: Clone + Eq + Hash, D: Detector> Monitor<N, D> {
    /// It is `now`: what happened that was not told yet, one event at a time, until there is none.
    ///
    /// Costs what is due, not what is watched. To be called at [`next_deadline`](Self::next_deadline), or more often.
    pub fn poll(&mut self, now: Moment) -> Option<Event<N>> {
        if self.events.is_empty() {
            self.wake(now);
            self.judge(now);
            self.watch.looked(now);
        }
        let event = self.events.pop_front();
        if event.is_none() && self.events.capacity() > KEPT {
            // After a time in which much happened.
            self.events = VecDeque::new();
        }
        event
    }

    /// When [`poll`](Self::poll) next has something to do: never later than something happens, sometimes earlier.
    /// Nothing, if there is nobody to wait for and no [guard](Self::guard).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        if !self.events.is_empty() {
            return Some(self.latest);
        }
        let first = self.wheel.next(|index| self.due(index));
        let first = first.map(|judged| self.watch.real(judged.max(self.watch.held())));
        first.into_iter().chain(self.watch.promised()).min()
    }

    /// Ends the [safe mode](Self::safe_mode) for one window: whoever is held goes down at the next poll.
    ///
    /// For an operator who knows that so many are really dead.
    pub fn convict(&mut self, now: Moment) {
        self.wake(now);
        let judged = self.watch.judged(now);
        self.safe.overrule(judged);
        self.stirred = true;
        for index in 0..self.nodes.len() as u32 {
            if self.nodes[index as usize].phase == Phase::Suspect {
                self.wheel.arm(index, judged);
            }
        }
    }

    /// The observer is awake. A pause is told as soon as anybody notices.
    #[inline]
    pub(super) fn wake(&mut self, now: Moment) {
        self.latest = self.latest.max(now);
        if let Some(lost) = self.watch.wake(now) {
            self.counts.pauses += 1;
            self.push(Event::ObserverPaused { lost });
        }
    }

    fn judge(&mut self, now: Moment) {
        let judged = self.watch.judged(now);
        if self.watch.is_holding(judged) {
            return;
        }
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(judged, &mut fired);
        let mut due: Vec<(Moment, u32)> = Vec::new();
        for index in fired.drain(..) {
            let at = self.due(index);
            if at <= judged {
                due.push((at, index));
            } else {
                self.wheel.arm(index, at);
            }
        }
        self.fired = fired;
        due.sort_unstable();
        self.act(judged, &due);
    }

    /// Whoever is due, in order: all suspicions first, so that the safe mode sees them before the first death.
    fn act(&mut self, judged: Moment, due: &[(Moment, u32)]) {
        let mut condemned = Vec::new();
        for &(at, index) in due {
            if self.nodes[index as usize].phase == Phase::Alive {
                self.suspect(index, at);
            }
            match self.nodes[index as usize].phase {
                Phase::Suspect if self.due(index) <= judged => {
                    condemned.push((self.due(index), index));
                }
                Phase::Suspect => self.arm(index),
                Phase::Dead => self.forget(index),
                Phase::Alive | Phase::Free => {}
            }
        }
        if let Some(on) = self
            .safe
            .weigh(judged, self.tally.alive, self.tally.suspect)
        {
            let suspects = self.tally.suspect;
            self.push(Event::SafeMode { on, suspects });
        }
        condemned.sort_unstable();
        for (at, index) in condemned {
            if self.safe.is_on() {
                self.wheel.arm(index, judged.plus(self.safe.patience()));
            } else {
                self.bury(index, at, judged);
            }
        }
    }

    /// What is due for one node by now happens, without a poll.
    pub(super) fn settle(&mut self, index: u32, judged: Moment) {
        let at = self.due(index);
        if self.nodes[index as usize].phase == Phase::Alive && at <= judged {
            self.suspect(index, at);
            self.arm(index);
        }
        let at = self.due(index);
        let is_condemned = self.nodes[index as usize].phase == Phase::Suspect && at <= judged;
        // With a safe mode it takes a look at everybody.
        if is_condemned && !self.safe.has_rule() {
            self.bury(index, at, judged);
        }
    }

    /// When the next thing happens to the node unless it is heard, in judged time.
    pub(super) fn due(&self, index: u32) -> Moment {
        let node = &self.nodes[index as usize];
        match node.phase {
            Phase::Free => Moment::MAX,
            Phase::Alive => node.until,
            Phase::Suspect => node.since.plus(self.rules.suspect_for),
            Phase::Dead => {
                let heard = self.watch.at_present(node.heard);
                node.since.max(heard).plus(self.rules.forget_after)
            }
        }
    }

    #[inline]
    pub(super) fn arm(&mut self, index: u32) {
        self.wheel.arm(index, self.due(index));
    }

    /// ## Alive => Suspect
    fn suspect(&mut self, index: u32, at: Moment) {
        let node = &mut self.nodes[index as usize];
        if at.since(node.since) >= self.rules.calm_after {
            node.returns = 0;
        }
        node.enter(Phase::Suspect, at);
        self.tally.alive -= 1;
        self.tally.suspect += 1;
        self.counts.suspicions += 1;
        let silent = self.watch.real(at).since(node.heard);
        let node = self.roll.name(index).clone();
        self.push(Event::Suspect { node, silent });
    }

    /// ## Suspect => Dead
    fn bury(&mut self, index: u32, at: Moment, judged: Moment) {
        let node = &mut self.nodes[index as usize];
        node.enter(Phase::Dead, at);
        node.good = 0;
        self.tally.suspect -= 1;
        self.tally.dead += 1;
        self.counts.deaths += 1;
        self.safe.fell(judged);
        let silent = self.watch.real(judged).since(node.heard);
        self.arm(index);
        let node = self.roll.name(index).clone();
        self.push(Event::Down { node, silent });
    }

    /// ## Dead => unknown. The place is free, and the slot that led to it is nobody's.
    fn forget(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        node.phase = Phase::Free;
        node.generation = node.generation.wrapping_add(1);
        let incarnation = node.incarnation;
        self.tally.dead -= 1;
        let node = self.roll.name(index).clone();
        self.roll.remove(index);
        self.ghosts.add(node.clone(), incarnation);
        self.push(Event::Forgotten { node, incarnation });
    }
}

//! Beats, and other signs of life, come in.

use std::hash::Hash;

use super::node::{Node, Phase};
use super::{Event, HIGHEST_INCARNATION, Monitor, Refused, Rules, Slot};
use crate::heartbeat::SHORTEST_INTERVAL;
use crate::{Beat, Detector, Heartbeat, Moment, Pulse};

impl<N: Clone + Eq + Hash, D: Detector> Monitor<N, D> {
    /// A beat arrived at `now`. Returns where its node is, for [`record_at`](Self::record_at).
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it does not count. It is counted, and changed nothing.
    #[inline]
    pub fn record_heartbeat(&mut self, now: Moment, beat: &Heartbeat<N>) -> Result<Slot, Refused> {
        let pulse = beat.pulse();
        let taken = match self.roll.find(&beat.node) {
            Some(index) => self.take(index, now, &pulse).map(|()| index),
            None => self.admit(now, &beat.node, &pulse),
        };
        let index = self.counted(taken)?;
        let generation = self.nodes[index as usize].generation;
        Ok(Slot { index, generation })
    }

    /// A beat of the node at `slot` arrived at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused::Slot`] if that node was forgotten, and what [`record_heartbeat`](Self::record_heartbeat) says.
    #[inline]
    pub fn record_at(&mut self, slot: Slot, now: Moment, pulse: &Pulse) -> Result<(), Refused> {
        let taken = if self.holds(slot) {
            self.take(slot.index, now, pulse)
        } else {
            Err(Refused::Slot)
        };
        self.counted(taken)
    }

    /// The node was heard at `now`, though not by a beat: it answered a call, say.
    ///
    /// That moves its deadline as a beat would, and teaches its detector nothing. It brings back whoever is suspected, and
    /// nobody who is down or unknown; returns whether it meant anything.
    pub fn touch(&mut self, now: Moment, node: &N) -> bool {
        let Some(index) = self.roll.find(node) else {
            return false;
        };
        self.wake(now);
        if !self.watch.is_on() {
            self.settle(index, self.watch.judged(now));
        }
        let judged = self.watch.judged(now);
        let node = &mut self.nodes[index as usize];
        if node.phase == Phase::Dead {
            return false;
        }
        node.gap |= self.watch.paused_since(node.heard);
        node.heard = node.heard.max(now);
        node.until = node.until.max(judged.plus(node.patience()));
        node.touched = true;
        self.counts.touches += 1;
        self.believe(index, judged);
        true
    }

    pub(super) fn holds(&self, slot: Slot) -> bool {
        self.nodes
            .get(slot.index as usize)
            .is_some_and(|node| node.generation == slot.generation && node.phase != Phase::Free)
    }

    fn counted<T>(&mut self, taken: Result<T, Refused>) -> Result<T, Refused> {
        match &taken {
            Ok(_) => self.counts.beats += 1,
            Err(why) => self.counts.refused(why),
        }
        taken
    }

    #[inline]
    fn take(&mut self, index: u32, now: Moment, pulse: &Pulse) -> Result<(), Refused> {
        self.wake(now);
        self.rules.check(pulse)?;
        let node = &mut self.nodes[index as usize];
        if pulse.incarnation != node.incarnation {
            self.rules.check_life(pulse.incarnation, node.incarnation)?;
            self.restart(index, now, pulse);
            return Ok(());
        }
        if pulse.seq <= node.seq {
            let (seq, last) = (pulse.seq, node.seq);
            return Err(Refused::Duplicate { seq, last });
        }
        node.seq = pulse.seq;
        let judged = self.watch.judged(now);
        let is_ordinary = node.phase == Phase::Alive
            && judged < node.until
            && !node.gap
            && !self.watch.paused_since(node.heard)
            && !self.watch.is_holding(judged);
        if is_ordinary {
            self.observe(index, now, pulse, false);
        } else {
            self.take_after_silence(index, now, pulse);
        }
        Ok(())
    }

    /// A beat after which something may be different.
    #[cold]
    fn take_after_silence(&mut self, index: u32, now: Moment, pulse: &Pulse) {
        let judged = self.watch.judged(now);
        // What was due is told first. Under a guard only a poll tells: until then nobody has looked, and a
        // beat that waited is in time.
        if !self.watch.is_on() {
            self.settle(index, judged);
        }
        let paused = {
            let node = &self.nodes[index as usize];
            node.gap || self.watch.paused_since(node.heard)
        };
        let node = &mut self.nodes[index as usize];
        let overdue = judged >= node.until;
        if node.phase == Phase::Dead {
            // They are to come one after the other.
            node.good = if overdue { 0 } else { node.good };
            node.good = node.good.saturating_add(1);
        }
        if self.watch.is_holding(judged) {
            // It may have waited in a queue for as long as the observer was away.
            node.gap = true;
            node.heard = node.heard.max(now);
            node.until = node.until.max(judged.plus(node.patience()));
        } else {
            let outage = overdue || paused || node.phase != Phase::Alive;
            self.observe(index, now, pulse, outage);
        }
        self.believe(index, judged);
    }

    /// A node that nothing is known of.
    #[cold]
    fn admit(&mut self, now: Moment, name: &N, pulse: &Pulse) -> Result<u32, Refused> {
        self.wake(now);
        self.rules.check(pulse)?;
        let incarnation = pulse.incarnation;
        match self.ghosts.of(name) {
            Some(known) if incarnation <= known => {
                return Err(Refused::Forgotten { incarnation, known });
            }
            Some(known) => self.rules.check_life(incarnation, known)?,
            None if incarnation > HIGHEST_INCARNATION => {
                return Err(Refused::FromTheFuture {
                    incarnation,
                    highest: HIGHEST_INCARNATION,
                    known: 0,
                });
            }
            None => {}
        }
        if self.roll.len() >= self.rules.max_nodes {
            let limit = self.rules.max_nodes;
            return Err(Refused::Full { limit });
        }
        self.ghosts.remove(name);
        let index = self.roll.add(name);
        let state = self.detector.start();
        if index as usize == self.nodes.len() {
            self.nodes.push(Node::free(state));
            self.wheel.grow();
        } else {
            let node = &mut self.nodes[index as usize];
            let generation = node.generation;
            *node = Node::free(state);
            node.generation = generation;
        }
        let node = &mut self.nodes[index as usize];
        node.incarnation = incarnation;
        node.seq = pulse.seq;
        node.enter(Phase::Alive, self.watch.judged(now));
        self.tally.alive += 1;
        self.observe(index, now, pulse, false);
        self.arm(index);
        self.push(Event::Up {
            node: name.clone(),
            incarnation,
        });
        Ok(index)
    }

    /// The node lives again.
    #[cold]
    fn restart(&mut self, index: u32, now: Moment, pulse: &Pulse) {
        let judged = self.watch.judged(now);
        if !self.watch.is_on() {
            self.settle(index, judged);
        }
        let state = self.detector.start();
        let node = &mut self.nodes[index as usize];
        let old = std::mem::replace(&mut node.incarnation, pulse.incarnation);
        node.seq = pulse.seq;
        node.state = state;
        node.touched = false;
        if node.phase == Phase::Dead {
            node.good = 1;
        }
        self.counts.restarts += 1;
        let node = self.roll.name(index).clone();
        self.push(Event::Restarted {
            node,
            old,
            new: pulse.incarnation,
        });
        self.observe(index, now, pulse, false);
        self.believe(index, judged);
    }

    /// The detector learns of a beat, and the deadline moves.
    #[inline]
    fn observe(&mut self, index: u32, now: Moment, pulse: &Pulse, ends_outage: bool) {
        let node = &mut self.nodes[index as usize];
        let at = now.max(node.heard);
        let beat = Beat {
            at,
            sent: pulse.sent,
            seq: pulse.seq,
            interval: pulse.interval,
            ends_outage,
        };
        let raw = self.detector.observe(&mut node.state, &beat).max(at);
        node.raw = raw;
        node.heard = at;
        node.gap = false;
        let interval = Moment::after(pulse.interval).as_nanos();
        node.set_patience(interval, raw.as_nanos() - at.as_nanos());
        let mut until = self.watch.at_present(raw);
        if std::mem::take(&mut node.touched) {
            until = until.max(node.until);
        }
        let sooner = until < std::mem::replace(&mut node.until, until);
        // An entry fires no later than the old deadline: only a sooner one concerns the wheel.
        if sooner && node.phase == Phase::Alive {
            self.stirred = true;
            self.arm(index);
        }
    }

    /// A sign of life was heard: whoever is suspected is trusted, whoever is dead comes back once it was heard often enough.
    fn believe(&mut self, index: u32, judged: Moment) {
        let needed = self.needed(index);
        let node = &mut self.nodes[index as usize];
        if judged >= node.until {
            return;
        }
        let since = node.since;
        match node.phase {
            Phase::Suspect => {
                node.enter(Phase::Alive, judged);
                self.tally.suspect -= 1;
                self.tally.alive += 1;
                self.arm(index);
                let node = self.roll.name(index).clone();
                let suspected = judged.since(since);
                self.push(Event::Trusted { node, suspected });
            }
            Phase::Dead if node.good >= needed => {
                node.enter(Phase::Alive, judged);
                node.good = 0;
                node.returns = node.returns.saturating_add(1);
                let incarnation = node.incarnation;
                self.tally.dead -= 1;
                self.tally.alive += 1;
                self.arm(index);
                let node = self.roll.name(index).clone();
                self.push(Event::Up { node, incarnation });
            }
            Phase::Free | Phase::Alive | Phase::Dead => {}
        }
    }

    /// How many beats bring the node back.
    fn needed(&self, index: u32) -> u8 {
        let doublings = self.nodes[index as usize].returns.min(4);
        let needed = u32::from(self.rules.recover_after) << doublings;
        needed.min(127) as u8
    }
}

impl Rules {
    #[inline]
    fn check(&self, pulse: &Pulse) -> Result<(), Refused> {
        let longest = self.longest_interval;
        if pulse.interval < SHORTEST_INTERVAL || pulse.interval > longest {
            let interval = pulse.interval;
            return Err(Refused::Interval { interval, longest });
        }
        Ok(())
    }

    /// Whether `incarnation` can follow the life that is known.
    fn check_life(&self, incarnation: u64, known: u64) -> Result<(), Refused> {
        let highest = known
            .saturating_add(self.incarnation_ahead)
            .min(HIGHEST_INCARNATION);
        if incarnation > highest {
            return Err(Refused::FromTheFuture {
                incarnation,
                highest,
                known,
            });
        }
        if incarnation < known {
            return Err(Refused::Stale { incarnation, known });
        }
        Ok(())
    }
}

//! Who is inside and who waits, told the time: no clock, no lock, no task of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::drain::Drain;

/// A queue before so many places. `W` is how a waiter is told to look.
#[derive(Debug)]
pub(super) struct Line<W> {
    places: u32,
    inside: u32,
    longest: u32,
    newest_first: bool,
    next: u64,
    // By ticket, so in order of arrival.
    waiting: BTreeMap<u64, Waiter<W>>,
    // What became of those who no longer wait and have not looked yet.
    called: BTreeMap<u64, Turn>,
    drain: Drain,
}

#[derive(Debug)]
struct Waiter<W> {
    ends: Option<Instant>,
    wake: Option<W>,
}

/// What a waiter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A place is his: he must leave it.
    Granted,
    /// His deadline passed first.
    Late,
    /// A newer call took his place in the queue.
    Displaced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Enter,
    Wait(u64),
    /// The queue holds this many, which is all that it can.
    Full(u32),
    Late {
        expected: Duration,
        left: Duration,
    },
}

impl<W> Line<W> {
    pub(super) const fn new(places: u32, longest: u32, newest_first: bool) -> Self {
        Self {
            places,
            inside: 0,
            longest,
            newest_first,
            next: 0,
            waiting: BTreeMap::new(),
            called: BTreeMap::new(),
            drain: Drain::NEW,
        }
    }

    pub(super) const fn inside(&self) -> u32 {
        self.inside
    }

    pub(super) const fn places(&self) -> u32 {
        self.places
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    /// Takes a place, if one is free.
    #[inline]
    pub(super) fn try_enter(&mut self) -> bool {
        // Where somebody waits, all places are taken: nobody overtakes.
        let free = self.inside < self.places;
        self.inside += u32::from(free);
        free
    }

    /// Somebody comes who has to be done by `ends`; `wakes` are those to be told.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        ends: Option<Instant>,
        wakes: &mut Vec<W>,
    ) -> Arrival {
        if self.try_enter() {
            return Arrival::Enter;
        }
        let full = self.waiting.len() >= self.longest as usize;
        if full && !(self.newest_first && self.longest > 0) {
            return Arrival::Full(self.waiting());
        }
        if let Some((expected, left)) = self.too_late(now, ends) {
            return Arrival::Late { expected, left };
        }
        if full {
            self.displace(wakes);
        }
        let ticket = self.next;
        self.next += 1;
        self.waiting.insert(ticket, Waiter { ends, wake: None });
        Arrival::Wait(ticket)
    }

    /// What is expected and what is left, if that is not more.
    fn too_late(&self, now: Instant, ends: Option<Instant>) -> Option<(Duration, Duration)> {
        let left = ends?.saturating_duration_since(now);
        let ahead = if self.newest_first {
            0
        } else {
            self.waiting.len()
        };
        let expected = self.drain.expected(ahead, now).unwrap_or_default();
        // A turn with the deadline is none; no time left is none either, whatever is known.
        (expected >= left).then_some((expected, left))
    }

    /// A waiter looks; he is told again by `wake` otherwise, and no longer by `old`.
    pub(super) fn look(
        &mut self,
        ticket: u64,
        wake: impl FnOnce() -> W,
        old: &mut Option<W>,
    ) -> Option<Turn> {
        match self.waiting.get_mut(&ticket) {
            Some(waiter) => {
                *old = waiter.wake.replace(wake());
                None
            }
            None => self.called.remove(&ticket),
        }
    }

    /// A waiter goes away. `Granted`: he had a place and leaves it to others, see
    /// [`leave`](Self::leave). Else he was to be told by `old`.
    pub(super) fn give_up(&mut self, ticket: u64, old: &mut Option<W>) -> Option<Turn> {
        if let Some(waiter) = self.waiting.remove(&ticket) {
            *old = waiter.wake;
            self.if_empty();
            return None;
        }
        self.called.remove(&ticket)
    }

    /// Gives a place back. `now` is asked for only if somebody waits.
    #[inline]
    pub(super) fn leave(&mut self, now: impl FnOnce() -> Instant, wakes: &mut Vec<W>) {
        self.inside -= 1;
        if !self.waiting.is_empty() {
            self.fill(now(), wakes);
        }
    }

    /// From now on there are so many places. Nobody is thrown out.
    pub(super) fn set_places(&mut self, places: u32, now: Instant, wakes: &mut Vec<W>) {
        self.places = places;
        self.fill(now, wakes);
    }

    fn fill(&mut self, now: Instant, wakes: &mut Vec<W>) {
        while self.inside < self.places {
            let next = match self.newest_first {
                true => self.waiting.pop_last(),
                false => self.waiting.pop_first(),
            };
            let Some((ticket, waiter)) = next else { break };
            if waiter.ends.is_some_and(|ends| now >= ends) {
                self.call(ticket, waiter, Turn::Late, wakes);
                continue;
            }
            self.inside += 1;
            self.drain.turn(now);
            self.call(ticket, waiter, Turn::Granted, wakes);
        }
        self.if_empty();
    }

    /// The oldest makes room for a newer one.
    fn displace(&mut self, wakes: &mut Vec<W>) {
        if let Some((oldest, waiter)) = self.waiting.pop_first() {
            self.call(oldest, waiter, Turn::Displaced, wakes);
        }
    }

    fn call(&mut self, ticket: u64, waiter: Waiter<W>, turn: Turn, wakes: &mut Vec<W>) {
        self.called.insert(ticket, turn);
        wakes.extend(waiter.wake);
    }

    fn if_empty(&mut self) {
        if self.waiting.is_empty() {
            self.drain.empty();
        }
    }
}

#[cfg(test)]
mod tests;

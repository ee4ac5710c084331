//! [`Line`]: who waits for one lock, in the order in which they came.

use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::{LONGEST_WAIT, Ticket, Word, Words};
use crate::store::PLACE_KEPT;
use crate::{Acquire, Claim, LeaseReply, Nonce};

#[derive(Debug)]
pub(super) struct Line<W> {
    places: VecDeque<Place<W>>,
    /// All who wait look again by themselves by then.
    looks: Option<Instant>,
}

/// A nonce in line, and all calls that carry it. When they have waited for as long as they would, it is kept a while
/// for one that asks again: others are served meanwhile, and nobody gets before it for good.
#[derive(Debug)]
pub(super) struct Place<W> {
    pub(super) nonce: Nonce,
    pub(super) ttl: Duration,
    pub(super) claim: Claim,
    pub(super) calls: SmallVec<[Call<W>; 1]>,
    /// Until when it is kept when nobody is there: counted from when the last one's time was up.
    kept: Instant,
    /// Its turn came, and only a number is lacking: its time to wait is over, and it stays.
    pub(super) called: bool,
}

#[derive(Debug)]
pub(super) struct Call<W> {
    pub(super) ticket: Ticket,
    pub(super) deadline: Instant,
    looks: Instant,
    who: W,
}

/// What one who looks finds.
pub(super) enum Looked<W> {
    /// He waits, and looks again then.
    Waits(Instant),
    /// His time is up.
    Over(W),
}

impl<W: Clone> Line<W> {
    pub(super) const fn new() -> Self {
        Self {
            places: VecDeque::new(),
            looks: None,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many calls wait.
    pub(super) fn calls(&self) -> usize {
        self.places.iter().map(|place| place.calls.len()).sum()
    }

    pub(super) fn is_waited_in(&self) -> bool {
        self.places.iter().any(Place::is_waited_in)
    }

    pub(super) fn lacks_number(&self) -> bool {
        self.places.iter().any(|place| place.called)
    }

    pub(super) fn is_called(&self, nonce: Nonce) -> bool {
        let mut places = self.places.iter();
        places.any(|place| place.called && place.nonce == nonce)
    }

    /// Whose turn is next: who was called already, or else the first who is there.
    pub(super) fn head(&mut self) -> Option<&mut Place<W>> {
        let called = self.places.iter().position(|place| place.called);
        let head = called.or_else(|| self.places.iter().position(Place::is_waited_in))?;
        self.places.get_mut(head)
    }

    /// This nonce waits here no longer.
    pub(super) fn take(&mut self, nonce: Nonce) -> Option<Place<W>> {
        let place = self.places.iter().position(|place| place.nonce == nonce)?;
        self.places.remove(place)
    }

    /// Room for one more place, if this nonce has none: who is there goes before who may come back.
    pub(super) fn make_room(&mut self, nonce: Nonce, most: usize) {
        let is_known = self.places.iter().any(|place| place.nonce == nonce);
        if !is_known && self.places.len() >= most {
            self.places.retain(Place::is_waited_in);
        }
    }

    /// Waits, until `ends` at first. When to look again.
    pub(super) fn enter(
        &mut self,
        asked: &Acquire,
        called: bool,
        (ticket, who): (Ticket, W),
        ends: Option<Instant>,
        now: Instant,
    ) -> Instant {
        let deadline = now + asked.wait.min(LONGEST_WAIT);
        let looks = looks_at(deadline, ends, called, now);
        let call = Call {
            ticket,
            deadline,
            looks,
            who,
        };
        let mut places = self.places.iter_mut();
        match places.find(|place| place.nonce == asked.nonce) {
            Some(place) => {
                if !place.is_waited_in() {
                    (place.ttl, place.claim) = (asked.ttl.get(), asked.claim);
                }
                place.called |= called;
                place.calls.push(call);
            }
            None => self.places.push_back(Place {
                nonce: asked.nonce,
                ttl: asked.ttl.get(),
                claim: asked.claim,
                calls: SmallVec::from_iter([call]),
                kept: now,
                called,
            }),
        }
        self.looks = self.looks.max(Some(looks));
        looks
    }

    /// How it stands with this one, if he still waits.
    pub(super) fn look(
        &mut self,
        ticket: Ticket,
        ends: Option<Instant>,
        now: Instant,
    ) -> Option<Looked<W>> {
        let (index, call) = self.find(ticket)?;
        let place = &mut self.places[index];
        if !place.called && place.calls[call].deadline <= now {
            let Call { who, deadline, .. } = place.calls.remove(call);
            place.keep(deadline);
            return Some(Looked::Over(who));
        }
        let called = place.called;
        let call = &mut place.calls[call];
        let looks = looks_at(call.deadline, ends, called, now);
        call.looks = looks;
        self.looks = self.looks.max(Some(looks));
        Some(Looked::Waits(looks))
    }

    /// This one waits no longer. Whether he did.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        let Some((index, call)) = self.find(ticket) else {
            return false;
        };
        let place = &mut self.places[index];
        place.calls.remove(call);
        if place.calls.is_empty() {
            self.places.remove(index);
        }
        true
    }

    /// There are no numbers: nobody waits any longer.
    pub(super) fn give_up(&mut self, words: &mut Words<W>) {
        for place in self.places.drain(..) {
            for call in place.calls {
                words.push((call.who, Word::Failed));
            }
        }
    }

    /// Lets go of the places that are kept no longer.
    pub(super) fn forget(&mut self, now: Instant) {
        let stays = |place: &Place<W>| place.is_waited_in() || place.kept > now;
        self.places.retain(stays);
    }

    /// Has those look again who would do so only when this lease is long over.
    pub(super) fn hurry(&mut self, ends: Instant, words: &mut Words<W>) {
        if self.looks.is_none_or(|looks| looks <= ends) {
            return;
        }
        for call in self.places.iter_mut().flat_map(|place| &mut place.calls) {
            if call.looks > ends {
                call.looks = ends;
                words.push((call.who.clone(), Word::Look));
            }
        }
        self.looks = Some(ends);
    }

    fn find(&self, ticket: Ticket) -> Option<(usize, usize)> {
        let is = |call: &Call<W>| call.ticket == ticket;
        let mut places = self.places.iter().enumerate();
        places.find_map(|(index, place)| Some((index, place.calls.iter().position(is)?)))
    }
}

impl<W> Place<W> {
    /// Whether it is somebody's turn when it is this one's.
    fn is_waited_in(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether the time of all its calls was up, and nobody noticed.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        !self.called && self.calls.iter().all(|call| call.deadline < now)
    }

    /// All its calls are told so: their time is up.
    pub(super) fn dismiss(&mut self, words: &mut Words<W>, reply: &LeaseReply) {
        if let Some(last) = self.calls.iter().map(|call| call.deadline).max() {
            self.keep(last);
        }
        self.tell(words, reply);
    }

    pub(super) fn tell(&mut self, words: &mut Words<W>, reply: &LeaseReply) {
        for call in self.calls.drain(..) {
            words.push((call.who, Word::Reply(reply.clone())));
        }
    }

    /// For him whose time was up then, to ask again.
    fn keep(&mut self, deadline: Instant) {
        self.kept = self.kept.max(deadline + PLACE_KEPT);
    }
}

/// When his time is up, or the lease of him who is in the way. Whose turn came, is told.
fn looks_at(deadline: Instant, ends: Option<Instant>, called: bool, now: Instant) -> Instant {
    match called {
        true => now + LONGEST_WAIT,
        false => ends.map_or(deadline, |ends| ends.min(deadline)),
    }
}

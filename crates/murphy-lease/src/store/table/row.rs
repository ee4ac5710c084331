//! [`Row`]: one lock of a [`Table`](super::Table).

use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::{Asked, Drawn, LONGEST_WAIT, Moment, Ranks, Ticket, Word, Words};
use crate::store::PLACE_KEPT;
use crate::store::full::StoreFull;
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, Nonce, Rank, Renew};

/// One lock.
#[derive(Debug)]
pub(super) struct Row<W> {
    pub(super) high: Rank,
    held: Option<Held>,
    pub(super) queue: VecDeque<Place<W>>,
    /// All who wait look again by themselves by then.
    looks: Option<Instant>,
    /// It is on the table's list of those that lack a number.
    pub(super) needy: bool,
}

#[derive(Debug)]
struct Held {
    nonce: Nonce,
    rank: Rank,
    until: Instant,
    /// Who waited for it, and may not have heard of it. Nobody, if it was granted at once.
    unheard: SmallVec<[Ticket; 1]>,
}

/// A nonce in the queue, and all calls that carry it. When they have waited for as long as they would, it is kept a while
/// for one that asks again: others are served meanwhile, and nobody gets before it for good.
#[derive(Debug)]
pub(super) struct Place<W> {
    nonce: Nonce,
    ttl: Duration,
    claim: Claim,
    calls: SmallVec<[Call<W>; 1]>,
    /// Until when it is kept when nobody is there: counted from when the last one's time was up.
    kept: Instant,
    /// Its turn came, and only a number is lacking: its time to wait is over, and it stays.
    called: bool,
}

#[derive(Debug)]
struct Call<W> {
    ticket: Ticket,
    deadline: Instant,
    looks: Instant,
    who: W,
}

impl<W: Clone> Row<W> {
    pub(super) fn new(high: Rank) -> Self {
        Self {
            high,
            held: None,
            queue: VecDeque::new(),
            looks: None,
            needy: false,
        }
    }

    /// Ends what is over, and lets the head of the queue have it.
    pub(super) fn settle<R: Ranks>(&mut self, at: &mut Moment<'_, W, R>) {
        if self.held.as_ref().is_some_and(|held| held.until <= at.now) {
            self.held = None;
        }
        while at.shut.is_none() && self.held.is_none() {
            let Some(index) = self.head() else {
                return;
            };
            let head = &mut self.queue[index];
            if !head.called && head.calls.iter().all(|call| call.deadline < at.now) {
                self.dismiss(index, at);
                continue;
            }
            match at.ranks.draw(self.high, head.claim, head.ttl) {
                Drawn::Rank(rank) => self.grant_to(index, rank, at),
                Drawn::Passed => {
                    let high = self.high;
                    self.answer(index, at.words, &LeaseReply::Passed { high });
                }
                Drawn::Later => {
                    head.called = true;
                    return;
                }
            }
        }
    }

    pub(super) fn acquire<R: Ranks>(
        &mut self,
        asked: &Acquire,
        waiters: usize,
        ticket: Ticket,
        at: &mut Moment<'_, W, R>,
        who: impl FnOnce() -> W,
    ) -> Result<Asked<W>, StoreFull> {
        if let Some(held) = &mut self.held
            && held.nonce == asked.nonce
        {
            held.unheard.clear();
            let Holder { rank, remaining } = held.shown(at.now);
            let grant = Grant {
                rank,
                ttl: remaining,
            };
            return Ok(Asked::Reply(LeaseReply::Granted(grant)));
        }
        let mut called = false;
        if at.shut.is_none() && self.held.is_none() && !self.is_waited_for() {
            let ttl = asked.ttl.get();
            match at.ranks.draw(self.high, asked.claim, ttl) {
                Drawn::Rank(rank) => {
                    self.queue.retain(|place| place.nonce != asked.nonce);
                    let grant = self.grant(asked.nonce, rank, ttl, at.now);
                    return Ok(Asked::Reply(LeaseReply::Granted(grant)));
                }
                Drawn::Passed => {
                    let high = self.high;
                    return Ok(Asked::Reply(LeaseReply::Passed { high }));
                }
                Drawn::Later => called = true,
            }
        }
        let is_called = |place: &Place<W>| place.called && place.nonce == asked.nonce;
        called |= self.queue.iter().any(is_called);
        if !called && (asked.wait.is_zero() || self.is_passed(asked.claim)) {
            return Ok(Asked::Reply(LeaseReply::Held(self.shown(at))));
        }
        let calls = self.queue.iter().map(|place| place.calls.len());
        if calls.sum::<usize>() >= waiters {
            let (lock, limit) = (asked.lock.clone(), waiters);
            return Err(StoreFull::Waiters { lock, limit });
        }
        self.forget(at.now);
        let is_known = self.queue.iter().any(|place| place.nonce == asked.nonce);
        if !is_known && self.queue.len() >= waiters {
            // Who is there goes before who may come back.
            self.queue.retain(Place::is_waited_in);
        }
        Ok(self.queue_up(asked, called, ticket, at, who()))
    }

    pub(super) fn renew<R: Ranks>(
        &mut self,
        asked: &Renew,
        at: &mut Moment<'_, W, R>,
    ) -> LeaseReply {
        match &mut self.held {
            Some(held) if (held.nonce, held.rank) == (asked.nonce, asked.rank) => {
                let ttl = at.ranks.renewed(asked.ttl.get());
                held.until = held.until.max(at.now + ttl);
                held.unheard.clear();
                let ttl = held.until - at.now;
                LeaseReply::Renewed { ttl }
            }
            _ => LeaseReply::NotHolder { high: self.high },
        }
    }

    /// Ends that nonce's lease, and its place in the queue. Whether it had the lease.
    pub(super) fn release<R: Ranks>(&mut self, nonce: Nonce, at: &mut Moment<'_, W, R>) -> bool {
        let shown = self.shown(at);
        if let Some(place) = self.queue.iter().position(|place| place.nonce == nonce) {
            self.answer(place, at.words, &LeaseReply::Held(shown));
        }
        self.held.take_if(|held| held.nonce == nonce).is_some()
    }

    /// When to look again, if this one still waits.
    pub(super) fn look<R: Ranks>(
        &mut self,
        ticket: Ticket,
        at: &mut Moment<'_, W, R>,
    ) -> Option<Instant> {
        let shown = self.shown(at);
        let ends = self.ends().or(at.shut);
        let (index, call) = self.find(ticket)?;
        let place = &mut self.queue[index];
        if !place.called && place.calls[call].deadline <= at.now {
            let Call { who, deadline, .. } = place.calls.remove(call);
            place.kept = place.kept.max(deadline + PLACE_KEPT);
            let held = LeaseReply::Held(shown);
            at.words.push((who, Word::Reply(held)));
            return None;
        }
        let called = place.called;
        let call = &mut place.calls[call];
        let looks = looks_at(call.deadline, ends, called, at.now);
        call.looks = looks;
        self.looks = self.looks.max(Some(looks));
        Some(looks)
    }

    /// This one waits no longer. A grant that none of its calls heard of is taken back.
    pub(super) fn leave<R: Ranks>(&mut self, ticket: Ticket, _: &mut Moment<'_, W, R>) {
        if let Some((index, call)) = self.find(ticket) {
            let place = &mut self.queue[index];
            place.calls.remove(call);
            if place.calls.is_empty() {
                self.queue.remove(index);
            }
            return;
        }
        self.held.take_if(|held| {
            let before = held.unheard.len();
            held.unheard.retain(|unheard| *unheard != ticket);
            before > 0 && held.unheard.is_empty()
        });
    }

    /// There are no numbers: nobody waits any longer.
    pub(super) fn give_up(&mut self, words: &mut Words<W>) {
        self.needy = false;
        for place in self.queue.drain(..) {
            for call in place.calls {
                words.push((call.who, Word::Failed));
            }
        }
    }

    /// Lets go of the places that are kept no longer.
    pub(super) fn forget(&mut self, now: Instant) {
        let stays = |place: &Place<W>| place.is_waited_in() || place.kept > now;
        self.queue.retain(stays);
    }

    pub(super) fn wipe(&mut self, high: Rank) {
        (self.high, self.held) = (high, None);
    }

    pub(super) fn lacks_number(&self) -> bool {
        self.queue.iter().any(|place| place.called)
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        !self.is_waited_for() && self.holder(now).is_none()
    }

    /// Whose turn is next: who was called already, or else the first who is there.
    fn head(&self) -> Option<usize> {
        let called = self.queue.iter().position(|place| place.called);
        called.or_else(|| self.queue.iter().position(Place::is_waited_in))
    }

    fn is_waited_for(&self) -> bool {
        self.queue.iter().any(Place::is_waited_in)
    }

    pub(super) fn ends(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until)
    }

    pub(super) fn holder(&self, now: Instant) -> Option<Holder> {
        let held = self.held.as_ref().filter(|held| held.until > now)?;
        Some(held.shown(now))
    }

    /// Who is in the way: nobody any more, or nobody knows who, where only the time is.
    fn shown<R>(&self, at: &Moment<'_, W, R>) -> Holder {
        let left = |shut: Instant| shut.saturating_duration_since(at.now);
        self.holder(at.now).unwrap_or_else(|| Holder {
            rank: self.high,
            remaining: at.shut.map(left).unwrap_or_default(),
        })
    }

    fn is_passed(&self, claim: Claim) -> bool {
        matches!(claim, Claim::Exactly(rank) if rank <= self.high)
    }

    fn queue_up<R: Ranks>(
        &mut self,
        asked: &Acquire,
        called: bool,
        ticket: Ticket,
        at: &Moment<'_, W, R>,
        who: W,
    ) -> Asked<W> {
        let deadline = at.now + asked.wait.min(LONGEST_WAIT);
        let queued = self
            .queue
            .iter_mut()
            .find(|place| place.nonce == asked.nonce);
        let ends = self.held.as_ref().map(|held| held.until).or(at.shut);
        let look = looks_at(deadline, ends, called, at.now);
        let call = Call {
            ticket,
            deadline,
            looks: look,
            who: who.clone(),
        };
        match queued {
            Some(place) => {
                if !place.is_waited_in() {
                    (place.ttl, place.claim) = (asked.ttl.get(), asked.claim);
                }
                place.called |= called;
                place.calls.push(call);
            }
            None => self.queue.push_back(Place {
                nonce: asked.nonce,
                ttl: asked.ttl.get(),
                claim: asked.claim,
                calls: SmallVec::from_iter([call]),
                kept: at.now,
                called,
            }),
        }
        self.looks = self.looks.max(Some(look));
        Asked::Queued { ticket, look, who }
    }

    fn grant(&mut self, nonce: Nonce, rank: Rank, ttl: Duration, now: Instant) -> Grant {
        self.high = self.high.max(rank);
        self.held = Some(Held {
            nonce,
            rank,
            until: now + ttl,
            unheard: SmallVec::new(),
        });
        Grant { rank, ttl }
    }

    fn grant_to<R: Ranks>(&mut self, index: usize, rank: Rank, at: &mut Moment<'_, W, R>) {
        let Some(mut head) = self.queue.remove(index) else {
            return;
        };
        let grant = self.grant(head.nonce, rank, head.ttl, at.now);
        if let Some(held) = &mut self.held {
            held.unheard = head.calls.iter().map(|call| call.ticket).collect();
        }
        head.tell(at.words, &LeaseReply::Granted(grant));
        self.hurry(at.now + grant.ttl, at.words);
    }

    /// Has those look again who would do so only when this lease is long over.
    fn hurry(&mut self, ends: Instant, words: &mut Words<W>) {
        if self.looks.is_none_or(|looks| looks <= ends) {
            return;
        }
        for call in self.queue.iter_mut().flat_map(|place| &mut place.calls) {
            if call.looks > ends {
                call.looks = ends;
                words.push((call.who.clone(), Word::Look));
            }
        }
        self.looks = Some(ends);
    }

    /// Its time to wait is over, and nobody noticed until now.
    fn dismiss<R>(&mut self, index: usize, at: &mut Moment<'_, W, R>) {
        let held = LeaseReply::Held(self.shown(at));
        let place = &mut self.queue[index];
        let last = place.calls.iter().map(|call| call.deadline).max();
        place.kept = place.kept.max(last.unwrap_or(at.now) + PLACE_KEPT);
        match place.kept > at.now {
            true => place.tell(at.words, &held),
            false => self.answer(index, at.words, &held),
        }
    }

    fn answer(&mut self, index: usize, words: &mut Words<W>, reply: &LeaseReply) {
        if let Some(mut place) = self.queue.remove(index) {
            place.tell(words, reply);
        }
    }

    fn find(&self, ticket: Ticket) -> Option<(usize, usize)> {
        let is = |call: &Call<W>| call.ticket == ticket;
        let mut places = self.queue.iter().enumerate();
        places.find_map(|(index, place)| Some((index, place.calls.iter().position(is)?)))
    }
}

impl<W> Place<W> {
    /// Whether it is somebody's turn when it is this one's.
    fn is_waited_in(&self) -> bool {
        !self.calls.is_empty()
    }

    fn tell(&mut self, words: &mut Words<W>, reply: &LeaseReply) {
        for call in self.calls.drain(..) {
            words.push((call.who, Word::Reply(reply.clone())));
        }
    }
}

impl Held {
    fn shown(&self, now: Instant) -> Holder {
        let (rank, remaining) = (self.rank, self.until.saturating_duration_since(now));
        Holder { rank, remaining }
    }
}

/// When his time is up, or the lease of him who is in the way. Whose turn came, is told.
fn looks_at(deadline: Instant, ends: Option<Instant>, called: bool, now: Instant) -> Instant {
    match called {
        true => now + LONGEST_WAIT,
        false => ends.map_or(deadline, |ends| ends.min(deadline)),
    }
}

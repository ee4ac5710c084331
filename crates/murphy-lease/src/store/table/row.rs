//! [`Row`]: one lock of a [`Table`](super::Table).

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::line::{Line, Looked};
use super::{Asked, Drawn, Moment, Ranks, Ticket, Word, Words};
use crate::store::full::StoreFull;
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, Nonce, Rank, Renew};

/// One lock.
#[derive(Debug)]
pub(super) struct Row<W> {
    pub(super) high: Rank,
    held: Option<Held>,
    pub(super) line: Line<W>,
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

impl<W: Clone> Row<W> {
    pub(super) fn new(high: Rank) -> Self {
        Self {
            high,
            held: None,
            line: Line::new(),
            needy: false,
        }
    }

    /// Ends what is over, and lets the head of the queue have it.
    pub(super) fn settle<R: Ranks>(&mut self, at: &mut Moment<'_, W, R>) {
        if self.held.as_ref().is_some_and(|held| held.until <= at.now) {
            self.held = None;
        }
        while at.shut.is_none() && self.held.is_none() {
            let shown = self.shown(at);
            let Some(head) = self.line.head() else {
                return;
            };
            if head.is_overdue(at.now) {
                head.dismiss(at.words, &LeaseReply::Held(shown));
                continue;
            }
            match at.ranks.draw(self.high, head.claim, head.ttl) {
                Drawn::Rank(rank) => {
                    let nonce = head.nonce;
                    self.grant_in_line(nonce, rank, at);
                }
                Drawn::Passed => {
                    let (nonce, high) = (head.nonce, self.high);
                    self.answer(nonce, at.words, &LeaseReply::Passed { high });
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
        if at.shut.is_none() && self.held.is_none() && !self.line.is_waited_in() {
            let ttl = asked.ttl.get();
            match at.ranks.draw(self.high, asked.claim, ttl) {
                Drawn::Rank(rank) => {
                    let _place = self.line.take(asked.nonce);
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
        called |= self.line.is_called(asked.nonce);
        if !called && (asked.wait.is_zero() || self.is_passed(asked.claim)) {
            return Ok(Asked::Reply(LeaseReply::Held(self.shown(at))));
        }
        if self.line.calls() >= waiters {
            let (lock, limit) = (asked.lock.clone(), waiters);
            return Err(StoreFull::Waiters { lock, limit });
        }
        self.line.forget(at.now);
        self.line.make_room(asked.nonce, waiters);
        let (who, ends) = (who(), self.ends().or(at.shut));
        let call = (ticket, who.clone());
        let look = self.line.enter(asked, called, call, ends, at.now);
        Ok(Asked::Queued { ticket, look, who })
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
        self.answer(nonce, at.words, &LeaseReply::Held(shown));
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
        match self.line.look(ticket, ends, at.now)? {
            Looked::Waits(looks) => Some(looks),
            Looked::Over(who) => {
                at.words.push((who, Word::Reply(LeaseReply::Held(shown))));
                None
            }
        }
    }

    /// This one waits no longer. A grant that none of its calls heard of is taken back.
    pub(super) fn leave<R: Ranks>(&mut self, ticket: Ticket, _: &mut Moment<'_, W, R>) {
        if self.line.leave(ticket) {
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
        self.line.give_up(words);
    }

    pub(super) fn wipe(&mut self, high: Rank) {
        (self.high, self.held) = (high, None);
    }

    pub(super) fn lacks_number(&self) -> bool {
        self.line.lacks_number()
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        !self.line.is_waited_in() && self.holder(now).is_none()
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

    fn grant_in_line<R: Ranks>(&mut self, nonce: Nonce, rank: Rank, at: &mut Moment<'_, W, R>) {
        let Some(mut place) = self.line.take(nonce) else {
            return;
        };
        let grant = self.grant(nonce, rank, place.ttl, at.now);
        if let Some(held) = &mut self.held {
            held.unheard = place.calls.iter().map(|call| call.ticket).collect();
        }
        place.tell(at.words, &LeaseReply::Granted(grant));
        self.line.hurry(at.now + grant.ttl, at.words);
    }

    /// This nonce waits no longer, if it did.
    fn answer(&mut self, nonce: Nonce, words: &mut Words<W>, reply: &LeaseReply) {
        if let Some(mut place) = self.line.take(nonce) {
            place.tell(words, reply);
        }
    }
}

impl Held {
    fn shown(&self, now: Instant) -> Holder {
        let (rank, remaining) = (self.rank, self.until.saturating_duration_since(now));
        Holder { rank, remaining }
    }
}

//! [`Table`]: the leases of a store, and who waits for them. Pure: it is told the time.
//!
//!    free ── acquire ──▶ held ── released, expired ──▶ free, or held by the head of the queue
//!
//! Whoever waits is known by a handle `W` and a [`Ticket`]. What he is to be told is a [`Word`] for his handle, put into
//! `words`. He looks again at the instant that he was given, or when he is told to: any of those who wait, by looking,
//! ends a lease that is over, so that one who does not get to it holds nobody up.

mod line;
mod ranks;
mod row;
#[cfg(test)]
mod tests;

use std::time::Duration;

use indexmap::IndexMap;
use indexmap::map::Entry;
use smallvec::SmallVec;
use tokio::time::Instant;

use self::row::Row;
use crate::store::full::StoreFull;
use crate::{Acquire, Holder, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew};

pub(crate) use self::ranks::{Drawn, Ranks, claimed};

/// Longer than this nobody waits, whatever he asks for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One that waits.
pub(crate) type Ticket = u64;

/// What those who wait are to be told. Room for one: the common case tells nobody else.
pub(crate) type Words<W> = SmallVec<[(W, Word); 1]>;

/// What one who waits is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The answer: he waits no longer.
    Reply(LeaseReply),
    /// To look again, before the instant that he was given.
    Look,
    /// That there are no numbers, and that he waits no longer.
    Failed,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Asked<W> {
    /// It is answered.
    Reply(LeaseReply),
    /// It waits.
    Queued {
        ticket: Ticket,
        look: Instant,
        who: W,
    },
}

/// How much a table holds at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) locks: usize,
    pub(crate) waiters: usize,
}

/// The leases of a store, and who waits for them.
#[derive(Debug)]
pub(crate) struct Table<W, R> {
    rows: IndexMap<LockName, Row<W>>,
    ranks: R,
    limits: Limits,
    /// No lock that is not in `rows` was granted above it.
    forgotten: Rank,
    /// Nothing is granted before.
    shut: Option<Instant>,
    /// Locks whose head lacks a number.
    needy: Vec<LockName>,
    tickets: Ticket,
    /// Where the search for one to forget goes on.
    hand: usize,
    /// Until then there is none, unless one is let go.
    packed: Option<Instant>,
    /// Which row was looked through last for places that are kept no longer.
    swept: usize,
}

/// What a row sees of its table.
struct Moment<'a, W, R> {
    now: Instant,
    ranks: &'a mut R,
    words: &'a mut Words<W>,
    shut: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            locks: 65_536,
            waiters: 1024,
        }
    }
}

impl<W: Clone, R: Ranks> Table<W, R> {
    /// An empty one, whose grants are above `forgotten` and not before `shut`.
    pub(crate) fn new(ranks: R, forgotten: Rank, shut: Option<Instant>) -> Self {
        Self {
            rows: IndexMap::new(),
            ranks,
            limits: Limits::default(),
            forgotten,
            shut,
            needy: Vec::new(),
            tickets: 0,
            hand: 0,
            packed: None,
            swept: 0,
        }
    }

    pub(crate) const fn ranks(&mut self) -> &mut R {
        &mut self.ranks
    }

    pub(crate) const fn limits(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Answers, or lets it wait under the handle that `who` makes.
    pub(crate) fn ask(
        &mut self,
        request: LeaseRequest,
        now: Instant,
        words: &mut Words<W>,
        who: impl FnOnce() -> W,
    ) -> Result<Asked<W>, StoreFull> {
        let reply = match request {
            LeaseRequest::Acquire(asked) => return self.acquire(asked, now, words, who),
            LeaseRequest::Renew(asked) => self.renew(&asked, now, words),
            LeaseRequest::Release { lock, nonce } => self.release(&lock, nonce, now, words),
            LeaseRequest::Observe { lock } => self.observe(&lock, now, words),
        };
        Ok(Asked::Reply(reply))
    }

    /// Looks whether it is this one's turn: ends what is over. `None` when he waits no longer; else when to look again.
    pub(crate) fn look(
        &mut self,
        lock: &LockName,
        ticket: Ticket,
        now: Instant,
        words: &mut Words<W>,
    ) -> Option<Instant> {
        self.at(lock, now, words, |row, moment| row.look(ticket, moment))?
    }

    /// This one waits no longer. A grant that nobody heard of is taken back.
    pub(crate) fn leave(
        &mut self,
        lock: &LockName,
        ticket: Ticket,
        now: Instant,
        words: &mut Words<W>,
    ) {
        self.packed = None;
        self.at(lock, now, words, |row, moment| row.leave(ticket, moment));
    }

    /// There are numbers again.
    pub(crate) fn numbered(&mut self, now: Instant, words: &mut Words<W>) {
        for lock in std::mem::take(&mut self.needy) {
            self.at(&lock, now, words, |row, _| row.needy = false);
        }
    }

    /// There will be no numbers: whoever waits where one is lacking is told so.
    pub(crate) fn unnumbered(&mut self, words: &mut Words<W>) {
        self.packed = None;
        for lock in std::mem::take(&mut self.needy) {
            if let Some(row) = self.rows.get_mut(&lock) {
                row.give_up(words);
            }
        }
    }

    /// Forgets all that was granted, as a store that lost its memory. Whoever waits goes on waiting.
    pub(crate) fn wipe(&mut self, forgotten: Rank, now: Instant, words: &mut Words<W>) {
        (self.forgotten, self.packed) = (forgotten, None);
        for at in 0..self.rows.len() {
            let Some((lock, row)) = self.rows.get_index_mut(at) else {
                continue;
            };
            row.wipe(forgotten);
            let lock = lock.clone();
            self.at(&lock, now, words, |_, _| ());
        }
    }

    /// Grants from now on are above this one.
    pub(crate) fn raise(&mut self, least: Rank) {
        self.forgotten = self.forgotten.max(least);
        for row in self.rows.values_mut() {
            row.high = row.high.max(least);
        }
    }

    /// Whether any lease runs, or may still run from before.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        self.shut.is_none_or(|shut| shut <= now) && self.rows.values().all(|row| row.is_free(now))
    }

    fn acquire(
        &mut self,
        asked: Acquire,
        now: Instant,
        words: &mut Words<W>,
        who: impl FnOnce() -> W,
    ) -> Result<Asked<W>, StoreFull> {
        self.make_room(&asked.lock, now)?;
        let Acquire { lock, .. } = &asked;
        let (row, lock) = match self.rows.entry(lock.clone()) {
            Entry::Occupied(entry) => (entry.into_mut(), lock),
            Entry::Vacant(entry) => (entry.insert(Row::new(self.forgotten)), lock),
        };
        let mut moment = Moment {
            now,
            ranks: &mut self.ranks,
            words,
            shut: self.shut.filter(|shut| *shut > now),
        };
        row.settle(&mut moment);
        self.tickets += 1;
        let (waiters, ticket) = (self.limits.waiters, self.tickets);
        let asked_of = row.acquire(&asked, waiters, ticket, &mut moment, who);
        note_needy(row, lock, &mut self.needy);
        if matches!(asked_of, Ok(Asked::Queued { .. })) {
            self.sweep(now);
        }
        asked_of
    }

    /// Whoever takes a place has one row looked through, also of a lock that nobody asks for: of places that are kept no
    /// longer there are no more than two a row, over all.
    fn sweep(&mut self, now: Instant) {
        self.swept = (self.swept + 1) % self.rows.len().max(1);
        if let Some((_, row)) = self.rows.get_index_mut(self.swept) {
            row.line.forget(now);
        }
    }

    fn renew(&mut self, asked: &Renew, now: Instant, words: &mut Words<W>) -> LeaseReply {
        let reply = self.at(&asked.lock, now, words, |row, moment| {
            row.renew(asked, moment)
        });
        let high = self.forgotten;
        reply.unwrap_or(LeaseReply::NotHolder { high })
    }

    fn release(
        &mut self,
        lock: &LockName,
        nonce: Nonce,
        now: Instant,
        words: &mut Words<W>,
    ) -> LeaseReply {
        self.packed = None;
        let was_held = self.at(lock, now, words, |row, moment| row.release(nonce, moment));
        let was_held = was_held.unwrap_or_default();
        LeaseReply::Released { was_held }
    }

    fn observe(&mut self, lock: &LockName, now: Instant, words: &mut Words<W>) -> LeaseReply {
        let seen = self.at(lock, now, words, |row, _| (row.high, row.holder(now)));
        let (high, holder): (_, Option<Holder>) = seen.unwrap_or((self.forgotten, None));
        LeaseReply::Observed { high, holder }
    }

    /// Does something at a lock that is known; what is over there is ended before and after.
    fn at<T>(
        &mut self,
        lock: &LockName,
        now: Instant,
        words: &mut Words<W>,
        act: impl FnOnce(&mut Row<W>, &mut Moment<'_, W, R>) -> T,
    ) -> Option<T> {
        let row = self.rows.get_mut(lock)?;
        let mut moment = Moment {
            now,
            ranks: &mut self.ranks,
            words,
            shut: self.shut.filter(|shut| *shut > now),
        };
        row.settle(&mut moment);
        let done = act(row, &mut moment);
        row.settle(&mut moment);
        note_needy(row, lock, &mut self.needy);
        Some(done)
    }

    /// Room for one more lock, if this one is not known. Forgets one that is free and no higher than what is drawn next.
    fn make_room(&mut self, lock: &LockName, now: Instant) -> Result<(), StoreFull> {
        if self.rows.len() < self.limits.locks || self.rows.contains_key(lock) {
            return Ok(());
        }
        let full = || StoreFull::Locks {
            lock: lock.clone(),
            limit: self.limits.locks,
        };
        if self.packed.is_some_and(|until| now < until) {
            return Err(full());
        }
        let reach = self.ranks.reach();
        let mut free_at: Option<Instant> = None;
        for _ in 0..self.rows.len() {
            self.hand = (self.hand + 1) % self.rows.len();
            let Some((_, row)) = self.rows.get_index(self.hand) else {
                continue;
            };
            if row.is_free(now) && row.high <= reach {
                self.forgotten = self.forgotten.max(row.high);
                self.rows.swap_remove_index(self.hand);
                return Ok(());
            }
            let ends = row.ends().filter(|ends| *ends > now);
            let ends = ends.unwrap_or(now + Duration::from_secs(1));
            free_at = Some(free_at.map_or(ends, |at| at.min(ends)));
        }
        self.packed = free_at;
        Err(full())
    }
}

/// Remembers that a lock lacks a number.
fn note_needy<W: Clone>(row: &mut Row<W>, lock: &LockName, needy: &mut Vec<LockName>) {
    if row.lacks_number() && !row.needy {
        row.needy = true;
        needy.push(lock.clone());
    }
}

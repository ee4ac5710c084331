//! [`Lines`]: each resource's fence, and who waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::Denied;
use crate::fence::{Fence, MAX_RESOURCE, Refused};
use crate::{FencingToken, Rank};

/// At what it stops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) resources: usize,
    pub(super) queue: usize,
    pub(super) forgets: bool,
}

/// All resources, behind a lock.
#[derive(Debug)]
pub(super) struct Lines(Mutex<Table>);

/// Which of the requests that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// How a request stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Waits,
    Comes,
    /// One of higher rank came.
    Passed(Refused),
}

/// All resources. Nothing waits here: it is told who comes, and whom to wake.
#[derive(Debug)]
pub(super) struct Table {
    rows: BTreeMap<Arc<str>, Row>,
    bounds: Bounds,
    next: u64,
    /// The highest rank that was forgotten with its resource.
    floor: Rank,
}

#[derive(Debug, Default)]
struct Row {
    fence: Fence,
    inside: Option<Ticket>,
    line: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    rank: Rank,
    waker: Option<Waker>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            resources: 65_536,
            queue: 64,
            forgets: false,
        }
    }
}

impl Lines {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self(Mutex::new(Table::new(bounds)))
    }

    /// Moves, and wakes whom that concerns when the lock is free again.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Table, &mut Vec<Waker>) -> T) -> T {
        // Allocates only if there is somebody.
        let mut wakes = Vec::new();
        let answer = f(&mut self.lock(), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing of the user's runs under it, but wakers are cloned.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            rows: BTreeMap::new(),
            bounds,
            next: 0,
            floor: Rank::ZERO,
        }
    }

    /// A request comes: its token is seen from now on, and those below it that wait go.
    pub(super) fn arrive(
        &mut self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        wakes: &mut Vec<Waker>,
    ) -> Result<(Arc<str>, Ticket), Denied> {
        let bounds = self.bounds;
        let name = self.row_for(resource, token)?;
        let row = self.rows.entry(Arc::clone(&name)).or_default();
        row.fence.check(token, op)?;
        row.fence.admit(token, None)?;
        let rank = token.rank();
        row.line.retain_mut(|waiter| {
            let stays = waiter.rank >= rank;
            if !stays {
                wakes.extend(waiter.waker.take());
            }
            stays
        });
        let ticket = Ticket(self.next);
        if row.inside.is_none() {
            row.inside = Some(ticket);
        } else if row.line.len() < bounds.queue {
            row.line.push_back(Waiter {
                ticket,
                rank,
                waker: None,
            });
        } else {
            return Err(Denied::Busy);
        }
        self.next += 1;
        Ok((name, ticket))
    }

    /// The name under which the resource is known, with room for it if it is not known yet.
    fn row_for(&mut self, resource: &str, token: &FencingToken) -> Result<Arc<str>, Denied> {
        if let Some((name, _)) = self.rows.get_key_value(resource) {
            return Ok(Arc::clone(name));
        }
        if resource.is_empty() || resource.len() > MAX_RESOURCE {
            return Err(Denied::BadResource);
        }
        let full = self.rows.len() >= self.bounds.resources;
        if full && self.bounds.forgets {
            self.forget();
        }
        let current = self.floor;
        if token.rank() <= current && current > Rank::ZERO {
            return Err(Refused::Stale { current }.into());
        }
        if self.rows.len() >= self.bounds.resources {
            return Err(Denied::Full);
        }
        Ok(resource.into())
    }

    /// Drops half of the rows that nobody uses, the lowest, and raises the floor to the highest of them.
    fn forget(&mut self) {
        let idle = |row: &Row| row.inside.is_none().then(|| row.rank());
        let mut ranks: Vec<Rank> = self.rows.values().filter_map(idle).collect();
        if ranks.is_empty() {
            return;
        }
        ranks.sort_unstable();
        let highest = ranks[ranks.len() / 2];
        self.floor = self.floor.max(highest);
        self.rows
            .retain(|_, row| idle(row).is_none_or(|rank| rank > highest));
    }

    /// Whether its turn has come; if not, `waker` is woken when something changes.
    pub(super) fn look(
        &mut self,
        resource: &str,
        ticket: Ticket,
        token: &FencingToken,
        waker: &Waker,
    ) -> Turn {
        let Some(row) = self.rows.get_mut(resource) else {
            // It was passed, and then all left, and the resource was forgotten.
            let current = self.floor;
            return Turn::Passed(Refused::Stale { current });
        };
        if row.inside == Some(ticket) {
            return Turn::Comes;
        }
        if let Some(waiter) = row.line.iter_mut().find(|waiter| waiter.ticket == ticket) {
            match &mut waiter.waker {
                Some(known) if known.will_wake(waker) => {}
                known => *known = Some(waker.clone()),
            }
            return Turn::Waits;
        }
        match row.fence.check(token, None) {
            Err(refused) => Turn::Passed(refused),
            Ok(_) => unreachable!("who is passed is passed by a higher rank"),
        }
    }

    /// It is inside, and about to act: the last look, with its number. On `Ok`, the number before it.
    pub(super) fn act(
        &mut self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
    ) -> Result<Option<u64>, Refused> {
        let Some(row) = self.rows.get_mut(resource) else {
            unreachable!("a resource that is used is not forgotten");
        };
        let before = row.fence.op();
        row.fence.admit(token, op).map(|_| before)
    }

    /// It acted, is still inside, and did nothing: see [`Fence::free`].
    pub(super) fn free(
        &mut self,
        resource: &str,
        token: &FencingToken,
        op: u64,
        before: Option<u64>,
    ) {
        if let Some(row) = self.rows.get_mut(resource) {
            row.fence.free(token, op, before);
        }
    }

    /// It is done, or gave up. The next one is inside.
    pub(super) fn leave(&mut self, resource: &str, ticket: Ticket, wakes: &mut Vec<Waker>) {
        let Some(row) = self.rows.get_mut(resource) else {
            return;
        };
        if row.inside != Some(ticket) {
            row.line.retain(|waiter| waiter.ticket != ticket);
            return;
        }
        let next = row.line.pop_front();
        row.inside = next.as_ref().map(|waiter| waiter.ticket);
        wakes.extend(next.and_then(|waiter| waiter.waker));
    }
}

impl Row {
    fn rank(&self) -> Rank {
        self.fence.token().map_or(Rank::ZERO, FencingToken::rank)
    }
}

#[cfg(test)]
mod tests;

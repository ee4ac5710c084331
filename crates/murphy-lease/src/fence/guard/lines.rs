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

    /// It is inside, and about to act: the last look, with its number.
    pub(super) fn act(
        &mut self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
    ) -> Result<(), Refused> {
        let Some(row) = self.rows.get_mut(resource) else {
            unreachable!("a resource that is used is not forgotten");
        };
        row.fence.admit(token, op).map(|_| ())
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(seq: u64) -> FencingToken {
        format!("orders;era=0;seq={seq};nonce={seq:x}")
            .parse()
            .unwrap()
    }

    fn table(resources: usize, queue: usize, forgets: bool) -> Table {
        Table::new(Bounds {
            resources,
            queue,
            forgets,
        })
    }

    struct Script {
        table: Table,
    }

    impl Script {
        fn comes(&mut self, resource: &str, seq: u64) -> Result<Ticket, Denied> {
            let mut wakes = Vec::new();
            let arrived = self.table.arrive(resource, &token(seq), None, &mut wakes);
            arrived.map(|(_, ticket)| ticket)
        }

        fn turn(&mut self, resource: &str, seq: u64, ticket: Ticket) -> Turn {
            self.table
                .look(resource, ticket, &token(seq), Waker::noop())
        }

        fn goes(&mut self, resource: &str, ticket: Ticket) -> usize {
            let mut wakes = Vec::new();
            self.table.leave(resource, ticket, &mut wakes);
            wakes.len()
        }
    }

    fn stale(seq: u64) -> Refused {
        let current = Rank::new(0, seq);
        Refused::Stale { current }
    }

    #[test]
    fn who_comes_first_is_served_first() {
        let mut script = Script {
            table: table(8, 8, false),
        };
        let a = script.comes("r", 1).unwrap();
        let b = script.comes("r", 1).unwrap();
        let c = script.comes("r", 1).unwrap();
        let other = script.comes("another", 1).unwrap();
        assert_eq!(script.turn("r", 1, a), Turn::Comes);
        assert_eq!(script.turn("another", 1, other), Turn::Comes);
        assert_eq!(script.turn("r", 1, b), Turn::Waits);
        assert_eq!(script.turn("r", 1, c), Turn::Waits);
        assert_eq!(script.goes("r", a), 1, "the next one is woken");
        assert_eq!(script.turn("r", 1, b), Turn::Comes);
        assert_eq!(script.goes("r", c), 0);
        assert_eq!(script.goes("r", b), 0);
        let d = script.comes("r", 1).unwrap();
        assert_eq!(script.turn("r", 1, d), Turn::Comes);
    }

    #[test]
    fn a_higher_rank_sends_away_those_that_wait() {
        let mut script = Script {
            table: table(8, 2, false),
        };
        let inside = script.comes("r", 1).unwrap();
        let lower = [(); 2].map(|()| script.comes("r", 1).unwrap());
        assert_eq!(script.comes("r", 1), Err(Denied::Busy));
        for ticket in lower {
            assert_eq!(script.turn("r", 1, ticket), Turn::Waits);
        }
        let higher = script.comes("r", 2).unwrap();
        for ticket in lower {
            assert_eq!(script.turn("r", 1, ticket), Turn::Passed(stale(2)));
            script.goes("r", ticket);
        }
        // What is inside has not begun yet: its last look stops it.
        assert_eq!(script.turn("r", 1, inside), Turn::Comes);
        assert_eq!(script.table.act("r", &token(1), None), Err(stale(2)));
        script.goes("r", inside);
        assert_eq!(script.turn("r", 2, higher), Turn::Comes);
        assert_eq!(script.table.act("r", &token(2), Some(1)), Ok(()));
        assert_eq!(script.comes("r", 1), Err(stale(2).into()));
    }

    #[test]
    fn a_fence_is_not_forgotten_for_want_of_room() {
        let mut script = Script {
            table: table(2, 8, false),
        };
        for resource in ["a", "b"] {
            let ticket = script.comes(resource, 5).unwrap();
            script.goes(resource, ticket);
        }
        assert_eq!(script.comes("c", 9), Err(Denied::Full));
        assert_eq!(script.comes("a", 4), Err(stale(5).into()));
        assert!(script.comes("a", 5).is_ok());
    }

    #[test]
    fn what_is_forgotten_leaves_its_rank_behind() {
        let mut script = Script {
            table: table(4, 8, true),
        };
        for (resource, seq) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
            let ticket = script.comes(resource, seq).unwrap();
            if resource != "a" {
                script.goes(resource, ticket);
            }
        }
        // Of b, c and d the lower half goes: b and c. `a` is in use.
        let ticket = script.comes("e", 50).unwrap();
        script.goes("e", ticket);
        for (resource, seq) in [("b", 19), ("b", 20), ("c", 30), ("f", 1)] {
            assert_eq!(script.comes(resource, seq), Err(stale(30).into()));
        }
        assert!(script.comes("a", 10).is_ok(), "its fence is its own");
        assert_eq!(script.comes("d", 39), Err(stale(40).into()));
        assert!(script.comes("b", 31).is_ok());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let mut script = Script {
            table: table(4, 8, false),
        };
        assert_eq!(script.comes("", 1), Err(Denied::BadResource));
        assert_eq!(script.comes(&"x".repeat(513), 1), Err(Denied::BadResource));
        assert!(script.comes(&"x".repeat(512), 1).is_ok());
    }

    #[test]
    fn who_was_passed_hears_of_it_after_all_is_forgotten() {
        let mut script = Script {
            table: table(1, 8, true),
        };
        let inside = script.comes("r", 1).unwrap();
        let passed = script.comes("r", 1).unwrap();
        let higher = script.comes("r", 2).unwrap();
        script.goes("r", inside);
        script.goes("r", higher);
        let other = script.comes("another", 3).unwrap();
        assert_eq!(script.turn("r", 1, passed), Turn::Passed(stale(2)));
        script.goes("r", passed);
        assert_eq!(script.turn("another", 3, other), Turn::Comes);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Comes(usize, u64),
        Acts(usize),
        Goes(usize),
    }

    proptest! {
        /// Three resources, room for two, any order: what acts on one never falls in rank, and acts alone.
        #[test]
        fn no_lower_rank_acts_after_a_higher(
            forgets: bool,
            steps in prop::collection::vec(prop_oneof![
                (0..3_usize, 1..20_u64).prop_map(|(r, seq)| Step::Comes(r, seq)),
                (0..40_usize).prop_map(Step::Acts),
                (0..40_usize).prop_map(Step::Goes),
            ], 0..80),
        ) {
            const NAMES: [&str; 3] = ["a", "b", "c"];
            let mut script = Script { table: table(2, 3, forgets) };
            let mut here: Vec<(usize, u64, Ticket)> = Vec::new();
            let mut acted = [0; 3];
            for step in steps {
                match step {
                    Step::Comes(r, seq) => {
                        here.extend(script.comes(NAMES[r], seq).map(|ticket| (r, seq, ticket)));
                        for r in 0..3 {
                            let inside = here.iter()
                                .filter(|(at, seq, t)| *at == r && script.turn(NAMES[r], *seq, *t) == Turn::Comes);
                            prop_assert!(inside.count() <= 1);
                        }
                    }
                    Step::Acts(n) if n < here.len() => {
                        let (r, seq, ticket) = here[n];
                        let turn = script.turn(NAMES[r], seq, ticket);
                        if turn == Turn::Comes && script.table.act(NAMES[r], &token(seq), None).is_ok() {
                            prop_assert!(acted[r] <= seq);
                            acted[r] = seq;
                        }
                    }
                    Step::Goes(n) if n < here.len() => {
                        let (r, _, ticket) = here.remove(n);
                        script.goes(NAMES[r], ticket);
                    }
                    _ => {}
                }
            }
            // All leave, and nobody is stuck.
            for (r, _, ticket) in here {
                script.goes(NAMES[r], ticket);
            }
            prop_assert!(script.table.rows.values().all(|row| row.inside.is_none() && row.line.is_empty()));
        }
    }
}

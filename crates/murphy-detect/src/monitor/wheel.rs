//! A hashed wheel of lazy timers: one entry a slot, in two rings of 1024 buckets.
//!
//! An entry fires no later than the time for which it was armed; early ones are armed again. So whoever moves a
//! deadline *later* leaves the wheel alone, and beats cost nothing here (Varghese and Lauck, *Hashed and
//! hierarchical timing wheels*, SOSP 1987; lazy as in the kernels' TCP timers).

use std::iter::successors;

use crate::Moment;

/// 10 ms in the inner ring, 10.24 s in the outer one. What lies beyond, nearly three hours ahead, is looked at on the way.
const TICK: u64 = 10_000_000;
const BUCKETS: u64 = 1 << BITS;
const BITS: u32 = 10;
const NONE: u32 = u32::MAX;

/// Entries that wait for their bucket's time.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    heads: Vec<u32>,
    links: Vec<Link>,
    /// The tick that is now: those before it are empty.
    cursor: u64,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    prev: u32,
    bucket: u32,
}

impl Link {
    const FREE: Self = Self {
        next: NONE,
        prev: NONE,
        bucket: NONE,
    };
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            heads: vec![NONE; 2 * BUCKETS as usize],
            links: Vec::new(),
            cursor: 0,
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.links.reserve_exact(slots);
    }

    /// One more slot, the next number.
    pub(super) fn grow(&mut self) {
        self.links.push(Link::FREE);
    }

    /// Wakes `slot` at `at` and not before, whatever it was armed for.
    pub(super) fn arm(&mut self, slot: u32, at: Moment) {
        self.disarm(slot);
        let bucket = self.bucket(at);
        let head = std::mem::replace(&mut self.heads[bucket as usize], slot);
        self.links[slot as usize] = Link {
            next: head,
            prev: NONE,
            bucket,
        };
        if head != NONE {
            self.links[head as usize].prev = slot;
        }
    }

    pub(super) fn disarm(&mut self, slot: u32) {
        let link = std::mem::replace(&mut self.links[slot as usize], Link::FREE);
        if link.bucket == NONE {
            return;
        }
        match link.prev {
            NONE => self.heads[link.bucket as usize] = link.next,
            prev => self.links[prev as usize].next = link.next,
        }
        if link.next != NONE {
            self.links[link.next as usize].prev = link.prev;
        }
    }

    /// Time has come to `now`: takes out everything that may be due, and some that is not.
    pub(super) fn advance(&mut self, now: Moment, fired: &mut Vec<u32>) {
        let from = self.cursor;
        let to = (now.as_nanos() / TICK).max(from);
        let (outer, outer_to) = (from >> BITS, to >> BITS);
        for coarse in outer + 1..=outer_to.min(outer + BUCKETS) {
            self.drain(outer_bucket(coarse), fired);
        }
        for tick in from..=to.min(from + BUCKETS - 1) {
            self.drain(inner_bucket(tick), fired);
        }
        self.cursor = to;
    }

    /// When the first of the entries is to be looked at: exactly then where `due` tells its time, never later.
    pub(super) fn next(&self, due: impl Fn(u32) -> Moment) -> Option<Moment> {
        let inner = (self.cursor..self.cursor + BUCKETS)
            .find(|&tick| self.heads[inner_bucket(tick) as usize] != NONE)
            .and_then(|tick| {
                let first = self.entries(inner_bucket(tick)).map(due).min()?;
                Some(first.min(start(tick + 1)))
            });
        let outer = self.cursor >> BITS;
        let outer = (outer + 1..=outer + BUCKETS)
            .find(|&coarse| self.heads[outer_bucket(coarse) as usize] != NONE)
            .map(|coarse| start(coarse << BITS));
        inner.into_iter().chain(outer).min()
    }

    fn bucket(&self, at: Moment) -> u32 {
        let tick = (at.as_nanos() / TICK).max(self.cursor);
        if tick - self.cursor < BUCKETS {
            return inner_bucket(tick);
        }
        let furthest = (self.cursor >> BITS) + BUCKETS - 1;
        outer_bucket((tick >> BITS).min(furthest))
    }

    fn drain(&mut self, bucket: u32, fired: &mut Vec<u32>) {
        let mut slot = std::mem::replace(&mut self.heads[bucket as usize], NONE);
        while slot != NONE {
            fired.push(slot);
            slot = std::mem::replace(&mut self.links[slot as usize], Link::FREE).next;
        }
    }

    fn entries(&self, bucket: u32) -> impl Iterator<Item = u32> + '_ {
        let some = |slot: u32| (slot != NONE).then_some(slot);
        successors(some(self.heads[bucket as usize]), move |&slot| {
            some(self.links[slot as usize].next)
        })
    }
}

const fn inner_bucket(tick: u64) -> u32 {
    (tick % BUCKETS) as u32
}

const fn outer_bucket(coarse: u64) -> u32 {
    (BUCKETS + coarse % BUCKETS) as u32
}

const fn start(tick: u64) -> Moment {
    Moment::from_nanos(tick.saturating_mul(TICK))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Drives a wheel as the monitor does, and says when each slot was found due.
    fn run(deadlines: &[u64], steps: &[u64]) -> Vec<Option<u64>> {
        let mut wheel = Wheel::new();
        for (slot, &at) in deadlines.iter().enumerate() {
            wheel.grow();
            wheel.arm(slot as u32, Moment::from_nanos(at));
        }
        let mut found = vec![None; deadlines.len()];
        let (mut now, mut fired) = (0_u64, Vec::new());
        for step in steps {
            now = now.saturating_add(*step);
            wheel.advance(Moment::from_nanos(now), &mut fired);
            for slot in fired.drain(..) {
                let at = deadlines[slot as usize];
                if at <= now {
                    assert_eq!(found[slot as usize].replace(now), None, "fires once");
                } else {
                    wheel.arm(slot, Moment::from_nanos(at));
                }
            }
        }
        found
    }

    fn deadline() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..3 * TICK,
            0..2 * TICK * BUCKETS,
            0..3 * TICK * BUCKETS * BUCKETS
        ]
    }

    proptest! {
        #[test]
        fn every_entry_fires_at_the_first_look_that_is_not_before_it(
            deadlines in prop::collection::vec(deadline(), 1..40),
            steps in prop::collection::vec(deadline(), 1..40),
        ) {
            let found = run(&deadlines, &steps);
            let looks: Vec<u64> = steps.iter().scan(0_u64, |now, step| {
                *now = now.saturating_add(*step);
                Some(*now)
            }).collect();
            for (at, found) in deadlines.iter().zip(found) {
                prop_assert_eq!(found, looks.iter().copied().find(|look| look >= at));
            }
        }

        #[test]
        fn whoever_looks_when_told_is_never_late(
            deadlines in prop::collection::vec(deadline(), 1..40),
        ) {
            let mut wheel = Wheel::new();
            for (slot, &at) in deadlines.iter().enumerate() {
                wheel.grow();
                wheel.arm(slot as u32, Moment::from_nanos(at));
            }
            let due = |slot: u32| Moment::from_nanos(deadlines[slot as usize]);
            let (mut left, mut looks, mut fired) = (deadlines.len(), 0, Vec::new());
            while let Some(now) = wheel.next(due) {
                looks += 1;
                wheel.advance(now, &mut fired);
                for slot in fired.drain(..) {
                    if due(slot) <= now {
                        prop_assert_eq!(due(slot), now);
                        left -= 1;
                    } else {
                        wheel.arm(slot, due(slot));
                    }
                }
            }
            prop_assert_eq!(left, 0);
            prop_assert!(looks <= 8 * deadlines.len(), "{} looks", looks);
        }
    }

    #[test]
    fn an_entry_that_is_armed_again_fires_only_as_it_was_armed_last() {
        let mut wheel = Wheel::new();
        wheel.grow();
        wheel.grow();
        let (soon, late) = (Moment::from_nanos(TICK), Moment::from_nanos(50 * TICK));
        for at in [late, soon, late] {
            wheel.arm(0, at);
            wheel.arm(1, at);
        }
        wheel.disarm(1);
        let mut fired = Vec::new();
        wheel.advance(soon, &mut fired);
        assert_eq!(fired, [0; 0]);
        wheel.advance(late, &mut fired);
        assert_eq!(fired, [0]);
        assert_eq!(wheel.next(|_| late), None);
    }
}

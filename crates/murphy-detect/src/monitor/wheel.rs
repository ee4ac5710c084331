//! A hashed wheel of lazy timers: one entry a slot, in two rings of 1024 buckets.
//!
//! An entry fires no later than the time for which it was armed; early ones are armed again. So whoever moves a
//! deadline *later* leaves the wheel alone, and beats cost nothing here (Varghese and Lauck, *Hashed and
//! hierarchical timing wheels*, SOSP 1987; lazy as in the kernels' TCP timers).

use crate::Moment;

/// 10 ms in the inner ring, 10.24 s in the outer one. What lies beyond, nearly three hours ahead, is looked at on the way.
const TICK: u64 = 10_000_000;
const BUCKETS: u64 = 1 << BITS;
const BITS: u32 = 10;

/// Armed for no bucket.
const NEVER: u64 = u64::MAX;

/// Entries that wait for their bucket's time.
///
/// A bucket is a list of slots, so that a look at many of them waits for memory once and not for each. An entry is not taken
/// out where its slot is armed for sooner: it is known to be stale by the tick for which the slot is armed.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    buckets: Vec<Vec<u32>>,
    /// The first tick of the bucket in which each slot's entry is.
    armed: Vec<u64>,
    /// All of them, stale ones included.
    entries: usize,
    /// The tick that is now: those before it are empty.
    cursor: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![Vec::new(); 2 * BUCKETS as usize],
            armed: Vec::new(),
            entries: 0,
            cursor: 0,
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.armed.reserve_exact(slots);
    }

    /// One more slot, the next number.
    pub(super) fn grow(&mut self) {
        self.armed.push(NEVER);
    }

    /// Wakes `slot` at `at` or sooner.
    pub(super) fn arm(&mut self, slot: u32, at: Moment) {
        let (bucket, first) = self.bucket(at);
        if first >= self.armed[slot as usize] {
            return;
        }
        self.armed[slot as usize] = first;
        self.buckets[bucket].push(slot);
        self.entries += 1;
        if self.entries > 4 * self.armed.len() + 64 {
            self.compact();
        }
    }

    /// Time has come to `now`: takes out everything that may be due, and some that is not.
    pub(super) fn advance(&mut self, now: Moment, fired: &mut Vec<u32>) {
        let from = self.cursor;
        let to = (now.as_nanos() / TICK).max(from);
        let (outer, outer_to) = (from >> BITS, to >> BITS);
        for coarse in outer + 1..=outer_to.min(outer + BUCKETS) {
            self.drain(outer_bucket(coarse), coarse << BITS, fired);
        }
        for tick in from..=to.min(from + BUCKETS - 1) {
            self.drain(inner_bucket(tick), tick, fired);
        }
        self.cursor = to;
    }

    /// When the first of the entries is to be looked at: exactly then where `due` tells its time, never later.
    pub(super) fn next(&self, due: impl Fn(u32) -> Moment) -> Option<Moment> {
        let inner = (self.cursor..self.cursor + BUCKETS).find_map(|tick| {
            let first = self.entries(inner_bucket(tick), tick).map(&due).min()?;
            // Whoever is past due and waits all the same was put off: until the bucket's time.
            Some(first.clamp(start(tick), start(tick + 1)))
        });
        let outer = self.cursor >> BITS;
        let outer = (outer + 1..=outer + BUCKETS)
            .map(|coarse| coarse << BITS)
            .find(|&first| {
                self.entries(outer_bucket(first >> BITS), first)
                    .next()
                    .is_some()
            })
            .map(start);
        inner.into_iter().chain(outer).min()
    }

    /// The bucket for a moment, and the first tick that is in it.
    fn bucket(&self, at: Moment) -> (usize, u64) {
        let tick = (at.as_nanos() / TICK).max(self.cursor);
        if tick - self.cursor < BUCKETS {
            return (inner_bucket(tick), tick);
        }
        let furthest = (self.cursor >> BITS) + BUCKETS - 1;
        let coarse = (tick >> BITS).min(furthest);
        (outer_bucket(coarse), coarse << BITS)
    }

    fn drain(&mut self, bucket: usize, first: u64, fired: &mut Vec<u32>) {
        if self.buckets[bucket].is_empty() {
            return;
        }
        // Its memory goes back: another bucket is the full one next time.
        let slots = std::mem::take(&mut self.buckets[bucket]);
        self.entries -= slots.len();
        for slot in slots {
            let armed = &mut self.armed[slot as usize];
            if *armed == first {
                *armed = NEVER;
                fired.push(slot);
            }
        }
    }

    fn entries(&self, bucket: usize, first: u64) -> impl Iterator<Item = u32> + '_ {
        let is_armed = move |slot: &u32| self.armed[*slot as usize] == first;
        self.buckets[bucket].iter().copied().filter(is_armed)
    }

    /// Drops what is stale. There are then as many entries as slots at most.
    fn compact(&mut self) {
        for bucket in &mut self.buckets {
            bucket.clear();
        }
        self.entries = 0;
        for slot in 0..self.armed.len() as u32 {
            let armed = std::mem::replace(&mut self.armed[slot as usize], NEVER);
            if armed != NEVER {
                self.arm(slot, start(armed));
            }
        }
    }
}

const fn inner_bucket(tick: u64) -> usize {
    (tick % BUCKETS) as usize
}

const fn outer_bucket(coarse: u64) -> usize {
    (BUCKETS + coarse % BUCKETS) as usize
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
    fn an_entry_fires_once_and_as_soon_as_was_ever_asked() {
        let mut wheel = Wheel::new();
        wheel.grow();
        let (soon, late) = (Moment::from_nanos(TICK), Moment::from_nanos(50 * TICK));
        for at in [late, soon, late] {
            wheel.arm(0, at);
        }
        assert_eq!(wheel.next(|_| soon), Some(soon));
        let mut fired = Vec::new();
        wheel.advance(soon, &mut fired);
        assert_eq!(fired, [0]);
        wheel.advance(late, &mut fired);
        assert_eq!(fired, [0], "the other one is stale");
        assert_eq!(wheel.next(|_| late), None);
    }

    #[test]
    fn stale_entries_are_bounded() {
        let mut wheel = Wheel::new();
        wheel.grow();
        for tick in (1..BUCKETS).rev() {
            wheel.arm(0, start(tick));
            assert!(wheel.entries <= 68);
        }
        let mut fired = Vec::new();
        wheel.advance(start(BUCKETS), &mut fired);
        assert_eq!(fired, [0]);
    }
}

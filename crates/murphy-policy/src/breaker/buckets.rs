//! Counts over the last while: a ring of buckets, each a slice of time.
//!
//! A bucket's counter is one word that carries the number of its slice, so that adding to it and
//! starting it anew are one atomic step, without a lock, and whatever is too old is told by its
//! number: nothing is swept, however long nobody called.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// How many slices a window has: it spans between 15 and 16 sixteenths of what was asked for.
const SLICES: usize = 16;
/// A count is at most 2²⁸ − 1 for each slice, and stays there.
const COUNT_BITS: u32 = 28;
const MOST: u64 = (1 << COUNT_BITS) - 1;

/// `K` counters over a window of time.
///
/// Slices are numbered modulo 2³⁶: 2 000 years of a window of ten seconds.
#[derive(Debug)]
pub(crate) struct Buckets<const K: usize> {
    slice: Duration,
    // The first instant that was told: an `Instant` cannot be counted from nothing.
    origin: OnceLock<Instant>,
    words: [[AtomicU64; SLICES]; K],
}

impl<const K: usize> Buckets<K> {
    /// A window of `span`; a slice is a millisecond at least.
    pub(crate) fn new(span: Duration) -> Self {
        Self {
            slice: (span / SLICES as u32).max(Duration::from_millis(1)),
            origin: OnceLock::new(),
            words: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    /// Adds one to counter `k` at `now`.
    pub(crate) fn add(&self, k: usize, now: Instant) {
        let slice = self.slice_of(now);
        let word = &self.words[k][slice as usize % SLICES];
        let _ = word.fetch_update(Relaxed, Relaxed, |word| {
            if word >> COUNT_BITS != slice {
                return Some(slice << COUNT_BITS | 1);
            }
            (word & MOST < MOST).then_some(word + 1)
        });
    }

    /// Takes back one that was added to counter `k` at `then`, if that slice is still counted.
    pub(crate) fn take(&self, k: usize, then: Instant) {
        let slice = self.slice_of(then);
        let word = &self.words[k][slice as usize % SLICES];
        let _ = word.fetch_update(Relaxed, Relaxed, |word| {
            (word >> COUNT_BITS == slice && word & MOST > 0).then(|| word - 1)
        });
    }

    /// What each counter holds at `now`.
    pub(crate) fn sums(&self, now: Instant) -> [u64; K] {
        let slice = self.slice_of(now);
        std::array::from_fn(|k| {
            self.words[k]
                .iter()
                .map(|word| word.load(Relaxed))
                .filter(|word| (slice.wrapping_sub(word >> COUNT_BITS) & NUMBERS) < SLICES as u64)
                .map(|word| word & MOST)
                .sum()
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for word in self.words.iter().flatten() {
            word.store(0, Relaxed);
        }
    }

    fn slice_of(&self, now: Instant) -> u64 {
        let origin = *self.origin.get_or_init(|| now);
        let since = now.saturating_duration_since(origin);
        let slice = match u64::try_from(since.as_nanos()) {
            // Below 584 years in words of the machine.
            Ok(nanos) => nanos / self.slice.as_nanos().min(u64::MAX.into()) as u64,
            Err(_) => (since.as_nanos() / self.slice.as_nanos()) as u64,
        };
        slice & NUMBERS
    }
}

const NUMBERS: u64 = u64::MAX >> COUNT_BITS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPAN: Duration = Duration::from_millis(1600);

    #[test]
    fn what_is_older_than_the_window_is_gone_however_long_nobody_called() {
        let start = Instant::now();
        let buckets = Buckets::<1>::new(SPAN);
        for (name, after, want) in [
            ("at first", 0, 1),
            ("within a slice", 99, 2),
            ("the first slice still counts", 1599, 3),
            ("and then does not", 1600, 2),
            ("after a year", 31_536_000_000, 1),
        ] {
            let now = start + Duration::from_millis(after);
            buckets.add(0, now);
            assert_eq!(buckets.sums(now), [want], "{name}");
        }
    }

    #[test]
    fn what_is_taken_back_was_never_there_and_what_is_gone_is_not_taken_twice() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let buckets = Buckets::<1>::new(SPAN);
        for millis in [0, 0, 150] {
            buckets.add(0, at(millis));
        }
        buckets.take(0, at(99));
        assert_eq!(buckets.sums(at(200)), [2]);
        buckets.take(0, at(0));
        buckets.take(0, at(0));
        assert_eq!(buckets.sums(at(200)), [1]);
        // Its slice has a new number by now.
        buckets.add(0, at(1600));
        buckets.take(0, at(0));
        assert_eq!(buckets.sums(at(1600)), [2]);
    }

    #[test]
    fn a_full_counter_stays_full() {
        let now = Instant::now();
        let buckets = Buckets::<1>::new(SPAN);
        buckets.words[0][0].store(MOST - 1, Relaxed);
        buckets.add(0, now);
        buckets.add(0, now);
        assert_eq!(buckets.sums(now), [MOST]);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_list(gaps in prop::collection::vec((0_u64..700, 0..2_usize), 0..200)) {
            let start = Instant::now();
            let buckets = Buckets::<2>::new(SPAN);
            let mut list: Vec<(u64, usize)> = Vec::new();
            let mut at = 0;
            for (gap, k) in gaps {
                at += gap;
                // The first is at zero, where slices are counted from.
                let now = start + Duration::from_millis(at);
                if list.is_empty() {
                    buckets.sums(start);
                }
                buckets.add(k, now);
                list.push((at, k));
                let of = |k| list.iter()
                    .filter(|(then, which)| *which == k && at / 100 - then / 100 < 16)
                    .count() as u64;
                prop_assert_eq!(buckets.sums(now), [of(0), of(1)]);
            }
        }
    }
}

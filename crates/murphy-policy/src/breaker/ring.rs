//! Counts over the last calls: a ring of outcomes, two bits each.
//!
//! Without a lock: an outcome that replaces its like costs one addition and two loads. Where
//! several threads settle at once, each bit that changes is counted by whoever changed it, so that
//! the counts are those of the bits once all are done.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The last `len` outcomes: which failed, and which were slow.
#[derive(Debug)]
pub(super) struct Ring {
    len: u64,
    next: AtomicU64,
    failed: Bits,
    slow: Bits,
}

#[derive(Debug)]
struct Bits {
    words: Box<[AtomicU64]>,
    ones: AtomicU32,
}

impl Ring {
    /// Holds `len` outcomes, at least one.
    pub(super) fn new(len: u32) -> Self {
        let len = u64::from(len.max(1));
        Self {
            len,
            next: AtomicU64::new(0),
            failed: Bits::new(len),
            slow: Bits::new(len),
        }
    }

    /// Replaces the oldest outcome.
    pub(super) fn add(&self, failed: bool, slow: bool) {
        let at = self.next.fetch_add(1, Relaxed) % self.len;
        self.failed.set(at, failed);
        self.slow.set(at, slow);
    }

    /// How many outcomes there are, and how many of them failed and were slow.
    pub(super) fn sums(&self) -> [u64; 3] {
        [
            self.next.load(Relaxed).min(self.len),
            self.failed.ones.load(Relaxed).into(),
            self.slow.ones.load(Relaxed).into(),
        ]
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.failed.clear();
        self.slow.clear();
        self.next.store(0, Relaxed);
    }
}

impl Bits {
    fn new(len: u64) -> Self {
        Self {
            words: (0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            ones: AtomicU32::new(0),
        }
    }

    #[inline]
    fn set(&self, at: u64, one: bool) {
        let (word, bit) = (&self.words[(at / 64) as usize], 1 << (at % 64));
        if (word.load(Relaxed) & bit != 0) == one {
            return;
        }
        let old = match one {
            true => word.fetch_or(bit, Relaxed),
            false => word.fetch_and(!bit, Relaxed),
        };
        match (old & bit != 0, one) {
            (false, true) => self.ones.fetch_add(1, Relaxed),
            (true, false) => self.ones.fetch_sub(1, Relaxed),
            // Somebody else changed it in between, and counted it.
            _ => 0,
        };
    }

    fn clear(&self) {
        for word in &self.words {
            let gone = word.swap(0, Relaxed).count_ones();
            self.ones.fetch_sub(gone, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_ring_counts_as_a_list_does(
            len in 1_u32..150,
            outcomes in prop::collection::vec((any::<bool>(), any::<bool>()), 0..400),
        ) {
            let ring = Ring::new(len);
            let mut list = VecDeque::new();
            for (failed, slow) in outcomes {
                ring.add(failed, slow);
                list.push_back((failed, slow));
                if list.len() > len as usize {
                    list.pop_front();
                }
                let count = |f: fn(&(bool, bool)) -> bool| list.iter().filter(|o| f(o)).count() as u64;
                prop_assert_eq!(ring.sums(), [list.len() as u64, count(|o| o.0), count(|o| o.1)]);
            }
            ring.clear();
            prop_assert_eq!(ring.sums(), [0, 0, 0]);
        }
    }

    #[test]
    fn threads_lose_no_bit() {
        let ring = Ring::new(1000);
        std::thread::scope(|scope| {
            for odd in [false, true] {
                let ring = &ring;
                scope.spawn(move || (0..500).for_each(|_| ring.add(odd, !odd)));
            }
        });
        assert_eq!(ring.sums(), [1000, 500, 500]);
    }
}

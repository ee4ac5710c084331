//! How often each key came by: a fixed table of counters, without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use murphy_core::{Key, mix};

/// Slots looked at before the table counts as full.
const PROBES: usize = 8;

/// A bounded map from key to count.
///
/// A key takes the first free of eight slots from where its hash points, for the rest of the run.
/// Where all eight are others', the key is not counted: its every passage is occurrence 0.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[Slot]>,
    mask: usize,
    /// The key whose tag would be that of a free slot.
    last: AtomicU64,
    overflowed: AtomicBool,
}

#[derive(Debug, Default)]
struct Slot {
    /// The key's bits, inverted: 0 is a free slot.
    tag: AtomicU64,
    count: AtomicU64,
}

impl Table {
    /// A table of at least `keys` slots, and at least eight.
    pub(crate) fn new(keys: usize) -> Self {
        let len = keys.clamp(PROBES, 1 << 24).next_power_of_two();
        Self {
            slots: (0..len).map(|_| Slot::default()).collect(),
            mask: len - 1,
            last: AtomicU64::new(0),
            overflowed: AtomicBool::new(false),
        }
    }

    /// Counts one more passage of `key` and says how many came before it.
    #[inline]
    pub(crate) fn next(&self, key: Key) -> u64 {
        let tag = !key.bits();
        let home = mix(tag) as usize;
        if tag == 0 {
            return self.last.fetch_add(1, Relaxed);
        }
        for probe in 0..PROBES {
            let slot = &self.slots[home.wrapping_add(probe) & self.mask];
            let seen = slot.tag.load(Relaxed);
            if seen == tag || (seen == 0 && slot.claim(tag)) {
                return slot.count.fetch_add(1, Relaxed);
            }
        }
        self.overflowed.store(true, Relaxed);
        0
    }

    /// How many passages it counted.
    pub(crate) fn counted(&self) -> u64 {
        let counts = self.slots.iter().map(|slot| &slot.count);
        counts.chain([&self.last]).map(|n| n.load(Relaxed)).sum()
    }

    /// Whether some key found no room.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed.load(Relaxed)
    }
}

impl Slot {
    /// Takes a free slot; also true if another thread took it for the same key meanwhile.
    #[cold]
    fn claim(&self, tag: u64) -> bool {
        match self.tag.compare_exchange(0, tag, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(winner) => winner == tag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_counts_for_itself() {
        let table = Table::new(1024);
        for round in 0..3 {
            for key in (0..100).chain([u64::MAX]) {
                assert_eq!(table.next(Key::new(key)), round);
            }
        }
        assert!(!table.overflowed());
    }

    #[test]
    fn a_full_table_says_so_and_counts_nothing_new() {
        let table = Table::new(8);
        for key in 0..8 {
            assert_eq!(table.next(Key::new(key)), 0);
        }
        assert!(!table.overflowed());
        assert_eq!((table.next(Key::new(99)), table.next(Key::new(99))), (0, 0));
        assert!(table.overflowed());
        assert_eq!(table.next(Key::new(3)), 1, "those inside go on");
    }

    #[test]
    fn threads_share_one_count() {
        let table = Table::new(64);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..1000).for_each(|_| _ = table.next(Key::new(5))));
            }
        });
        assert_eq!(table.next(Key::new(5)), 4000);
    }
}

//! What threads paid in: each in its own [place](super::place), without a locked instruction.

use std::fmt;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use super::place::{self, COMMON, PLACES};

/// A sum for each place. They only grow, and wrap after 2⁶⁴.
///
/// Side by side, so that to read them all is to read two cache lines, and an account stays small;
/// and apart from what else is in the account, which whoever pays in reads.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Paid([AtomicU64; PLACES]);

impl Paid {
    /// Adds to this thread's sum: what that was, and what it is.
    #[inline]
    pub(super) fn add(&self, amount: u64) -> (u64, u64) {
        self.add_at(place::mine(), amount)
    }

    #[inline]
    fn add_at(&self, place: usize, amount: u64) -> (u64, u64) {
        let sum = &self.0[place];
        if place == COMMON {
            let before = sum.fetch_add(amount, Release);
            return (before, before.wrapping_add(amount));
        }
        // Nobody else writes it: to read and to write need not be one step.
        let before = sum.load(Relaxed);
        let after = before.wrapping_add(amount);
        sum.store(after, Release);
        (before, after)
    }

    /// The sum of all, at least: others may be paying in.
    #[inline]
    pub(super) fn sum(&self) -> u64 {
        let sums = self.0.iter().take(place::known());
        let sums = sums.map(|sum| sum.load(Acquire));
        sums.fold(0, u64::wrapping_add)
    }
}

impl fmt::Debug for Paid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Paid").field(&self.sum()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_threads_share_loses_nothing() {
        const THREADS: u64 = 4;
        const EACH: u64 = 100_000;
        let paid = Paid::default();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..EACH).for_each(|_| _ = paid.add_at(COMMON, 3)));
            }
        });
        assert_eq!(paid.sum(), THREADS * EACH * 3);
    }
}

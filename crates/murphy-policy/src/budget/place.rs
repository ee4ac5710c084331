//! A place for each thread that lives: its own, and another's when it ends.

use std::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// How many places there are.
pub(super) const PLACES: usize = 16;

/// The first is common to all threads for which there is none of their own.
pub(super) const COMMON: usize = 0;

static IN_PROCESS: Places = Places::new();

thread_local! {
    static MINE: Mine = Mine(IN_PROCESS.claim());
}

/// The place of this thread. Unless it is [`COMMON`], nobody else has it while this thread lives.
///
/// Nor while it ends: what a thread still does after it gave up its own place, it does in the common
/// one.
#[inline]
pub(super) fn mine() -> usize {
    MINE.try_with(|mine| mine.0).unwrap_or(COMMON)
}

/// How many places, from the first on, there ever was a thread for: 1 to [`PLACES`].
#[inline]
pub(super) fn known() -> usize {
    IN_PROCESS.known.load(Relaxed)
}

struct Mine(usize);

impl Drop for Mine {
    fn drop(&mut self) {
        IN_PROCESS.free(self.0);
    }
}

struct Places {
    /// A bit for each that has a thread.
    taken: AtomicU32,
    known: AtomicUsize,
}

impl Places {
    const fn new() -> Self {
        Self {
            taken: AtomicU32::new(1 << COMMON),
            known: AtomicUsize::new(COMMON + 1),
        }
    }

    /// The lowest that is free, else the common one. Whoever takes one over sees all that was written
    /// there.
    fn claim(&self) -> usize {
        let lowest = |taken: u32| {
            let place = taken.trailing_ones();
            ((place as usize) < PLACES).then_some(taken | 1 << place)
        };
        let before = self.taken.fetch_update(Acquire, Relaxed, lowest);
        let place = before.map_or(COMMON, |taken| taken.trailing_ones() as usize);
        // Before anything is written there, so that whoever reads all places misses nothing.
        self.known.fetch_max(place + 1, Relaxed);
        place
    }

    fn free(&self, place: usize) {
        if place != COMMON {
            self.taken.fetch_and(!(1 << place), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_place_is_one_threads_alone_until_it_is_free_and_then_the_lowest_is_taken_again() {
        let places = Places::new();
        let all: Vec<usize> = (0..PLACES + 3).map(|_| places.claim()).collect();
        let own = 1..PLACES;
        let want: Vec<usize> = own.chain([COMMON; 4]).collect();
        assert_eq!(all, want);
        for place in [7, 3, COMMON] {
            places.free(place);
        }
        assert_eq!([3, 7, COMMON], [(); 3].map(|()| places.claim()));
    }

    #[test]
    fn all_places_that_were_ever_written_are_known() {
        let places = Places::new();
        assert_eq!(places.known.load(Relaxed), 1);
        for claimed in [1, 2, 3] {
            assert_eq!(places.claim(), claimed);
            assert_eq!(places.known.load(Relaxed), claimed + 1);
        }
        // What was written there is still there.
        places.free(3);
        assert_eq!(places.known.load(Relaxed), 4);
        let place = mine();
        assert!((place + 1..=PLACES).contains(&known()));
    }

    #[test]
    fn threads_that_live_at_once_share_no_place_but_the_common_one() {
        const THREADS: usize = PLACES + 8;
        let all = Barrier::new(THREADS);
        let places: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let place = mine();
                        all.wait();
                        assert_eq!(mine(), place);
                        place
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let own: Vec<usize> = places.into_iter().filter(|p| *p != COMMON).collect();
        assert_eq!(own.iter().collect::<BTreeSet<_>>().len(), own.len());
    }

    #[test]
    fn threads_that_end_leave_their_places() {
        // More than there are, one after the other, whatever other tests hold.
        let places = (0..4 * PLACES).map(|_| std::thread::spawn(mine).join().unwrap());
        let places: BTreeSet<usize> = places.collect();
        assert!(places.len() < PLACES, "{places:?}");
    }
}

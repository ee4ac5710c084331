//! [`Latencies`]: how long members take, as far as it was seen.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many of the last replies a percentile is taken of.
const REMEMBERED: usize = 128;
/// The percentile is found anew after so many replies.
const REFRESH: usize = 16;
/// One more is asked by every question of this number.
const PROBED: usize = 16;

/// What the clones of a [`Quorum`](super::Quorum) have seen of their members. Guesses: two threads that meet
/// may lose one of two observations.
#[derive(Debug)]
pub(super) struct Latencies {
    /// Nanoseconds, an average in which the last weighs an eighth; 0: nothing seen.
    smoothed: Vec<AtomicU64>,
    recent: Mutex<Recent>,
    /// The percentile in nanoseconds, as found last; 0: too little was seen.
    found: AtomicU64,
    /// Questions so far.
    questions: AtomicUsize,
}

/// What was seen of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It answered.
    Answered,
    /// The same, and it had not been asked for long: what was seen before says nothing any more.
    Anew,
    /// It took so long at least: it failed, was given up, or was not waited for.
    AtLeast,
}

#[derive(Debug)]
struct Recent {
    last: [u64; REMEMBERED],
    seen: usize,
}

impl Latencies {
    pub(super) fn new(members: usize) -> Self {
        Self {
            smoothed: (0..members).map(|_| AtomicU64::new(0)).collect(),
            recent: Mutex::new(Recent {
                last: [0; REMEMBERED],
                seen: 0,
            }),
            found: AtomicU64::new(0),
            questions: AtomicUsize::new(0),
        }
    }

    /// Another question: who is asked though it need not be, so that one that was slow and is not any more is found.
    /// Each in turn, by every sixteenth question.
    pub(super) fn probe(&self) -> Option<usize> {
        let question = self.questions.fetch_add(1, Relaxed);
        let is_turn = question % PROBED == PROBED - 1;
        is_turn.then(|| question / PROBED % self.smoothed.len().max(1))
    }

    /// A member answered after so long, or took so long at least.
    pub(super) fn saw(&self, member: usize, took: Duration, seen: Seen, percentile: Option<f64>) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        if let Some(smoothed) = self.smoothed.get(member) {
            let before = smoothed.load(Relaxed);
            let next = match seen {
                _ if before == 0 => nanos,
                Seen::Anew => nanos,
                // That it is quicker than what was seen before does not follow.
                Seen::AtLeast if nanos < before => before,
                Seen::Answered | Seen::AtLeast => before - before / 8 + nanos / 8,
            };
            smoothed.store(next.max(1), Relaxed);
        }
        let Some(percentile) = percentile else { return };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recent.seen % REMEMBERED;
        recent.last[at] = nanos;
        recent.seen += 1;
        if recent.seen % REFRESH != 0 {
            return;
        }
        let mut sorted = recent.last;
        let seen = &mut sorted[..recent.seen.min(REMEMBERED)];
        seen.sort_unstable();
        // The smallest that so large a share of them is not above.
        let rank = (percentile * seen.len() as f64).ceil() as usize;
        let found = seen[rank.clamp(1, seen.len()) - 1];
        self.found.store(found, Relaxed);
    }

    /// The percentile, once enough was seen.
    pub(super) fn percentile(&self) -> Option<Duration> {
        let found = self.found.load(Relaxed);
        (found != 0).then(|| Duration::from_nanos(found))
    }

    /// The members, the quickest first; those of whom nothing was seen before all others, in their order.
    pub(super) fn order(&self, into: &mut [u8]) {
        let smoothed = |at: u8| {
            self.smoothed
                .get(usize::from(at))
                .map_or(0, |s| s.load(Relaxed))
        };
        // Read once each: they may change under the sort.
        let mut keys = [(0, 0); crate::Set::MOST];
        for (key, at) in keys.iter_mut().zip(into.iter()) {
            *key = (smoothed(*at), *at);
        }
        let keys = &mut keys[..into.len().min(crate::Set::MOST)];
        keys.sort_unstable();
        for (at, (_, member)) in into.iter_mut().zip(keys) {
            *at = *member;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_quickest_come_first_and_strangers_before_them() {
        let latencies = Latencies::new(4);
        for _ in 0..50 {
            latencies.saw(0, MS * 30, Seen::Answered, None);
            latencies.saw(1, MS * 10, Seen::Answered, None);
            latencies.saw(3, MS * 20, Seen::Answered, None);
        }
        let mut order = [0, 1, 2, 3];
        latencies.order(&mut order);
        assert_eq!(order, [2, 1, 3, 0]);
        // Who becomes quicker moves up.
        for _ in 0..50 {
            latencies.saw(0, MS, Seen::Answered, None);
        }
        latencies.order(&mut order);
        assert_eq!(order, [2, 0, 1, 3]);
        latencies.saw(9, Duration::MAX, Seen::Answered, None);
    }

    #[test]
    fn what_took_longer_than_was_waited_is_not_quicker_for_it() {
        let latencies = Latencies::new(2);
        latencies.saw(0, MS * 80, Seen::Answered, None);
        latencies.saw(1, MS * 40, Seen::Answered, None);
        for _ in 0..50 {
            latencies.saw(0, MS, Seen::AtLeast, None);
        }
        let order = || {
            let mut order = [0, 1];
            latencies.order(&mut order);
            order
        };
        assert_eq!(order(), [1, 0]);
        latencies.saw(0, MS, Seen::Anew, None);
        assert_eq!(order(), [0, 1]);
        for _ in 0..50 {
            latencies.saw(0, MS * 90, Seen::AtLeast, None);
        }
        assert_eq!(order(), [1, 0]);
    }

    #[test]
    fn each_is_probed_in_turn() {
        let latencies = Latencies::new(2);
        let probed: Vec<_> = (0..64).filter_map(|_| latencies.probe()).collect();
        assert_eq!(probed, [0, 1, 0, 1]);
    }

    #[test]
    fn a_percentile_is_that_of_the_last_ones() {
        let latencies = Latencies::new(1);
        for n in 1..=15 {
            latencies.saw(0, MS * n, Seen::Answered, Some(0.9));
        }
        assert_eq!(latencies.percentile(), None, "too few");
        for n in 16..=100 {
            latencies.saw(0, MS * n, Seen::Answered, Some(0.9));
        }
        assert_eq!(latencies.percentile(), Some(MS * 87), "of 96");
        for _ in 0..REMEMBERED {
            latencies.saw(0, MS, Seen::Answered, Some(0.9));
        }
        assert_eq!(latencies.percentile(), Some(MS));
    }
}

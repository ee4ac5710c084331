//! What is written down while a run is on: entries, up to a bound.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use murphy_core::Key;
use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Whether a fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// It did.
    Injected,
    /// It did, and changed nothing, because another fault of the same call had decided already.
    Masked,
    /// It would have, and a limit forbade it.
    Withheld,
    /// It did not.
    Missed,
}

/// Why a fault did not strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Why {
    /// Its selector did not choose the call.
    NotSelected,
    /// It takes no part in this run (two-level activation).
    Inactive,
    /// `only` or `except` spared the request.
    Spared,
    /// The request's header does not ask for it.
    NotRequested,
    /// Outside of its time window.
    OutsideWindow,
    /// Outside of its range of calls.
    OutsideCalls,
    /// The site's layer lacks the ability that it needs.
    Unable,
    /// The call was made outside of a tokio runtime.
    NoRuntime,
    /// Withheld: it had struck as often as it may.
    AtMost,
    /// Withheld: too many faults in flight.
    InFlight,
    /// Withheld: too large a share of the site's calls was faulted already.
    Ratio,
}

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing happened, so nothing came of it.
    Nothing,
    /// The call is still on its way.
    UnderWay,
    /// The service's reply reached the caller.
    Delivered,
    /// The body stopped, or lost its trailers, where the fault says.
    Broken,
    /// The caller got the refusal.
    Refused,
    /// The request was lost: the service never ran.
    NeverRan,
    /// The service ran to its end; the caller did not get this reply.
    Ran,
    /// The caller left before, and the call with it.
    CallerLeft,
    /// The queue of a slow link was full, or a link held as much as it can: the message was
    /// dropped.
    Overflow,
    /// The service panicked where no caller could see it.
    Panicked,
    /// The runtime ended, or there was none, before the service did.
    Cut,
}

/// How far a run repeats itself under the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The same ordinals are struck, but which operation holds an ordinal depends on the schedule.
    /// A site is no better than this once a call had no key, a rule counts or looks at the time
    /// (`every`, `first`, `nth`, `burst`, `ramp`, a window, `at_most`), or a limit withheld a fault.
    Positional,
    /// The same faults strike the same operations, under any number of threads.
    Keyed,
    /// Virtual time: the same trace.
    Paused,
}

/// One entry, as it is kept: names are indices until somebody reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) site: u32,
    pub(crate) rule: u8,
    pub(crate) keyed: bool,
    pub(crate) finding: Finding,
    pub(crate) why: Option<Why>,
    pub(crate) outcome: Outcome,
    pub(crate) key: Key,
    pub(crate) occurrence: u64,
    pub(crate) ordinal: u64,
    pub(crate) magnitude: Option<Duration>,
    pub(crate) at: Duration,
}

/// The entries of a run, up to a bound.
#[derive(Debug)]
pub(crate) struct Book {
    bound: usize,
    page: Mutex<Page>,
}

#[derive(Debug, Default)]
struct Page {
    entries: Vec<Entry>,
    events: Vec<Event>,
    overflowed: u64,
}

impl Book {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            page: Mutex::default(),
        }
    }

    /// Writes entries down, side by side. The index of the first, unless the book is full.
    pub(crate) fn write(&self, entries: &[Entry]) -> Option<usize> {
        let mut page = self.lock();
        if page.entries.len() + entries.len() > self.bound {
            page.overflowed += entries.len() as u64;
            return None;
        }
        let first = page.entries.len();
        page.entries.extend_from_slice(entries);
        Some(first)
    }

    /// Notes what came of the entries at `first` whose bit is set in `which`.
    pub(crate) fn settle(&self, first: usize, which: u128, outcome: Outcome) {
        let mut page = self.lock();
        for bit in BitsOf(which) {
            if let Some(entry) = page.entries.get_mut(first + bit) {
                entry.outcome = outcome;
            }
        }
    }

    /// The entries that `keep` wants, so far.
    pub(crate) fn read(&self, keep: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.lock()
            .entries
            .iter()
            .filter(|e| keep(e))
            .copied()
            .collect()
    }

    /// Writes down what was done to the world.
    pub(crate) fn note(&self, event: Event) {
        let mut page = self.lock();
        if page.events.len() < self.bound {
            page.events.push(event);
        } else {
            page.overflowed += 1;
        }
    }

    /// What was done to the world so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Entries that found no room.
    pub(crate) fn overflowed(&self) -> u64 {
        self.lock().overflowed
    }

    fn lock(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The indices of the bits that are set.
struct BitsOf(u128);

impl Iterator for BitsOf {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

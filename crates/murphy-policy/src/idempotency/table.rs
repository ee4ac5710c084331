//! The machine: what is known of each key, within bounds, told the time.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Fingerprint, Outcome};

/// What one entry takes beside its key and its reply: its places in the tables, which are up to half
/// empty, and its wakers while it runs.
pub(super) const PER_ENTRY: usize = 640;

/// How much a table holds, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) keys: usize,
    pub(super) bytes: usize,
    pub(super) ttl: Duration,
}

/// Every key that is running or done. `W` is dropped with the running state: who waits is told so.
///
/// ```text
/// Absent ── begin ──▶ Running ── finish ──▶ Done ── ttl, or no room ──▶ Absent
///    ▲                   └── release, or its lease ends ──┐
///    └────────────────────────────────────────────────────┘
/// ```
#[derive(Debug)]
pub(super) struct Table<W> {
    bounds: Bounds,
    entries: HashMap<Arc<str>, Entry<W>>,
    /// By the end of their leases.
    running: BTreeMap<(Instant, u128), Arc<str>>,
    /// Oldest first. The TTL is one for all, so that the first to go is the first.
    done: VecDeque<(Instant, Arc<str>)>,
    bytes: usize,
    /// Of `bytes`, those that nothing can take away.
    running_bytes: usize,
    fence: u128,
    evicted: u64,
}

#[derive(Debug)]
enum Entry<W> {
    Running {
        fingerprint: Fingerprint,
        fence: u128,
        ends: Instant,
        wake: W,
    },
    Done {
        fingerprint: Fingerprint,
        outcome: Outcome,
    },
}

/// What `begin` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: it runs from now on, under this fence.
    Absent(u128),
    /// Another that runs, under this fence.
    Running(u128),
    Done(Outcome),
    Mismatch,
    /// All places are taken by what runs.
    Full,
}

impl<W: Default> Table<W> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: HashMap::new(),
            running: BTreeMap::new(),
            done: VecDeque::new(),
            bytes: 0,
            running_bytes: 0,
            fence: 0,
            evicted: 0,
        }
    }

    pub(super) fn begin(
        &mut self,
        now: Instant,
        key: &Arc<str>,
        asked: Fingerprint,
        lease: Duration,
    ) -> Found {
        self.expire(now);
        match self.entries.get(key) {
            Some(Entry::Running { fingerprint, .. } | Entry::Done { fingerprint, .. })
                if *fingerprint != asked =>
            {
                return Found::Mismatch;
            }
            Some(Entry::Running { fence, .. }) => return Found::Running(*fence),
            Some(Entry::Done { outcome, .. }) => return Found::Done(outcome.clone()),
            None => {}
        }
        let size = key.len() + PER_ENTRY;
        if !self.make_room(1, size) {
            return Found::Full;
        }
        // ## Absent => Running.
        self.fence += 1;
        let (fence, ends) = (self.fence, later(now, lease));
        let entry = Entry::Running {
            fingerprint: asked,
            fence,
            ends,
            wake: W::default(),
        };
        self.entries.insert(Arc::clone(key), entry);
        self.running.insert((ends, fence), Arc::clone(key));
        self.bytes += size;
        self.running_bytes += size;
        Found::Absent(fence)
    }

    /// What runs under `fence` is over. `false` if it does not, any more.
    pub(super) fn finish(
        &mut self,
        now: Instant,
        key: &Arc<str>,
        fence: u128,
        mut outcome: Outcome,
    ) -> bool {
        self.expire(now);
        let Some(fingerprint) = self.running_under(key, fence) else {
            return false;
        };
        // What would not fit if all else went does not make anything go.
        let most = self.bounds.bytes - self.running_bytes;
        if outcome.size() > most || !self.make_room(0, outcome.size()) {
            outcome = Outcome::TooLong;
        }
        // ## Running => Done.
        self.bytes += outcome.size();
        let done = Entry::Done {
            fingerprint,
            outcome,
        };
        if let Some(Entry::Running { ends, .. }) = self.entries.insert(Arc::clone(key), done) {
            self.running.remove(&(ends, fence));
            self.running_bytes -= key.len() + PER_ENTRY;
        }
        let ends = later(now, self.bounds.ttl);
        self.done.push_back((ends, Arc::clone(key)));
        true
    }

    /// What runs under `fence` did nothing. `false` if it does not, any more.
    pub(super) fn release(&mut self, key: &Arc<str>, fence: u128) -> bool {
        let runs = self.running_under(key, fence).is_some();
        if runs {
            // ## Running => Absent.
            self.remove(key);
        }
        runs
    }

    /// What tells that `key` runs under `fence` no more; `None` if that is so already.
    pub(super) fn wake(&self, key: &str, fence: u128) -> Option<&W> {
        match self.entries.get(key)? {
            Entry::Running { fence: f, wake, .. } if *f == fence => Some(wake),
            _ => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many replies had to go before their time, since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    fn running_under(&self, key: &str, fence: u128) -> Option<Fingerprint> {
        match self.entries.get(key)? {
            Entry::Running {
                fingerprint,
                fence: f,
                ..
            } if *f == fence => Some(*fingerprint),
            _ => None,
        }
    }

    /// Forgets what is over. Each entry is met once.
    fn expire(&mut self, now: Instant) {
        while self.done.front().is_some_and(|(ends, _)| *ends <= now) {
            if let Some((_, key)) = self.done.pop_front() {
                self.remove(&key);
            }
        }
        while let Some(first) = self.running.first_entry() {
            if first.key().0 > now {
                break;
            }
            let key = first.remove();
            self.remove(&key);
        }
    }

    /// Makes room for so many keys and bytes: the oldest of what is done goes. What runs never does.
    fn make_room(&mut self, keys: usize, bytes: usize) -> bool {
        let Bounds {
            keys: most_keys,
            bytes: most_bytes,
            ..
        } = self.bounds;
        loop {
            let fits = self.entries.len() + keys <= most_keys
                && self.bytes.saturating_add(bytes) <= most_bytes;
            if fits {
                return true;
            }
            let Some((_, oldest)) = self.done.pop_front() else {
                return false;
            };
            self.remove(&oldest);
            self.evicted += 1;
        }
    }

    fn remove(&mut self, key: &Arc<str>) {
        let Slot::Occupied(slot) = self.entries.entry(Arc::clone(key)) else {
            return;
        };
        self.bytes -= key.len() + PER_ENTRY;
        match slot.remove() {
            Entry::Running { ends, fence, .. } => {
                self.running.remove(&(ends, fence));
                self.running_bytes -= key.len() + PER_ENTRY;
            }
            Entry::Done { outcome, .. } => self.bytes -= outcome.size(),
        }
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(86_400 * 36_525);
    now + by.min(CENTURY)
}

#[cfg(test)]
mod tests;

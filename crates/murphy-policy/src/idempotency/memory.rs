//! [`MemoryStore`]: keys of one process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::store::{Begun, Store, StoreError, Ticket};
use super::table::{Bounds, Found, Table};
use super::{Fingerprint, Outcome};
use crate::{BadKnob, TARGET, metered};

/// Remembers keys in this process: 65,536 of them, 64 MiB, for 24 hours, unless set.
///
/// When there is no room for one more, the reply that was kept longest goes before its time: its
/// key is then as good as new, and a repeat runs the handler again. It is told and counted
/// (`idempotency.evicted`). What runs never goes; where all that is kept runs, new keys are
/// refused. A reply for which there is no room even so is not kept
/// ([`Outcome::TooLong`](super::Outcome::TooLong)).
///
/// Bytes are those that keys and replies take in memory: a reply is copied into buffers of its own, so that
/// it keeps no larger one that it came in, and each key takes 640 more, which is what one that runs holds.
/// The tables that find keys do not shrink: they stay as large as most keys at once made them. All is one lock, held for a look-up;
/// what is past its time is forgotten when the next key comes, in logarithmic time of what runs.
/// Clones share one memory. It does not outlive the process, nor is it shared with another one.
#[derive(Clone)]
pub struct MemoryStore {
    bounds: Bounds,
    table: Arc<Mutex<Table<Wake>>>,
}

/// Tells by its end that something runs no more.
#[derive(Debug)]
struct Wake(watch::Sender<()>);

impl Default for Wake {
    fn default() -> Self {
        Self(watch::channel(()).0)
    }
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::bounded(Bounds {
            keys: 65_536,
            bytes: 64 << 20,
            ttl: Duration::from_secs(86_400),
        })
    }

    fn bounded(bounds: Bounds) -> Self {
        let table = Arc::new(Mutex::new(Table::new(bounds)));
        Self { bounds, table }
    }

    /// An empty one, for at most so many keys.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: none is not enough.
    pub fn keys(mut self, most: usize) -> Result<Self, BadKnob> {
        if most == 0 {
            return Err(BadKnob::new("keys", most, "at least one"));
        }
        self.bounds.keys = most;
        Ok(Self::bounded(self.bounds))
    }

    /// An empty one, for at most so many bytes.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: less than 4096 do not hold one key of any length.
    pub fn bytes(mut self, most: usize) -> Result<Self, BadKnob> {
        if most < 4096 {
            return Err(BadKnob::new("bytes", most, "at least 4096"));
        }
        self.bounds.bytes = most;
        Ok(Self::bounded(self.bounds))
    }

    /// An empty one, that keeps replies for so long.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: what is forgotten at once is not kept.
    pub fn ttl(mut self, ttl: Duration) -> Result<Self, BadKnob> {
        if ttl.is_zero() {
            return Err(BadKnob::new("ttl", "0s", "longer than callers repeat for"));
        }
        self.bounds.ttl = ttl;
        Ok(Self::bounded(self.bounds))
    }

    /// How many keys it holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it holds now, as it counts them.
    #[must_use]
    pub fn size(&self) -> usize {
        self.lock().bytes()
    }

    fn lock(&self) -> MutexGuard<'_, Table<Wake>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    async fn begin(
        &self,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        lease: Duration,
    ) -> Result<Begun, StoreError> {
        let now = Instant::now();
        let (found, evicted) = {
            let mut table = self.lock();
            let found = table.begin(now, key, fingerprint, lease);
            (found, table.take_evicted())
        };
        say_evicted(evicted);
        let ticket = |fence| Ticket {
            key: Arc::clone(key),
            fingerprint,
            fence,
        };
        Ok(match found {
            Found::Absent(fence) => Begun::First(ticket(fence)),
            Found::Running(fence) => Begun::Running(ticket(fence)),
            Found::Done(outcome) => Begun::Done(outcome),
            Found::Mismatch => Begun::Mismatch,
            Found::Full => Begun::Full,
        })
    }

    async fn finish(&self, ticket: &Ticket, outcome: Outcome) -> Result<bool, StoreError> {
        let now = Instant::now();
        // Before the lock is taken.
        let outcome = outcome.compact();
        let (finished, evicted) = {
            let mut table = self.lock();
            let finished = table.finish(now, &ticket.key, ticket.fence, outcome);
            (finished, table.take_evicted())
        };
        say_evicted(evicted);
        Ok(finished)
    }

    async fn release(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        Ok(self.lock().release(&ticket.key, ticket.fence))
    }

    async fn watch(&self, ticket: &Ticket) {
        let watch = {
            let table = self.lock();
            let wake = table.wake(&ticket.key, ticket.fence);
            wake.map(|Wake(sender)| sender.subscribe())
        };
        if let Some(mut watch) = watch {
            // Nothing is ever sent: it returns when the sender is gone.
            let _ = watch.changed().await;
        }
    }
}

fn say_evicted(replies: u64) {
    if replies > 0 {
        metered::count("murphy_policy_idempotency_evicted_total", "memory");
        tracing::warn!(
            name: "idempotency.evicted", target: TARGET,
            replies, "no room: replies were forgotten before their time",
        );
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

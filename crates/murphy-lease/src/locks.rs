//! [`Locks`]: leases over a store.

pub(crate) mod acquire;
pub(crate) mod error;
mod pending;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::clock::Drift;
use murphy_core::{Clock, Seed};

use self::acquire::Acquiring;
use crate::ask::LeaseStore;
use crate::settings::Settings;
use crate::{BadName, Lease, LockName, Ttl, UnfencedLock, Watch};

/// Locks whose holders are held to account: leases over any [store](LeaseStore), and a
/// [`FencingToken`](crate::FencingToken) with each.
///
/// Clones share their settings, and the store as far as its clones do. Each call is made by a clone of the store that was
/// readied for it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use murphy_lease::{AcquireError, Locks, MemoryStore, Ttl};
/// use std::time::Duration;
///
/// let locks = Locks::new(MemoryStore::new()).ttl(Ttl::from_secs(5));
/// let lease = locks.acquire("orders").await?;
///
/// let late = locks.acquire("orders").deadline(Duration::from_secs(60)).await;
/// assert!(matches!(late, Err(AcquireError::Deadline { .. })), "it is renewed while it is held");
///
/// let first = lease.token()?.clone();
/// lease.release().await?;
/// let second = locks.acquire("orders").above(first.rank()).await?;
/// assert!(*second.token()? > first);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Locks<S> {
    store: S,
    settings: Settings,
}

impl<S: LeaseStore> Locks<S> {
    /// Over this store: leases of 10 s on the clock that [counts suspension](murphy_core::clock::BootClock).
    #[must_use]
    pub fn new(store: S) -> Self {
        let settings = Settings::new();
        Self { store, settings }
    }

    /// For how long leases are granted where the call does not say. 10 s by default.
    #[must_use]
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.settings.set().ttl = ttl;
        self
    }

    /// By how much the holder's clock may be slow beside the store's: so much of each lease is not used. 1 % (10,000 ppm)
    /// by default; the sign does not count, and at a million ppm nothing is left of any lease.
    #[must_use]
    pub fn drift(mut self, drift: Drift) -> Self {
        let set = self.settings.set();
        set.validity = set.validity.drift(drift);
        self
    }

    /// How much of each lease is not used besides: as long as it takes from the look at the clock to what is done
    /// upon it. 2 ms by default. Of a ttl that is no longer, nothing is left: acquiring says so.
    #[must_use]
    pub fn margin(mut self, margin: Duration) -> Self {
        let set = self.settings.set();
        set.validity = set.validity.margin(margin);
        self
    }

    /// The clock that validity, deadlines and waits are counted on.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.set().clock(clock);
        self
    }

    /// Where the tasks of leases run: each is given to this closure once, to be run to its end, as soon as there is a lease. tokio's by
    /// default, and there no lease has a task before its first renewal is due; where there is no runtime it is lost at once.
    ///
    /// For a task that should stand still when the work does: on the same node, in a test of pauses.
    #[must_use]
    pub fn executor<F>(mut self, executor: F) -> Self
    where
        F: Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    {
        self.settings.set().executor = Some(Arc::new(executor));
        self
    }

    /// Who says at once that a lease is over, where the store can tell: [`Lost`](crate::Lost) is then said within a round trip of
    /// that, and not at the next renewal. Nobody by default.
    ///
    /// It is asked beside the store, and not through the layers that are in front of it, and has to be of the very store that
    /// grants: a member of a [quorum](crate::QuorumStore) knows its leases by other nonces, and would say that they are over.
    #[must_use]
    pub fn watch(mut self, watch: impl Watch + 'static) -> Self {
        self.settings.set().watch = Some(Arc::new(watch));
        self
    }

    /// Where jitter and the upper half of nonces come from, for runs that are to repeat: the system's entropy by default.
    ///
    /// The lower half is always the system's: of two clients with one seed neither takes the other's leases for its own.
    /// What is drawn by a nonce, and what a log shows of it, is the same again; its full text is not. Two with one seed wait
    /// the same times: give each its own.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.settings.set().seed(seed);
        self
    }

    /// What events, spans and counters call it. `lease` by default.
    #[must_use]
    pub fn site(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.set().site(name.into());
        self
    }

    /// Acquires a lock, and waits for it if another holds it: in line where the store has one, else by asking again.
    ///
    /// The future is `Send`, and does nothing before it is awaited.
    ///
    /// # Panics
    ///
    /// When it is awaited outside of a tokio runtime with time, and has to wait: see [`Acquiring`].
    #[doc(alias = "lock")]
    pub fn acquire<K>(&self, key: K) -> Acquiring<S, Lease>
    where
        K: TryInto<LockName, Error: Into<BadName>>,
    {
        Acquiring::new(self, key, false)
    }

    /// Acquires a lock if nobody holds it, by one request.
    ///
    /// Its answer is waited for a third of the ttl at most, or until the [deadline](Acquiring::deadline) if that is earlier. Silence is
    /// [`AcquireError::Deadline`](crate::AcquireError::Deadline) with [`Last::Silence`](crate::Last::Silence), though the deadline was
    /// not reached: what may have been granted is released in the background.
    #[doc(alias = "try_lock")]
    pub fn try_acquire<K>(&self, key: K) -> Acquiring<S, Lease>
    where
        K: TryInto<LockName, Error: Into<BadName>>,
    {
        Acquiring::new(self, key, true)
    }

    /// Acquires a lock without proof: see [`UnfencedLock`] for what it cannot do.
    pub fn unfenced<K>(&self, key: K) -> Acquiring<S, UnfencedLock>
    where
        K: TryInto<LockName, Error: Into<BadName>>,
    {
        Acquiring::new(self, key, false)
    }

    /// Acquires a lock without proof if nobody holds it, by one request.
    ///
    /// Its answer is waited for as [`try_acquire`](Self::try_acquire) does.
    pub fn try_unfenced<K>(&self, key: K) -> Acquiring<S, UnfencedLock>
    where
        K: TryInto<LockName, Error: Into<BadName>>,
    {
        Acquiring::new(self, key, true)
    }
}

impl<S> fmt::Debug for Locks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

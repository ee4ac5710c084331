//! [`Place`]: a place in a lock's queue, and those that are kept for who asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::PLACE_KEPT;
use super::super::error::StoreError;
use super::Shared;
use super::leases::Kept;

const VERB: &str = "acquire";

/// How many places are kept. Beyond, who has waited for as long as he would leaves at once.
const ROOM: usize = 1024;

/// A place in a queue. Whoever drops it leaves: its lease is revoked in the background, and with it his key, and a put
/// that is still on its way.
pub(super) struct Place {
    shared: Arc<Shared>,
    pub(super) lease: Kept,
    is_over: bool,
}

/// Places of those that have waited for as long as they would, by their keys.
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<String, Kept>>);

impl Place {
    /// The lease is of no other use from now on: a release of the key does not give it back, for it may be revoked.
    pub(super) fn new(shared: &Arc<Shared>, lease: Kept) -> Self {
        shared.leases.forget(lease.id);
        Self::on(shared, lease)
    }

    fn on(shared: &Arc<Shared>, lease: Kept) -> Self {
        let shared = Arc::clone(shared);
        let is_over = false;
        Self {
            shared,
            lease,
            is_over,
        }
    }

    /// Where he waited before.
    pub(super) fn again(shared: &Arc<Shared>, own: &str) -> Option<Self> {
        let lease = shared.places.all().remove(own)?;
        Some(Self::on(shared, lease))
    }

    /// It is granted: the lease is the holder's.
    pub(super) fn taken(&mut self) {
        self.is_over = true;
    }

    /// Leaves, and has left when this returns.
    pub(super) async fn leave(mut self) -> Result<(), StoreError> {
        let leaving = self.shared.leave(self.lease);
        self.shared.bound(VERB, leaving).await?;
        self.is_over = true;
        Ok(())
    }

    /// Keeps it a moment, for him to ask [`again`](Self::again), or until its turn comes: nobody is there to take it.
    pub(super) fn keep(mut self, own: String, watched: [Vec<u8>; 2], from: i64) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (shared, lease) = (Arc::clone(&self.shared), self.lease);
        {
            let mut places = shared.places.all();
            // ## No room, or another call of the same nonce: dropped here, it leaves.
            if places.len() >= ROOM || places.contains_key(&own) {
                return;
            }
            places.insert(own.clone(), lease);
        }
        self.is_over = true;
        runtime.spawn(async move {
            let mut place = Self::on(&shared, lease);
            place.is_over = true;
            let until = Instant::now() + PLACE_KEPT;
            if shared
                .watch(&mut place, watched, from, until)
                .await
                .is_err()
            {
                tokio::time::sleep_until(until).await;
            }
            let mut places = shared.places.all();
            if places.get(&own).is_some_and(|kept| kept.id == lease.id) {
                places.remove(&own);
                place.is_over = false;
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Without a runtime it ends with its lease.
        if let Ok(runtime) = Handle::try_current() {
            let (shared, lease) = (Arc::clone(&self.shared), self.lease);
            runtime.spawn(async move { shared.bound(VERB, shared.leave(lease)).await });
        }
    }
}

impl Places {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! [`MemoryFenced`]: fenced values in this process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murphy_core::{Clock, TokioClock};

use super::store::check_name;
use super::{Admitted, Fence, FencedStore, FencedStoreError, Horizon, Sealed};
use crate::FencingToken;

type Outcome<T> = Result<T, FencedStoreError<Infallible>>;

/// Fenced values in this process: one mutex, and no await under it. All clones are one store.
///
/// It ends with the process, and its fences with it: what it guards must not outlive it.
pub struct MemoryFenced<V> {
    rows: Arc<Mutex<BTreeMap<String, Row<V>>>>,
    most: usize,
    horizon: Option<Horizon>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Row<V> {
    fence: Fence,
    value: Option<V>,
}

impl<V> MemoryFenced<V> {
    /// An empty store, with room for 65,536 resources.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rows: Arc::default(),
            most: 65_536,
            horizon: None,
            clock: Arc::new(TokioClock),
        }
    }

    /// Room for so many resources. One more is refused with [`FencedStoreError::Full`]: to make room, a fence would have to
    /// be forgotten.
    #[must_use]
    pub const fn resources(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// No token from beyond this. Off by default.
    #[must_use]
    pub const fn horizon(mut self, horizon: Horizon) -> Self {
        self.horizon = Some(horizon);
        self
    }

    /// The clock of the [`horizon`](Self::horizon); tokio's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Row<V>>> {
        // A user's `clone` may panic under it: nothing is half-way then.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, resource: &str, token: &FencingToken) -> Outcome<()> {
        check_name(resource)?;
        if let Some(horizon) = &self.horizon {
            horizon.check(token, self.clock.wall())?;
        }
        Ok(())
    }

    /// Admits, and has `then` look at the row under the same lock.
    fn admit<T>(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        then: impl FnOnce(&mut Row<V>, Admitted) -> T,
    ) -> Outcome<T> {
        self.check(resource, token)?;
        let mut rows = self.lock();
        if let Some(row) = rows.get_mut(resource) {
            let admitted = row.fence.admit(token, op)?;
            return Ok(then(row, admitted));
        }
        if rows.len() >= self.most {
            return Err(FencedStoreError::Full { limit: self.most });
        }
        let row = rows.entry(resource.to_owned()).or_default();
        let admitted = row.fence.admit(token, op)?;
        Ok(then(row, admitted))
    }

    fn put_now(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        value: V,
    ) -> Outcome<Admitted> {
        // The old value is dropped when the lock is free again: its `drop` is the user's.
        let write = |row: &mut Row<V>, admitted| (row.value.replace(value), admitted);
        self.admit(resource, token, op, write)
            .map(|(_, admitted)| admitted)
    }
}

impl<V: Clone> MemoryFenced<V> {
    fn seal_now(&self, resource: &str, token: &FencingToken) -> Outcome<Sealed<V>> {
        self.admit(resource, token, None, |row, admitted| Sealed {
            value: row.value.clone(),
            op: row.fence.op(),
            admitted,
        })
    }

    fn read_now(&self, resource: &str, token: &FencingToken) -> Outcome<Option<V>> {
        self.check(resource, token)?;
        let rows = self.lock();
        let Some(row) = rows.get(resource) else {
            return Err(super::Refused::NotSealed.into());
        };
        row.fence.check_sealed(token)?;
        Ok(row.value.clone())
    }
}

impl<V: Clone + Send> FencedStore for MemoryFenced<V> {
    type Value = V;
    type Error = Infallible;

    async fn seal(&self, resource: &str, token: &FencingToken) -> Outcome<Sealed<V>> {
        self.seal_now(resource, token)
    }

    async fn put(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        value: V,
    ) -> Outcome<Admitted> {
        self.put_now(resource, token, op, value)
    }

    async fn read_fenced(&self, resource: &str, token: &FencingToken) -> Outcome<Option<V>> {
        self.read_now(resource, token)
    }
}

impl<V> Default for MemoryFenced<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Default for Row<V> {
    fn default() -> Self {
        let fence = Fence::new();
        Self { fence, value: None }
    }
}

impl<V> Clone for MemoryFenced<V> {
    fn clone(&self) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            most: self.most,
            horizon: self.horizon,
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<V> fmt::Debug for MemoryFenced<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFenced")
            .field("most", &self.most)
            .field("horizon", &self.horizon)
            .finish_non_exhaustive()
    }
}

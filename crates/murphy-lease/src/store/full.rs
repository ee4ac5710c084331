//! [`StoreFull`]: what a store answers at its bounds.

use crate::LockName;

/// The store has no room for the request. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFull {
    /// It knows as many locks as it may, and can forget none: they are held, waited for, or marked too high.
    #[error(
        "no room for the lock {lock:?}: `locks = {limit}` are in use; release some, or raise it"
    )]
    Locks {
        /// Which lock it has no room for.
        lock: LockName,
        /// How many it may know.
        limit: usize,
    },
    /// As many wait for the lock as may.
    #[error(
        "no room in the queue for {lock:?}: `waiters = {limit}` wait already; try later, or raise it"
    )]
    Waiters {
        /// Which lock.
        lock: LockName,
        /// How many may wait for it.
        limit: usize,
    },
}

//! [`Views`]: what of a lease is worth waking somebody for.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// How it stands with a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) is_expiring: bool,
    /// When the request left whose answer was the last grant, or renewal.
    pub(crate) sent: Instant,
}

/// A view that changes, and those that wait for that: a `tokio::sync::watch` that takes no allocation, for most leases
/// are watched by nobody.
#[derive(Debug)]
pub(crate) struct Views {
    view: Mutex<View>,
    changed: Notify,
}

impl Views {
    pub(crate) const fn new(view: View) -> Self {
        let (view, changed) = (Mutex::new(view), Notify::const_new());
        Self { view, changed }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Waits until `find` finds something: it is asked now, and after each change.
    pub(crate) async fn find<T>(&self, mut find: impl FnMut(View) -> Option<T>) -> T {
        loop {
            // What changes from here on wakes it.
            let changed = pin!(self.changed.notified());
            let view = *self.view.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = find(view) {
                return found;
            }
            changed.await;
        }
    }
}

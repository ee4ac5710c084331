//! [`Paused`] and [`Down`]: what was done to a node, and its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Away;

/// A pause of a node. Dropping the guard ends it; the node runs again when its last pause is gone.
#[derive(Debug)]
#[must_use = "dropping the guard ends the pause at once"]
pub struct Paused {
    node: Away,
    number: u64,
}

impl Paused {
    pub(super) fn new(node: Away, number: u64) -> Self {
        Self { node, number }
    }

    /// Lets the pause go on without the guard: until [`Node::resume`](crate::Node::resume), a crash, or the end of the
    /// run.
    pub fn keep(self) {
        self.node.core().lock().pauses.keep(self.number);
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(node) = self.node.node() {
            node.resume_one(self.number);
        }
    }
}

/// A crash of a node. Dropping the guard restarts it, once its last crash is gone.
///
/// Crash-stop is `node.crash()?.keep()`; crash-recovery drops the guard.
#[derive(Debug)]
#[must_use = "dropping the guard restarts the node at once"]
pub struct Down {
    node: Away,
    number: u64,
}

impl Down {
    pub(super) fn new(node: Away, number: u64) -> Self {
        Self { node, number }
    }

    /// Leaves the node down without the guard: until [`Node::restart`](crate::Node::restart), or the end of the run.
    pub fn keep(self) {
        self.node.core().lock().downs.keep(self.number);
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        if let Some(node) = self.node.node() {
            node.restart_one(self.number);
        }
    }
}

/// Holds a guard for a time. Dropped, it drops the guard.
///
/// The time passes in a task of its own: whoever waits may be on the paused node.
pub(super) async fn hold<G: Send + 'static>(guard: G, time: Duration) {
    let guard = Arc::new(Mutex::new(Some(guard)));
    let held = Arc::clone(&guard);
    let task = tokio::spawn(async move {
        tokio::time::sleep(time).await;
        drop(take(&held));
    });
    let mut timer = Timer { guard, task };
    // The task cannot panic, and nobody else aborts it: but a runtime may end.
    let _ = (&mut timer.task).await;
}

struct Timer<G> {
    guard: Arc<Mutex<Option<G>>>,
    task: JoinHandle<()>,
}

impl<G> Drop for Timer<G> {
    fn drop(&mut self) {
        self.task.abort();
        drop(take(&self.guard));
    }
}

fn take<G>(guard: &Mutex<Option<G>>) -> Option<G> {
    guard.lock().unwrap_or_else(PoisonError::into_inner).take()
}

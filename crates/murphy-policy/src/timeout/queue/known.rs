//! The queues that a thread remembers.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Id;

use super::Queue;

/// How many queues a thread remembers: one for each runtime and timeout.
pub(super) const REMEMBERED: usize = 32;

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Known { queues: Vec::new(), spare: None }) };
}

struct Known {
    queues: Vec<(Id, Duration, Remembered)>,
    /// Of the queue that was left last, which is mostly the one joined next: a reference that need not be
    /// counted out and in again.
    spare: Option<Arc<Queue>>,
}

/// A queue that others will join.
struct Remembered(Arc<Queue>);

impl Drop for Remembered {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// The queue of that runtime and timeout, if the thread has one.
pub(super) fn find(runtime: Id, timeout: Duration) -> Option<Arc<Queue>> {
    let find = |known: &RefCell<Known>| {
        let Known { queues, spare } = &mut *known.borrow_mut();
        let mut queues = queues.iter();
        let found = queues.find(|queue| (queue.0, queue.1) == (runtime, timeout))?;
        let found = &found.2.0;
        let spare = spare.take_if(|spare| Arc::ptr_eq(spare, found));
        Some(spare.unwrap_or_else(|| Arc::clone(found)))
    };
    KNOWN.try_with(find).ok().flatten()
}

/// A new queue, in the place of one that is closed, or of the oldest of too many. Those who wait
/// there go on to. A thread that ends remembers nothing.
#[cold]
pub(super) fn make(runtime: Id, timeout: Duration) -> Arc<Queue> {
    let new = Arc::new(Queue::new());
    let kept = Remembered(Arc::clone(&new));
    let insert = |known: &RefCell<Known>| {
        let Known { queues, spare } = &mut *known.borrow_mut();
        let same = |queue: &(Id, Duration, _)| (queue.0, queue.1) == (runtime, timeout);
        let old = queues.iter().position(same);
        let old = old.or((queues.len() >= REMEMBERED).then_some(0));
        let old = old.map(|at| queues.remove(at));
        queues.push((runtime, timeout, kept));
        (old, spare.take())
    };
    // What was there is dropped here, where nothing is borrowed.
    drop(KNOWN.try_with(insert));
    new
}

/// Kept for the next who joins.
pub(super) fn spare(queue: Arc<Queue>) {
    let keep = |known: &RefCell<Known>| known.borrow_mut().spare.replace(queue);
    // A queue that is forgotten may be dropped here, where nothing is borrowed.
    drop(KNOWN.try_with(keep));
}

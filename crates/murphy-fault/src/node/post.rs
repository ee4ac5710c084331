//! [`Post`]: the place of one piece of work on a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;

use super::Crashed;
use super::core::{Entry, Evict, MOST_WORK, NodeCore};
use super::section::{Section, Where};

/// Work's place on its node, in the incarnation in which it was begun. Dropped, it is given up.
#[derive(Debug)]
pub(super) struct Post {
    node: Arc<NodeCore>,
    number: u64,
    incarnation: u64,
    /// It was let in.
    began: AtomicBool,
}

/// What a node says to work that wants to go on.
pub(super) enum Gate<'a> {
    /// It may, as long as the section is open.
    Open(Section<'a>),
    /// Not now: it will be woken.
    Paused,
    /// Never more.
    Gone,
}

impl Post {
    /// A place for work of this incarnation, or of the one that is up.
    ///
    /// In a node's own code that is the incarnation of the code: a poll that outlived the crash
    /// begins nothing in the next life.
    pub(super) fn take(
        node: &Arc<NodeCore>,
        incarnation: Option<u64>,
        began: bool,
        evict: Option<Arc<dyn Evict>>,
    ) -> Result<Self, Crashed> {
        let wanted = incarnation.or_else(|| Where::incarnation_of(node));
        let mut world = node.lock();
        let wanted = wanted.unwrap_or(world.incarnation);
        if world.downs.is_on() || wanted != world.incarnation {
            return Err(node.crashed(wanted, false));
        }
        if world.works.len() >= MOST_WORK {
            drop(world);
            tracing::warn!(target: "murphy::fault", node = &*node.name, "node.too_much_work");
            return Err(node.crashed(wanted, false));
        }
        let number = world.number();
        let entry = Entry {
            waker: None,
            stalled: false,
            evict,
        };
        world.works.insert(number, entry);
        Ok(Self {
            node: Arc::clone(node),
            number,
            incarnation: wanted,
            began: AtomicBool::new(began),
        })
    }

    /// Asks whether the work may be polled, and remembers whom to wake.
    pub(super) fn enter(&self, waker: &Waker) -> Gate<'_> {
        let mut world = self.node.lock();
        let paused = world.pauses.is_on();
        let Some(entry) = world.works.get_mut(&self.number) else {
            return Gate::Gone;
        };
        entry.stalled = paused;
        let old = match &entry.waker {
            Some(known) if known.will_wake(waker) => None,
            _ => entry.waker.replace(waker.clone()),
        };
        let gate = if paused {
            // ## Paused => Paused. The wake-up is remembered: resuming wakes it once more.
            Gate::Paused
        } else {
            self.began.store(true, Relaxed);
            Gate::Open(self.node.open(&mut world, self.incarnation))
        };
        drop(world);
        // Dropping a waker may run anything.
        drop(old);
        gate
    }

    /// The work is over; `false` if a crash was faster.
    pub(super) fn leave(&self) -> bool {
        let gone = self.node.lock().works.remove(&self.number);
        gone.is_some()
    }

    pub(super) fn crashed(&self) -> Crashed {
        self.node
            .crashed(self.incarnation, self.began.load(Relaxed))
    }

    /// A section for the work's destructors, which nothing forbids.
    pub(super) fn open_anyway(&self) -> Section<'_> {
        self.node.open_anyway(self.incarnation)
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.leave();
    }
}

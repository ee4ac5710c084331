//! [`Post`]: who keeps a lease.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::keeper::Answer;
use super::rest::{Due, Place, Rest};
use super::shared::Shared;
use crate::release::{NotReleased, Paid};
use crate::settings::Task;

/// A release that is under way.
pub(crate) type Returned = Pin<Box<dyn Future<Output = Result<Paid, NotReleased>> + Send>>;

/// A keeper that has nothing to do yet, of whichever store.
pub(crate) trait Idle: Send {
    /// What it does in its task, until it is told that the guard has done with the lease.
    fn work(self: Box<Self>, orders: oneshot::Receiver<Answer>) -> Task;

    /// Gives the lease back, if it has not ended by itself by now.
    fn give_back(self: Box<Self>, now: Instant) -> Option<Returned>;
}

/// Who keeps a lease: a keeper that rests, one that works, and in the end nobody.
#[derive(Default)]
pub(crate) struct Post(Mutex<Kept>);

#[derive(Default)]
enum Kept {
    Rests(Box<dyn Idle>, Arc<Rest>, Place),
    Works(oneshot::Sender<Answer>),
    #[default]
    Gone,
}

/// Whom the guard has left the lease to.
pub(crate) enum Left {
    /// Nobody has begun with it; and where it rested.
    Idle(Box<dyn Idle>, Arc<Rest>),
    Works(oneshot::Sender<Answer>),
    Gone,
}

impl Post {
    /// It has nothing to do before then.
    pub(crate) fn rests(
        &self,
        keeper: Box<dyn Idle>,
        rest: Arc<Rest>,
        until: Instant,
        lease: Arc<Shared>,
    ) {
        let mut kept = self.lock();
        // Nobody wakes it before it is here.
        let (place, call) = rest.lay(until, Due::Lease(lease));
        *kept = Kept::Rests(keeper, Arc::clone(&rest), place);
        drop(kept);
        rest.call(call);
    }

    pub(crate) fn works(&self, keeper: oneshot::Sender<Answer>) {
        self.put(Kept::Works(keeper));
    }

    /// A keeper that rests has something to do, now or soon.
    pub(crate) fn set_to_work(&self) {
        let (orders, ordered) = oneshot::channel();
        let mut kept = self.lock();
        match std::mem::take(&mut *kept) {
            Kept::Rests(keeper, rest, place) => {
                *kept = Kept::Works(orders);
                // A runtime that is gone drops the task here and now.
                drop(kept);
                rest.lift(place);
                drop(rest.runtime.spawn(keeper.work(ordered)));
            }
            other => *kept = other,
        }
    }

    /// The guard has done with it.
    pub(crate) fn leave(&self) -> Left {
        match self.put(Kept::Gone) {
            Kept::Rests(keeper, rest, place) => {
                rest.lift(place);
                Left::Idle(keeper, rest)
            }
            Kept::Works(orders) => Left::Works(orders),
            Kept::Gone => Left::Gone,
        }
    }

    /// A keeper that rests is not woken any more.
    pub(crate) fn abandon(&self) {
        let mut kept = self.lock();
        if matches!(*kept, Kept::Rests(..)) {
            let gone = std::mem::take(&mut *kept);
            drop(kept);
            // It says so.
            drop(gone);
        }
    }

    fn put(&self, next: Kept) -> Kept {
        std::mem::replace(&mut *self.lock(), next)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

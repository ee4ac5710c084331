//! [`Rest`]: where leases are of which nothing is due. They share a task and its timer, so that one which is released
//! before its first renewal costs neither.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use murphy_core::Clock;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::shared::Shared;

/// The rests of a client: one for each runtime that it acquires leases in.
#[derive(Default)]
pub(crate) struct Rests(Mutex<Vec<Arc<Rest>>>);

/// The leases that rest in one runtime. It has a task while there are any, and until the first would have been due that it
/// was begun for: one that leases come and go under is not begun for each.
pub(crate) struct Rest {
    pub(crate) runtime: Handle,
    rests: Weak<Rests>,
    tickets: AtomicU64,
    state: Mutex<State>,
    /// Something is due before what is slept for.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    /// By when something is due, and in the order in which they came.
    leases: BTreeMap<Place, Arc<Shared>>,
    /// Until when the task sleeps; nothing where there is none.
    sleeps: Option<Instant>,
}

/// Where a lease rests: from when on no more, and which of those it is.
pub(crate) type Place = (Instant, u64);

impl Rests {
    /// That of this runtime.
    pub(crate) fn of(self: &Arc<Self>, runtime: Handle) -> Arc<Rest> {
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = runtime.id();
        if let Some(rest) = rests.iter().find(|rest| rest.runtime.id() == id) {
            return Arc::clone(rest);
        }
        let rest = Arc::new(Rest {
            runtime,
            rests: Arc::downgrade(self),
            tickets: AtomicU64::new(0),
            state: Mutex::default(),
            sooner: Notify::new(),
        });
        rests.push(Arc::clone(&rest));
        rest
    }

    fn forget(&self, gone: &Arc<Rest>) {
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rests.retain(|rest| !Arc::ptr_eq(rest, gone));
    }
}

impl Rest {
    /// A place for one of which nothing is due before then.
    pub(crate) fn place(&self, due: Instant) -> Place {
        (due, self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// It has its keeper, and rests here until it is due.
    pub(crate) fn lay(self: &Arc<Self>, place: Place, lease: Arc<Shared>) {
        let clock = Arc::clone(&lease.clock);
        let mut state = self.state();
        state.leases.insert(place, lease);
        let sleeps = state.sleeps;
        if sleeps.is_none_or(|until| place.0 < until) {
            state.sleeps = Some(place.0);
        }
        // A runtime that is gone drops the task here and now, which looks at the state.
        drop(state);
        match sleeps {
            None => {
                let (rest, is_done) = (Arc::clone(self), false);
                let task = Attended { rest, is_done }.wait(clock);
                drop(self.runtime.spawn(task));
            }
            Some(until) if place.0 < until => self.sooner.notify_one(),
            Some(_) => {}
        }
    }

    /// It rests no more.
    pub(crate) fn lift(&self, place: Place) {
        let lease = self.state().leases.remove(&place);
        // It may be the last to know of it.
        drop(lease);
    }

    /// Sets to work what is due, and says until when nothing is; nothing where nobody is left.
    fn wake(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut state = self.state();
            match state.leases.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let lease = first.remove();
                    drop(state);
                    lease.post.set_to_work();
                }
                Some(first) => {
                    let until = first.key().0;
                    state.sleeps = Some(until);
                    return Some(until);
                }
                None => {
                    state.sleeps = state.sleeps.filter(|until| now < *until);
                    return state.sleeps;
                }
            }
        }
    }

    /// ## The runtime is gone: so is whoever would have kept them.
    fn abandon(&self) {
        let State { leases, .. } = std::mem::take(&mut *self.state());
        for lease in leases.into_values() {
            lease.post.abandon();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is somebody to wake those that rest.
struct Attended {
    rest: Arc<Rest>,
    /// Nobody was left when it ended.
    is_done: bool,
}

impl Attended {
    async fn wait(mut self, clock: Arc<dyn Clock>) {
        let rest = &self.rest;
        while let Some(until) = rest.wake(clock.now()) {
            let mut sooner = pin!(rest.sooner.notified());
            let mut sleep = clock.sleep_until(until);
            poll_fn(|cx| match sooner.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => Pin::new(&mut sleep).poll(cx),
            })
            .await;
        }
        self.is_done = true;
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        if let Some(rests) = self.rest.rests.upgrade() {
            rests.forget(&self.rest);
        }
        if !self.is_done {
            self.rest.abandon();
        }
    }
}

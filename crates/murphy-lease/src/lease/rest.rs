//! [`Rest`]: where those are for whom nothing is due: leases before their first renewal, and requests whose answers are
//! waited for. They share a task and its timer, so that a lease that is released before its first renewal costs neither.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use murphy_core::Clock;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::shared::Shared;

/// The rests of a client: one for each runtime that it is used in.
pub(crate) struct Rests {
    clock: Arc<dyn Clock>,
    rests: Mutex<Vec<Arc<Rest>>>,
}

/// Those that rest in one runtime. It has a task while there are any, and until the first would have been due that it
/// was begun for: one that leases come and go under is not begun for each.
pub(crate) struct Rest {
    pub(crate) runtime: Handle,
    clock: Arc<dyn Clock>,
    rests: Weak<Rests>,
    tickets: AtomicU64,
    state: Mutex<State>,
    /// Something is due before what is slept for.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    /// By when something is due, and in the order in which they came.
    due: BTreeMap<Place, Due>,
    /// Until when the task sleeps; nothing where there is none.
    sleeps: Option<Instant>,
}

/// Where one rests: until when, and which of those it is.
pub(crate) type Place = (Instant, u64);

/// What is done when the time has come.
pub(crate) enum Due {
    /// Its keeper is set to work.
    Lease(Arc<Shared>),
    /// Whoever waits gives up.
    Call(Waker),
}

impl Rests {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let rests = Mutex::default();
        Arc::new(Self { clock, rests })
    }

    /// That of this runtime.
    pub(crate) fn of(self: &Arc<Self>, runtime: Handle) -> Arc<Rest> {
        let mut rests = self.lock();
        let id = runtime.id();
        if let Some(rest) = rests.iter().find(|rest| rest.runtime.id() == id) {
            return Arc::clone(rest);
        }
        let rest = Arc::new(Rest {
            runtime,
            clock: Arc::clone(&self.clock),
            rests: Arc::downgrade(self),
            tickets: AtomicU64::new(0),
            state: Mutex::default(),
            sooner: Notify::new(),
        });
        rests.push(Arc::clone(&rest));
        rest
    }

    fn forget(&self, gone: &Arc<Rest>) {
        self.lock().retain(|rest| !Arc::ptr_eq(rest, gone));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Rest>>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    /// A place for one for whom nothing is due before then.
    pub(crate) fn place(&self, due: Instant) -> Place {
        (due, self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// It rests here from now on.
    pub(crate) fn lay(self: &Arc<Self>, place: Place, due: Due) {
        let mut state = self.state();
        state.due.insert(place, due);
        let sleeps = state.sleeps;
        if sleeps.is_none_or(|until| place.0 < until) {
            state.sleeps = Some(place.0);
        }
        // A runtime that is gone drops the task here and now, which looks at the state.
        drop(state);
        match sleeps {
            None => {
                let (rest, is_done) = (Arc::clone(self), false);
                drop(self.runtime.spawn(Attended { rest, is_done }.wait()));
            }
            Some(until) if place.0 < until => self.sooner.notify_one(),
            Some(_) => {}
        }
    }

    /// It rests no more.
    pub(crate) fn lift(&self, place: Place) {
        let due = self.state().due.remove(&place);
        // It may be the last to know of it.
        drop(due);
    }

    /// Whether it still does; wakes this one then, when the time has come.
    fn wakes(&self, place: Place, waker: &Waker) -> bool {
        let mut state = self.state();
        let Some(due) = state.due.get_mut(&place) else {
            return false;
        };
        if let Due::Call(known) = due {
            known.clone_from(waker);
        }
        true
    }

    /// Does what is due, and says until when nothing is; nothing where nobody is left.
    fn wake(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut state = self.state();
            match state.due.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let due = first.remove();
                    drop(state);
                    match due {
                        Due::Lease(lease) => lease.post.set_to_work(),
                        Due::Call(waker) => waker.wake(),
                    }
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
        let State { due, .. } = std::mem::take(&mut *self.state());
        for due in due.into_values() {
            match due {
                Due::Lease(lease) => lease.post.abandon(),
                Due::Call(waker) => waker.wake(),
            }
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
    async fn wait(mut self) {
        let rest = &self.rest;
        while let Some(until) = rest.wake(rest.clock.now()) {
            let mut sooner = pin!(rest.sooner.notified());
            let mut sleep = rest.clock.sleep_until(until);
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

/// The wait for a time, without a timer of its own: ends then, or with the runtime.
pub(crate) struct Waiting {
    rest: Arc<Rest>,
    place: Place,
    is_laid: bool,
}

impl Waiting {
    pub(crate) fn new(rest: Arc<Rest>, until: Instant) -> Self {
        let place = rest.place(until);
        Self {
            rest,
            place,
            is_laid: false,
        }
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_laid {
            self.is_laid = true;
            self.rest.lay(self.place, Due::Call(cx.waker().clone()));
            Poll::Pending
        } else if self.rest.wakes(self.place, cx.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_laid {
            self.rest.lift(self.place);
        }
    }
}

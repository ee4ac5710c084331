//! [`Rest`]: where those are for whom nothing is due: leases before their first renewal, and requests whose answers are
//! waited for. They share a task and its timer, so that a lease that is released before its first renewal costs neither.

mod waiting;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use murphy_core::Clock;
use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use self::waiting::Waiting;
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
    state: Mutex<State>,
    /// Something is due before what is slept for.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    /// In no order: nearly all of them leave before they are due, and those that are, are found by a look at each.
    resting: Slab<Resting>,
    /// How many came before.
    count: u64,
    /// Until when the task sleeps; nothing where there is none.
    sleeps: Option<Instant>,
}

struct Resting {
    until: Instant,
    number: u64,
    due: Due,
}

/// Where one rests, and which of those it is that did there.
pub(crate) type Place = (usize, u64);

/// What the task has to be told of one that was laid.
#[must_use]
pub(crate) enum Call {
    None,
    Sooner,
    Begin,
}

/// So much time of leases is woken at once, so that thousands are not looked at for each of them: a keeper that is woken early
/// sleeps on by itself.
pub(crate) const EARLY: Duration = Duration::from_millis(20);

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

    /// That of this runtime. It is listed while it has a task: of runtimes that came and went nothing is kept.
    pub(crate) fn of(self: &Arc<Self>, runtime: Handle) -> Arc<Rest> {
        let (rests, id) = (self.lock(), runtime.id());
        if let Some(rest) = rests.iter().find(|rest| rest.runtime.id() == id) {
            return Arc::clone(rest);
        }
        drop(rests);
        Arc::new(Rest {
            runtime,
            clock: Arc::clone(&self.clock),
            rests: Arc::downgrade(self),
            state: Mutex::default(),
            sooner: Notify::new(),
        })
    }

    fn list(&self, rest: &Arc<Rest>) {
        self.lock().push(Arc::clone(rest));
    }

    fn forget(&self, gone: &Arc<Rest>) {
        self.lock().retain(|rest| !Arc::ptr_eq(rest, gone));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Rest>>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    /// It rests here until then. The task is to be [called](Self::call), by who has no lock.
    pub(crate) fn lay(&self, until: Instant, due: Due) -> (Place, Call) {
        let mut state = self.state();
        state.count += 1;
        let number = state.count;
        let resting = Resting { until, number, due };
        let place = (state.resting.insert(resting), number);
        let call = match state.sleeps {
            None => Call::Begin,
            Some(sleeps) if until < sleeps => Call::Sooner,
            Some(_) => return (place, Call::None),
        };
        state.sleeps = Some(until);
        (place, call)
    }

    /// A runtime that is gone drops the task here and now, and with it all that rest.
    pub(crate) fn call(self: &Arc<Self>, call: Call) {
        match call {
            Call::None => {}
            Call::Sooner => self.sooner.notify_one(),
            Call::Begin => {
                let (rest, is_done) = (Arc::clone(self), false);
                if let Some(rests) = self.rests.upgrade() {
                    rests.list(&rest);
                }
                drop(self.runtime.spawn(Attended { rest, is_done }.wait()));
            }
        }
    }

    /// Whether this is the runtime that whoever asks is in.
    pub(crate) fn is_here(&self) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id())
    }

    /// It rests no more.
    pub(crate) fn lift(&self, (at, number): Place) {
        let mut state = self.state();
        if state.resting.get(at).is_some_and(|r| r.number == number) {
            let resting = state.resting.remove(at);
            drop(state);
            // It may be the last to know of it.
            drop(resting);
        }
    }

    /// Whether it still does; wakes this one then, when the time has come.
    fn wakes(&self, (at, number): Place, waker: &Waker) -> bool {
        let due = Due::Call(waker.clone());
        let mut state = self.state();
        match state.resting.get_mut(at) {
            Some(resting) if resting.number == number => {
                let before = std::mem::replace(&mut resting.due, due);
                drop(state);
                // It may be the last to know of a task, and one that rests here itself.
                drop(before);
                true
            }
            _ => false,
        }
    }

    /// Does what is due, and says until when nothing is; nothing where nobody is left.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let State {
            resting, sleeps, ..
        } = &mut *state;
        let soon = now + EARLY;
        let is_due = |resting: &Resting| match resting.due {
            Due::Lease(_) => resting.until <= soon,
            Due::Call(_) => resting.until <= now,
        };
        let due = resting.iter().filter(|(_, resting)| is_due(resting));
        let mut due: Vec<_> = due.map(|(at, resting)| (resting.until, at)).collect();
        // One after the other, as timers of their own would.
        due.sort_unstable();
        let due: Vec<_> = due.iter().map(|(_, at)| resting.remove(*at).due).collect();
        let next = resting.iter().map(|(_, resting)| resting.until).min();
        // Never later than was said: else each request that is answered before the task looks would have it look again.
        let said = sleeps.filter(|until| now < *until);
        *sleeps = next.into_iter().chain(said).min();
        let sleeps = *sleeps;
        drop(state);
        due.into_iter().for_each(Due::act);
        sleeps
    }

    /// ## The runtime is gone: so is whoever would have kept them.
    fn abandon(&self) {
        let resting = {
            let mut state = self.state();
            // The count goes on: who rested here before may still ask for his place.
            state.sleeps = None;
            std::mem::take(&mut state.resting)
        };
        for (_, resting) in resting {
            match resting.due {
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

impl Due {
    fn act(self) {
        match self {
            Self::Lease(lease) => lease.post.set_to_work(),
            Self::Call(waker) => waker.wake(),
        }
    }
}

#[cfg(test)]
mod tests;

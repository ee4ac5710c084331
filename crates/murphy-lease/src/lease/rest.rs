//! [`Rest`]: where those are for whom nothing is due: leases before their first renewal, and requests whose answers are
//! waited for. They share a task and its timer, so that a lease that is released before its first renewal costs neither.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murphy_core::Clock;
use slab::Slab;
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

/// The wait for a time, without a timer of its own: ends then, or with the runtime.
pub(crate) struct Waiting<'r> {
    rests: &'r Arc<Rests>,
    rest: Arc<Rest>,
    until: Instant,
    place: Option<Place>,
}

impl<'r> Waiting<'r> {
    /// In this runtime, or whichever it is polled in later.
    pub(crate) fn new(rests: &'r Arc<Rests>, runtime: Handle, until: Instant) -> Self {
        let rest = rests.of(runtime);
        Self {
            rests,
            rest,
            until,
            place: None,
        }
    }

    /// Whoever waits is in another runtime now: the one where he was may not run any more.
    fn follow(&mut self) {
        if let Ok(here) = Handle::try_current()
            && here.id() != self.rest.runtime.id()
        {
            self.leave();
            self.rest = self.rests.of(here);
        }
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.rest.lift(place);
        }
    }
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(place) = self.place {
            if !self.rest.wakes(place, cx.waker()) {
                return Poll::Ready(());
            }
            self.follow();
        }
        if self.place.is_none() {
            let due = Due::Call(cx.waker().clone());
            let (place, call) = self.rest.lay(self.until, due);
            self.place = Some(place);
            let rest = Arc::clone(&self.rest);
            rest.call(call);
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use murphy_core::TokioClock;
    use tokio::time::sleep;
    use tokio_test::task::spawn;
    use tokio_test::{assert_pending, assert_ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whose_time_came_leaves_no_other_that_rests_where_it_did() {
        let rests = Rests::new(Arc::new(TokioClock));
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut first = Waiting::new(&rests, Handle::current(), now + second);
        (&mut first).await;
        assert_eq!(Instant::now(), now + second);
        let mut other = spawn(Waiting::new(&rests, Handle::current(), now + second * 3));
        assert_pending!(other.poll());
        assert_eq!(other.place.unwrap().0, first.place.unwrap().0);
        drop(first);
        sleep(second).await;
        assert_pending!(other.poll());
        sleep(second + Duration::from_millis(1)).await;
        assert!(other.is_woken());
        assert_ready!(other.poll());
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_and_went_before_the_task_looked_has_it_called_once() {
        let rests = Rests::new(Arc::new(TokioClock));
        let rest = rests.of(Handle::current());
        let (now, ms) = (Instant::now(), Duration::from_millis(1));
        let due = || Due::Call(Waker::noop().clone());
        let (_far, call) = rest.lay(now + 1000 * ms, due());
        assert!(matches!(call, Call::Begin));
        for n in 0..10 {
            let (near, call) = rest.lay(now + (10 + n) * ms, due());
            assert!(matches!((n, call), (0, Call::Sooner) | (1.., Call::None)));
            rest.lift(near);
            assert_eq!(rest.wake(now + n * ms), Some(now + 10 * ms));
        }
        assert_eq!(rest.wake(now + 10 * ms), Some(now + 1000 * ms));
    }

    #[tokio::test(start_paused = true)]
    async fn one_task_wakes_them_in_the_order_of_their_times_and_ends() {
        let rests = Rests::new(Arc::new(TokioClock));
        let (now, woken) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
        let tasks: Vec<_> = [30, 10, 20, 10, 1000, 0]
            .map(|ms| {
                let until = now + Duration::from_millis(ms);
                let (rests, woken) = (Arc::clone(&rests), Arc::clone(&woken));
                tokio::spawn(async move {
                    Waiting::new(&rests, Handle::current(), until).await;
                    woken.lock().unwrap().push(ms);
                })
            })
            .into();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), [0, 10, 10, 20, 30, 1000]);
        sleep(Duration::from_millis(1)).await;
        assert!(rests.lock().is_empty(), "nobody is waited for");
    }
}

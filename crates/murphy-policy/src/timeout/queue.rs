//! [`Queue`]: many calls that wait for equally long, and one timer of tokio's for all of them.
//!
//! ```text
//!          first comes                 time is up: wakes those that are due
//! Unarmed ────────────▶ Armed ─────────────────┬─ others wait ──▶ Armed, for the first of them
//!    ▲                                         └─ nobody waits ─┐
//!    └──────────────────────────────────────────────────────────┘
//! ```
//!
//! The timer wakes the queue itself, on the thread that drives the runtime's timers: no call has to
//! be polled for another to be woken in time. That nobody waits any more does not disarm it, so
//! that calls which come one after the other arm it once in the time that each may take.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep};

use super::fifo::Fifo;

/// How many are woken between two looks at the queue.
const BATCH: usize = 64;

/// The calls of one thread, runtime and timeout.
#[derive(Debug)]
pub(super) struct Queue(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: Fifo<Waker>,
    /// Its deadline is that of nobody who still waits, or of the first who does: never a later one.
    timer: Option<Pin<Box<Sleep>>>,
    /// The waker of the last who left, until the timer goes off: it is mostly the next who comes.
    last: Option<Waker>,
    /// The runtime is gone, and its timers with it.
    closed: bool,
    /// Nobody joins any more.
    forgotten: bool,
}

/// A call's place in a queue, given up on drop.
#[derive(Debug)]
pub(super) struct Ticket {
    /// None once it is dropped.
    queue: Option<Arc<Queue>>,
    at: u32,
}

/// What a call in the queue is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Elapsed,
    /// The queue's runtime is gone: join that of another.
    Closed,
}

impl Ticket {
    /// Waits for `timeout` from now, among those of this thread and runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub(super) fn take(timeout: Duration, cx: &Context<'_>) -> Self {
        let deadline = Instant::now() + timeout;
        let runtime = runtime::of(cx);
        let mut known = known::find(runtime, timeout);
        loop {
            let queue = known
                .take()
                .unwrap_or_else(|| known::make(runtime, timeout));
            if let Some(at) = queue.join(deadline, cx.waker()) {
                let queue = Some(queue);
                return Self { queue, at };
            }
        }
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Told> {
        let Some(queue) = &self.queue else {
            return Poll::Ready(Told::Closed);
        };
        let mut inner = queue.lock();
        if inner.closed {
            return Poll::Ready(Told::Closed);
        }
        match inner.waiting.waiting(self.at) {
            None => Poll::Ready(Told::Elapsed),
            Some(waker) if waker.will_wake(cx.waker()) => Poll::Pending,
            Some(_) => {
                drop(inner);
                queue.moved(self.at, cx.waker().clone())
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else {
            return;
        };
        // Dropped when the lock is released, since it may hold another call.
        let mut inner = queue.lock();
        let left = inner.leave(self.at);
        let is_forgotten = inner.forgotten;
        drop(inner);
        drop(left);
        if !is_forgotten {
            known::spare(queue);
        }
    }
}

impl Queue {
    const fn new() -> Self {
        Self(Mutex::new(Inner {
            waiting: Fifo::new(),
            timer: None,
            last: None,
            closed: false,
            forgotten: false,
        }))
    }

    /// Another task waits from now on.
    #[cold]
    fn moved(&self, at: u32, mut new: Waker) -> Poll<Told> {
        let mut inner = self.lock();
        if inner.closed {
            return Poll::Ready(Told::Closed);
        }
        let Some(waker) = inner.waiting.waiting(at) else {
            return Poll::Ready(Told::Elapsed);
        };
        std::mem::swap(waker, &mut new);
        // What the old one holds may be a call that gives up its place here.
        drop(inner);
        drop(new);
        Poll::Pending
    }

    /// Nobody joins any more. It keeps its timer for those only who still wait.
    fn forget(&self) {
        let mut inner = self.lock();
        inner.forgotten = true;
        let needless = inner.needless();
        drop(inner);
        drop(needless);
    }

    /// Nothing that can panic leaves the queue half changed.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, unless the queue is closed.
    fn join(self: &Arc<Self>, deadline: Instant, waker: &Waker) -> Option<u32> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        // To count a task in and out costs as much as to lock the queue.
        let last = inner.last.take_if(|last| last.will_wake(waker));
        let waker = last.unwrap_or_else(|| waker.clone());
        let mut due = None;
        if inner.timer.is_none() {
            // ## Unarmed => Armed. Nobody waits.
            let mut timer = Box::pin(tokio::time::sleep_until(deadline));
            match self.arm(timer.as_mut()) {
                Poll::Pending => inner.timer = Some(timer),
                Poll::Ready(()) => due = Some(deadline),
            }
        }
        let at = inner.waiting.push(deadline, waker);
        // It was due before it could wait: it is to look again at once.
        let due = due.and_then(|now| inner.waiting.pop_due(now));
        drop(inner);
        due.into_iter().for_each(Waker::wake);
        Some(at)
    }

    fn arm(self: &Arc<Self>, timer: Pin<&mut Sleep>) -> Poll<()> {
        let waker = Waker::from(Arc::clone(self));
        // Without the task's budget, that may be used up: it is no task's timer.
        let mut poll = std::pin::pin!(coop::unconstrained(timer));
        poll.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// The next of those that are due, up to a batch, and whether there may be more. Arms the timer
    /// for those that are not, and takes out who is not needed any more.
    fn due(self: &Arc<Self>, woken: &mut Vec<Waker>, gone: &mut Option<Waker>) -> bool {
        let now = Instant::now();
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(timer) = &mut inner.timer else {
            return false;
        };
        while woken.len() < BATCH {
            let Some(waker) = inner.waiting.pop_due(now) else {
                break;
            };
            woken.push(waker);
        }
        let Some(next) = inner.waiting.head() else {
            // ## Armed => Unarmed. Nothing of ours keeps an idle runtime alive.
            inner.timer = None;
            *gone = inner.last.take();
            return false;
        };
        if woken.len() == BATCH {
            return true;
        }
        // ## Armed => Armed.
        timer.as_mut().reset(next);
        if !timer.is_elapsed() {
            return self.arm(timer.as_mut()).is_ready();
        }
        if next <= Instant::now() {
            return true;
        }
        // A timer that goes off before its time is one of a runtime that goes down, and tokio panics
        // when it is polled.
        inner.close(woken);
        *gone = inner.last.take();
        false
    }
}

/// What a queue has no more need of. To be dropped where it is not locked.
type Needless = (Option<Waker>, Option<Pin<Box<Sleep>>>);

impl Inner {
    /// Gives up a place.
    fn leave(&mut self, at: u32) -> Needless {
        let waker = match self.waiting.remove(at) {
            Some(waker) if self.timer.is_some() => self.last.replace(waker),
            none => none,
        };
        if !self.forgotten {
            return (waker, None);
        }
        let (last, timer) = self.needless();
        (waker.or(last), timer)
    }

    /// The timer, if it is for nobody: it would keep the queue until it goes off.
    fn needless(&mut self) -> Needless {
        let idle = self.forgotten && self.waiting.head().is_none();
        (self.last.take_if(|_| idle), self.timer.take_if(|_| idle))
    }

    /// Who waits is told to wait elsewhere.
    #[cold]
    fn close(&mut self, woken: &mut Vec<Waker>) {
        self.closed = true;
        self.timer = None;
        while let Some(head) = self.waiting.head() {
            woken.extend(self.waiting.pop_due(head));
        }
    }
}

/// The timer went off.
impl Wake for Queue {
    fn wake(self: Arc<Self>) {
        let mut woken = Vec::with_capacity(BATCH);
        loop {
            let mut gone = None;
            let more = self.due(&mut woken, &mut gone);
            drop(gone);
            woken.drain(..).for_each(Waker::wake);
            if !more {
                break;
            }
        }
    }
}

mod known;
mod runtime;
#[cfg(test)]
mod tests;

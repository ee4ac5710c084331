//! A [`Line`] behind a lock, with permits that give themselves back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use murphy_core::Scope;
use tokio::time::Instant;

use super::Why;
use super::line::{Arrival, Line, Turn};

/// So many calls at once, and a queue before them.
#[derive(Debug)]
pub(crate) struct Gate {
    line: Mutex<Line<Waker>>,
}

/// A place inside, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gate>);

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    number: Option<u64>,
    pub(super) ends: Option<Instant>,
    began: Instant,
}

pub(super) enum Entry {
    Inside(Permit),
    Waits(Ticket),
    Shed(Why),
}

impl Gate {
    pub(crate) fn new(places: u32, longest: u32, newest_first: bool) -> Arc<Self> {
        let line = Mutex::new(Line::new(places, longest, newest_first));
        Arc::new(Self { line })
    }

    /// How many are inside, how many there is room for, and how many wait.
    pub(crate) fn counts(&self) -> (u32, u32, u32) {
        let line = self.lock();
        (line.inside(), line.places(), line.waiting())
    }

    /// From now on there is room for so many. Nobody is thrown out.
    pub(crate) fn set_places(&self, places: u32) {
        let now = Instant::now();
        self.with(|line, wakes| line.set_places(places, now, wakes));
    }

    /// A call comes, with the deadline of its scope.
    #[inline]
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        if self.lock().try_enter() {
            return Entry::Inside(Permit(Arc::clone(self)));
        }
        self.enter_slowly()
    }

    #[cold]
    fn enter_slowly(self: &Arc<Self>) -> Entry {
        let (now, ends) = (Instant::now(), Scope::current().deadline());
        match self.with(|line, wakes| line.arrive(now, ends, wakes)) {
            Arrival::Enter => Entry::Inside(Permit(Arc::clone(self))),
            Arrival::Wait(number) => Entry::Waits(Ticket {
                gate: Arc::clone(self),
                number: Some(number),
                ends,
                began: now,
            }),
            Arrival::Full(waiting) => Entry::Shed(Why::Full { waiting }),
            Arrival::Late { expected, left } => Entry::Shed(Why::Late { expected, left }),
        }
    }

    fn leave(&self) {
        self.with(|line, wakes| line.leave(Instant::now, wakes));
    }

    /// Moves the line, and wakes whom that concerns when the lock is free again.
    #[inline]
    fn with<T>(&self, f: impl FnOnce(&mut Line<Waker>, &mut Vec<Waker>) -> T) -> T {
        // Allocates only if there is somebody.
        let mut wakes = Vec::new();
        let answer = f(&mut self.lock(), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Line<Waker>> {
        // Nothing of the user's runs under it, but wakers are cloned.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Ticket {
    /// Waits for the turn.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, Why>> {
        let Some(number) = self.number else {
            return Poll::Pending;
        };
        // Dropped when the lock is released: it may hold another call that waits here.
        let mut old = None;
        let wake = || cx.waker().clone();
        let turn = self.gate.lock().look(number, wake, &mut old);
        match turn {
            None => Poll::Pending,
            Some(turn) => {
                self.number = None;
                Poll::Ready(self.outcome(turn))
            }
        }
    }

    /// Leaves the queue, since the deadline passed; a turn that came first still counts.
    pub(super) fn give_up(&mut self) -> Result<Permit, Why> {
        let turn = self.leave_queue();
        self.outcome(turn.unwrap_or(Turn::Late))
    }

    fn leave_queue(&mut self) -> Option<Turn> {
        let number = self.number.take()?;
        // As in `poll`.
        let mut old = None;
        self.gate.lock().give_up(number, &mut old)
    }

    fn outcome(&self, turn: Turn) -> Result<Permit, Why> {
        match turn {
            Turn::Granted => Ok(Permit(Arc::clone(&self.gate))),
            Turn::Late => Err(Why::Expired {
                waited: Instant::now().saturating_duration_since(self.began),
            }),
            Turn::Displaced => Err(Why::Displaced),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.leave_queue() == Some(Turn::Granted) {
            self.gate.leave();
        }
    }
}

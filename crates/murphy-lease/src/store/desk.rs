//! [`Desk`]: a [`Table`] with a clock, and calls that wait at it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use murphy_core::Clock;
use murphy_core::clock::Sleep;
use tokio::time::Instant;

use super::full::StoreFull;
use super::table::{Asked, LONGEST_WAIT, Ranks, Table, Ticket, Word, Words};
use crate::{LeaseReply, LeaseRequest, LockName};

/// Numbers that may run out, and be fetched.
pub(crate) trait Supply: Ranks + Send + Sized + 'static {
    type Error: From<StoreFull> + Unpin;

    /// Whether more are to be fetched.
    fn is_low(&self) -> bool {
        false
    }

    /// Fetches them, and tells the desk.
    fn fetch(_: &Arc<Desk<Self>>) {}

    /// Why there are none.
    fn lacking(&self) -> Self::Error;
}

/// A table, the clock that it is told the time of, and those who wait.
pub(crate) struct Desk<R> {
    clock: Arc<dyn Clock>,
    table: Mutex<Table<Arc<Seat>, R>>,
}

/// Where one who waits is told something.
#[derive(Debug, Default)]
pub(crate) struct Seat(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    answer: Option<Word>,
    look: bool,
    waker: Option<Waker>,
}

/// A call at a desk.
#[must_use = "futures do nothing unless they are polled"]
pub(crate) struct Asking<R: Supply>(State<R>);

enum State<R: Supply> {
    Answered(Option<Result<LeaseReply, R::Error>>),
    Waiting(Waiting<R>),
}

/// One who waits; dropped before he heard the answer, he leaves the queue, or gives back what he was granted.
struct Waiting<R: Supply> {
    desk: Arc<Desk<R>>,
    lock: LockName,
    ticket: Ticket,
    seat: Arc<Seat>,
    look: Instant,
    sleep: Option<Sleep>,
    heard: bool,
}

impl<R: Supply> Desk<R> {
    pub(crate) fn new(clock: Arc<dyn Clock>, table: Table<Arc<Seat>, R>) -> Self {
        let table = Mutex::new(table);
        Self { clock, table }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table<Arc<Seat>, R>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks at once; what is returned waits for the answer, if it has to.
    pub(crate) fn ask(self: &Arc<Self>, request: LeaseRequest) -> Asking<R> {
        let may_wait = match &request {
            LeaseRequest::Acquire(asked) => Some(asked.lock.clone()),
            _ => None,
        };
        let asked = self.tell(|table, now, words| table.ask(request, now, words, Arc::default));
        Asking(match (asked, may_wait) {
            (Ok(Asked::Queued { ticket, look, who }), Some(lock)) => State::Waiting(Waiting {
                desk: Arc::clone(self),
                lock,
                ticket,
                seat: who,
                look,
                sleep: None,
                heard: false,
            }),
            (Ok(Asked::Reply(reply)), _) => State::Answered(Some(Ok(reply))),
            (Err(full), _) => State::Answered(Some(Err(full.into()))),
            (Ok(Asked::Queued { .. }), None) => unreachable!("only an acquire waits"),
        })
    }

    /// Does something at the table and tells those who wait what came of it.
    pub(crate) fn tell<T>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Table<Arc<Seat>, R>, Instant, &mut Words<Arc<Seat>>) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut words = Words::new();
        let (done, is_low) = {
            let mut table = self.table();
            let done = act(&mut table, now, &mut words);
            (done, table.ranks().is_low())
        };
        for (seat, word) in words {
            seat.tell(word);
        }
        if is_low {
            R::fetch(self);
        }
        done
    }
}

impl Seat {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, word: Word) {
        let mut told = self.told();
        match word {
            Word::Look => told.look = true,
            answer => told.answer = Some(answer),
        }
        let waker = told.waker.take();
        drop(told);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

// Nothing in it is pinned.
impl<R: Supply> Unpin for Asking<R> {}

impl<R: Supply> Future for Asking<R> {
    type Output = Result<LeaseReply, R::Error>;

    /// # Panics
    ///
    /// When polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.0 {
            State::Answered(answer) => return Poll::Ready(answer.take().expect("polled again")),
            State::Waiting(waiting) => ready!(waiting.poll_answer(cx)),
        };
        // ## Waiting => Answered.
        self.0 = State::Answered(None);
        Poll::Ready(answer)
    }
}

impl<R: Supply> Waiting<R> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<LeaseReply, R::Error>> {
        loop {
            let look = {
                let mut told = self.seat.told();
                if let Some(answer) = told.answer.take() {
                    self.heard = true;
                    drop(told);
                    return Poll::Ready(self.answered(answer));
                }
                told.waker = Some(cx.waker().clone());
                std::mem::take(&mut told.look)
            };
            if !look {
                let (clock, look) = (&self.desk.clock, self.look);
                let sleep = self.sleep.get_or_insert_with(|| clock.sleep_until(look));
                ready!(Pin::new(sleep).poll(cx));
            }
            self.sleep = None;
            let (lock, ticket) = (&self.lock, self.ticket);
            let look = (self.desk).tell(|table, now, words| {
                // Who waits no longer has been told, or is just being told.
                let look = table.look(lock, ticket, now, words);
                look.unwrap_or(now + LONGEST_WAIT)
            });
            self.look = look;
        }
    }

    fn answered(&self, answer: Word) -> Result<LeaseReply, R::Error> {
        match answer {
            Word::Reply(reply) => Ok(reply),
            Word::Failed | Word::Look => Err(self.desk.table().ranks().lacking()),
        }
    }
}

impl<R: Supply> Drop for Waiting<R> {
    fn drop(&mut self) {
        let (lock, ticket) = (&self.lock, self.ticket);
        if self.heard {
            return;
        }
        (self.desk).tell(|table, now, words| table.leave(lock, ticket, now, words));
    }
}

impl<R> std::fmt::Debug for Desk<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

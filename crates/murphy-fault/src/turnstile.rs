//! Where reordered messages wait for later ones to pass.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The most messages held at one time at one leg of one site.
pub(crate) const MOST_HELD: usize = 4096;

/// Counts who passes one leg of one site, and wakes those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    passed: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the count that releases them, then by ticket: the first to be held is the first out.
    held: BTreeMap<(u64, u64), Option<Waker>>,
    tickets: u64,
    open: bool,
}

/// One held message. Dropped, it gives its place up.
#[derive(Debug)]
pub(crate) struct Ticket {
    turnstile: Arc<Turnstile>,
    place: (u64, u64),
}

impl Turnstile {
    /// Somebody passes.
    pub(crate) fn pass(&self) {
        let passed = self.passed.fetch_add(1, SeqCst) + 1;
        let due = {
            let mut waiting = self.lock();
            let later = waiting.held.split_off(&(passed + 1, 0));
            std::mem::replace(&mut waiting.held, later)
        };
        // Never under the lock: a waker may run anything.
        due.into_values().flatten().for_each(Waker::wake);
    }

    /// Holds one more until `passes` others passed; `None` if there is no room, or no holding any
    /// more.
    pub(crate) fn hold(self: &Arc<Self>, passes: u32) -> Option<Ticket> {
        let mut waiting = self.lock();
        if waiting.open || waiting.held.len() >= MOST_HELD {
            return None;
        }
        let place = (
            self.passed.load(SeqCst) + u64::from(passes),
            waiting.tickets,
        );
        waiting.tickets += 1;
        waiting.held.insert(place, None);
        Some(Ticket {
            turnstile: Arc::clone(self),
            place,
        })
    }

    /// Lets everybody go, now and from now on.
    pub(crate) fn open(&self) {
        let all = {
            let mut waiting = self.lock();
            waiting.open = true;
            std::mem::take(&mut waiting.held)
        };
        all.into_values().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Ready once enough others passed.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.turnstile.lock();
        if self.turnstile.passed.load(SeqCst) >= self.place.0 {
            return Poll::Ready(());
        }
        match waiting.held.get_mut(&self.place) {
            None => Poll::Ready(()),
            Some(waker) => {
                let old = waker.replace(cx.waker().clone());
                drop(waiting);
                // Dropping a waker may run anything as well.
                drop(old);
                Poll::Pending
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let gone = self.turnstile.lock().held.remove(&self.place);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(ticket: &Ticket) -> bool {
        ticket
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn it_opens_after_as_many_as_were_asked_for() {
        let turnstile = Arc::new(Turnstile::default());
        let ticket = turnstile.hold(2).unwrap();
        turnstile.pass();
        assert!(!ready(&ticket));
        turnstile.pass();
        assert!(ready(&ticket));
    }

    #[test]
    fn opened_it_holds_nobody() {
        let turnstile = Arc::new(Turnstile::default());
        let ticket = turnstile.hold(1000).unwrap();
        assert!(!ready(&ticket));
        turnstile.open();
        assert!(ready(&ticket));
        assert!(turnstile.hold(1).is_none());
    }

    #[test]
    fn a_full_house_holds_nobody_more_until_one_leaves() {
        let turnstile = Arc::new(Turnstile::default());
        let mut all: Vec<_> = (0..MOST_HELD).map(|_| turnstile.hold(1).unwrap()).collect();
        assert!(turnstile.hold(1).is_none());
        all.pop();
        assert!(turnstile.hold(1).is_some());
    }
}

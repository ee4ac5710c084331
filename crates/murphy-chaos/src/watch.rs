//! [`Watch`]: cuts a run in which virtual time stands still: somebody yields, and never waits.
//!
//! A paused clock moves on only when nobody has anything to do, so the horizon's timer never comes
//! for a loop that is always ready. This is the one place where real time ends a run, and so such a
//! run is undecided, not failed. A loop that does not even yield cannot be cut by anybody.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Looks at a run, one at a time, from another thread.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    runs: AtomicU64,
    cut: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Watch {
    /// Another run begins.
    pub(crate) fn begin(&self) {
        self.runs.fetch_add(1, SeqCst);
        self.cut.store(false, SeqCst);
    }

    /// Ready when the run is cut.
    pub(crate) async fn is_cut(&self) {
        poll_fn(|cx| {
            *self.waker() = Some(cx.waker().clone());
            if self.cut.load(SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// How many runs have begun.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(SeqCst)
    }

    /// Cuts the run.
    pub(crate) fn cut(&self) {
        self.cut.store(true, SeqCst);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

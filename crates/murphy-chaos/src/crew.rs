//! [`Crew`]: threads that make runs, each run on one thread, results in the order of the orders.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use murphy_core::{Clock, SystemClock};
use tokio::time::Instant;

use crate::once::{Check, Ended, Setting, once};
use crate::order::Order;
use crate::watch::Watch;

/// How many threads, for which test, and until when.
pub(crate) struct Crew<'a, 'f> {
    pub(crate) jobs: NonZeroUsize,
    pub(crate) check: &'a Check<'f>,
    pub(crate) deadline: Option<Instant>,
    /// The most real time of one run.
    pub(crate) patience: Duration,
}

impl Crew<'_, '_> {
    /// Makes the runs. Those that the deadline left out are missing at the end.
    ///
    /// Always on threads of their own, so that it does not matter whether the caller is inside a runtime.
    pub(crate) fn make(&self, orders: &[Order], setting: &Setting) -> Vec<Ended> {
        let next = AtomicUsize::new(0);
        let watches: Vec<Watch> = (0..self.jobs.get().min(orders.len()))
            .map(|_| Watch::default())
            .collect();
        let work = |watch: &Watch| {
            let mut made = Vec::new();
            loop {
                let index = next.fetch_add(1, Relaxed);
                let Some(order) = orders.get(index).filter(|_| !self.is_over()) else {
                    return made;
                };
                watch.begin();
                made.push((index, once(order, setting, self.check, watch)));
            }
        };
        let mut made: Vec<(usize, Ended)> = thread::scope(|scope| {
            let (working, done) = mpsc::channel::<()>();
            let crew: Vec<_> = watches
                .iter()
                .map(|watch| {
                    let (working, work) = (working.clone(), &work);
                    scope.spawn(move || {
                        let made = work(watch);
                        drop(working);
                        made
                    })
                })
                .collect();
            drop(working);
            self.supervise(&watches, &done);
            crew.into_iter()
                .flat_map(|thread| match thread.join() {
                    Ok(made) => made,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        });
        made.sort_by_key(|(index, _)| *index);
        // Of those after a gap nothing is used: which they are would depend on the threads.
        let whole = made.iter().enumerate().take_while(|(i, (n, _))| i == n);
        let whole = whole.count();
        made.truncate(whole);
        made.into_iter().map(|(_, ended)| ended).collect()
    }

    /// One run, whatever the deadline says.
    pub(crate) fn make_one(&self, order: &Order, setting: &Setting) -> Ended {
        let alone = Crew {
            jobs: NonZeroUsize::MIN,
            check: self.check,
            deadline: None,
            patience: self.patience,
        };
        let mut made = alone.make(std::slice::from_ref(order), setting);
        made.pop().unwrap_or_default()
    }

    /// Cuts runs that take too much real time, until all have hung up.
    fn supervise(&self, watches: &[Watch], done: &mpsc::Receiver<()>) {
        /// Looks within the time that a run has.
        const LOOKS: u32 = 4;

        let mut last: Vec<(u64, u32)> = vec![(0, 0); watches.len()];
        while done.recv_timeout(self.patience / LOOKS) == Err(mpsc::RecvTimeoutError::Timeout) {
            for (watch, (run, looks)) in watches.iter().zip(&mut last) {
                *looks = if watch.runs() == *run { *looks + 1 } else { 0 };
                *run = watch.runs();
                if *looks >= LOOKS {
                    watch.cut();
                }
            }
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|end| now() >= end)
    }
}

/// Real time: outside of any runtime, nothing pauses it.
pub(crate) fn now() -> Instant {
    SystemClock::new().now()
}

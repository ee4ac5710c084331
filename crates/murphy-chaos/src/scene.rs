//! [`Scene`]: what belongs to one run and dies with it: promises, marks, and what ends the run early.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use murphy_check::Picture;
use murphy_core::Seed;
use murphy_fault::Chaos;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::exchange::Exchanges;
#[cfg(feature = "http")]
use crate::exchange::UnderWay;
use crate::promise::{Promise, Violation};

/// The most names of marks in one run.
const MOST_MARKS: usize = 4096;

thread_local! {
    /// The run of this thread. A run has one thread, and a thread one run at a time.
    static CURRENT: RefCell<Option<Arc<Scene>>> = const { RefCell::new(None) };
}

/// How often a `sometimes!` or a `reachable!` was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Evaluations.
    pub met: u64,
    /// Those that were true.
    pub held: u64,
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) chaos: Chaos,
    pub(crate) seed: Seed,
    started: Instant,
    state: Mutex<State>,
    stop: Notify,
    pub(crate) exchanges: Exchanges,
    #[cfg(feature = "http")]
    pub(crate) served: crate::world::Served,
}

#[derive(Debug, Default)]
struct State {
    violation: Option<Violation>,
    picture: Option<Picture>,
    undecided: Option<String>,
    marks: BTreeMap<String, Mark>,
    /// Nodes on which something may run.
    placed: BTreeSet<Arc<str>>,
    /// Sites at which nothing can go wrong, but others may go first.
    steps: BTreeSet<Arc<str>>,
    stopped: bool,
}

/// While it is held, the thread's run is this one.
#[derive(Debug)]
pub(crate) struct Entered(());

impl Scene {
    pub(crate) fn new(chaos: Chaos, seed: Seed) -> Self {
        Self {
            chaos,
            seed,
            started: Instant::now(),
            state: Mutex::default(),
            stop: Notify::new(),
            exchanges: Exchanges::default(),
            #[cfg(feature = "http")]
            served: Default::default(),
        }
    }

    /// The run of this thread, if there is one.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(|c| c.borrow().clone()).ok().flatten()
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        CURRENT.set(Some(Arc::clone(self)));
        Entered(())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A call leaves now: its site, and what it asks.
    #[cfg(feature = "http")]
    pub(crate) fn asks(&self, what: impl FnOnce() -> (String, String)) -> UnderWay {
        self.exchanges.begin(self.started, what)
    }

    /// Notes the first broken promise, and ends the run where it next awaits.
    pub(crate) fn broken(&self, promise: Promise, name: &str, detail: String) {
        self.broken_as_drawn(promise, name, detail, None);
    }

    /// As [`broken`](Self::broken), with a picture of how.
    pub(crate) fn broken_as_drawn(
        &self,
        promise: Promise,
        name: &str,
        detail: String,
        picture: Option<Picture>,
    ) {
        let at = self.elapsed();
        let mut state = self.lock();
        if state.violation.is_none() {
            state.violation = Some(Violation {
                promise,
                name: name.to_owned(),
                detail,
                at,
            });
            state.picture = picture;
        }
        state.stopped = true;
        drop(state);
        self.stop.notify_one();
    }

    pub(crate) fn undecided(&self, why: String) {
        self.lock().undecided.get_or_insert(why);
    }

    pub(crate) fn mark(&self, name: &str, held: bool) {
        let mut state = self.lock();
        if state.marks.len() == MOST_MARKS && !state.marks.contains_key(name) {
            return;
        }
        let mark = match state.marks.get_mut(name) {
            Some(mark) => mark,
            None => state.marks.entry(name.to_owned()).or_default(),
        };
        mark.met += 1;
        mark.held += u64::from(held);
    }

    /// The test asked for this node: something may run on it.
    pub(crate) fn place(&self, node: &str) {
        let mut state = self.lock();
        if !state.placed.contains(node) {
            state.placed.insert(node.into());
        }
    }

    /// This site is a step.
    pub(crate) fn step(&self, site: &str) {
        let mut state = self.lock();
        if !state.steps.contains(site) {
            state.steps.insert(site.into());
        }
    }

    /// The steps that were taken.
    pub(crate) fn steps(&self) -> Vec<Arc<str>> {
        self.lock().steps.iter().cloned().collect()
    }

    /// The nodes that were asked for.
    pub(crate) fn placed(&self) -> Vec<Arc<str>> {
        self.lock().placed.iter().cloned().collect()
    }

    /// Ready when a promise was broken.
    pub(crate) async fn stopped(&self) {
        while !self.lock().stopped {
            self.stop.notified().await;
        }
    }

    /// The picture of how the promise was broken, if there is one.
    pub(crate) fn picture(&self) -> Option<Picture> {
        self.lock().picture.take()
    }

    /// What there is to say at the end: the broken promise, why it is undecided, the marks.
    pub(crate) fn take(&self) -> (Option<Violation>, Option<String>, BTreeMap<String, Mark>) {
        let state = std::mem::take(&mut *self.lock());
        (state.violation, state.undecided, state.marks)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = CURRENT.take();
        drop(left);
    }
}

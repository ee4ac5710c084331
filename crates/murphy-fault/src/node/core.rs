//! [`NodeCore`]: what everybody on a node shares, and the few ways in which it changes.
//!
//! ```text
//!             pause                     crash
//!   Paused ◀────────── Running ──────────────────▶ Down
//!      │ ──────────────▶ │  ▲                       │
//!      │     resume      │  └────── restart ────────┘  (a new incarnation)
//!      └──────────── crash ─────────────────────────▶
//! ```
//!
//! One short lock a node. No code of a user's runs under it, and nobody is woken under it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use murphy_core::SkewedClock;
use tokio::sync::Notify;

use super::cells::Shelf;
use super::clock::Bends;
use super::hold::Hold;
use super::nodes::Switch;
use super::section::{Section, Where};
use super::{Crashed, NodeState};

/// The most work that lives on one node at one time.
pub(super) const MOST_WORK: usize = 1 << 18;

/// How long a pause or a crash waits, in real time, for a poll that was under way.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct NodeCore {
    pub(super) name: Arc<str>,
    pub(super) switch: Arc<Switch>,
    world: Mutex<World>,
    /// Somebody left the node's code.
    left: Condvar,
    /// The node is up again.
    pub(super) restarted: Notify,
    pub(super) cells: Shelf,
    pub(super) clock: SkewedClock,
    bends: Mutex<Bends>,
    /// The calls of its layers in this run.
    pub(super) calls: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) incarnation: u64,
    pub(super) pauses: Hold,
    pub(super) downs: Hold,
    /// What lives, by number, and so in the order of its arrival.
    pub(super) works: BTreeMap<u64, Entry>,
    /// Who is in the node's code at this moment, by number.
    inside: BTreeSet<u64>,
    /// The numbers given so far: guards, work and sections share them.
    numbers: u64,
}

/// One piece of work, as the node knows it.
pub(super) struct Entry {
    /// Who polled it last.
    pub(super) waker: Option<Waker>,
    /// It was polled during a pause, and has to be polled once more.
    pub(super) stalled: bool,
    /// So that a crash drops it, whatever its owner does meanwhile.
    pub(super) evict: Option<Arc<dyn Evict>>,
}

/// Work that can be dropped from the outside.
pub(super) trait Evict: Send + Sync {
    /// Drops it, unless it is being polled right now: then whoever polls it drops it afterwards.
    fn evict(&self);
}

/// What a crash leaves to be done once no lock is held.
#[must_use]
pub(super) struct Fallen {
    works: BTreeMap<u64, Entry>,
    incarnation: u64,
}

/// Whom a resume or a restart has to wake once no lock is held.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Risen {
    wakers: Vec<Waker>,
    restarted: bool,
}

impl World {
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn state(&self) -> NodeState {
        if self.downs.is_on() {
            NodeState::Down
        } else if self.pauses.is_on() {
            NodeState::Paused
        } else {
            NodeState::Running
        }
    }

    /// ## Paused => Running. Only those are woken who were polled meanwhile, in the order of their
    /// arrival.
    fn stalled(&mut self) -> Vec<Waker> {
        let stalled = self.works.values_mut();
        stalled
            .filter_map(|entry| {
                std::mem::take(&mut entry.stalled)
                    .then(|| entry.waker.take())
                    .flatten()
            })
            .collect()
    }

    /// ## Down => Running, with a new incarnation; or Paused, if it was paused while it was down.
    fn rise(&mut self) -> Risen {
        self.downs.clear();
        self.incarnation += 1;
        Risen {
            wakers: Vec::new(),
            restarted: true,
        }
    }
}

impl NodeCore {
    pub(super) fn new(name: Arc<str>, switch: Arc<Switch>) -> Self {
        let clock = SkewedClock::new();
        Self {
            name,
            switch,
            world: Mutex::default(),
            left: Condvar::new(),
            restarted: Notify::new(),
            cells: Shelf::default(),
            bends: Mutex::new(Bends::new(&clock)),
            clock,
            calls: AtomicU64::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bends(&self) -> MutexGuard<'_, Bends> {
        self.bends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn crashed(&self, incarnation: u64, began: bool) -> Crashed {
        Crashed {
            node: Arc::clone(&self.name),
            incarnation,
            began,
        }
    }

    /// ## Running => Paused. Returns the pause's number, which is also later than every section
    /// that is open: [`wait`](Self::wait) for those.
    pub(super) fn pause(&self) -> u64 {
        let mut world = self.lock();
        let number = world.number();
        world.pauses.add(number);
        number
    }

    /// ## Running | Paused => Down. What lives, lives no more; the pauses were that process's.
    pub(super) fn crash(&self) -> (u64, Fallen) {
        let mut world = self.lock();
        let number = world.number();
        world.downs.add(number);
        world.pauses.clear();
        let fallen = Fallen {
            works: std::mem::take(&mut world.works),
            incarnation: world.incarnation,
        };
        (number, fallen)
    }

    /// Drops what a crash killed, and returns when no code of it runs any more.
    pub(super) fn bury(&self, fallen: Fallen) {
        let mut wakers = Vec::new();
        let section = self.open_anyway(fallen.incarnation);
        for entry in fallen.works.into_values() {
            if let Some(work) = entry.evict {
                self.quietly(|| work.evict());
            }
            wakers.extend(entry.waker);
        }
        drop(section);
        wakers.into_iter().for_each(Waker::wake);
        // For polls from before the crash, and for owners who were dropping work themselves.
        let before = self.lock().number();
        self.wait(before);
    }

    /// Ends one pause, or all of them. `None`: others are left, or there was none.
    pub(super) fn resume(&self, one: Option<u64>) -> Option<Risen> {
        let mut world = self.lock();
        let ended = match one {
            Some(number) => world.pauses.end(number),
            None => world.pauses.clear(),
        };
        if !ended || world.downs.is_on() {
            return None;
        }
        Some(Risen {
            wakers: world.stalled(),
            restarted: false,
        })
    }

    /// Ends one crash, or all of them. `None`: others are left, or there was none.
    pub(super) fn restart(&self, one: Option<u64>) -> Option<Risen> {
        let mut world = self.lock();
        let ended = match one {
            Some(number) => world.downs.end(number),
            None => world.downs.clear(),
        };
        ended.then(|| world.rise())
    }

    /// The run is over: paused nodes resume, crashed ones restart.
    pub(super) fn heal(&self) -> Risen {
        self.bends().heal();
        let mut world = self.lock();
        world.pauses.clear();
        if world.downs.is_on() {
            return world.rise();
        }
        Risen {
            wakers: world.stalled(),
            restarted: false,
        }
    }

    pub(super) fn wake(&self, risen: Risen) {
        if risen.restarted {
            self.restarted.notify_waiters();
        }
        risen.wakers.into_iter().for_each(Waker::wake);
    }

    /// Opens a section: the caller is in the code of this incarnation until it drops it.
    pub(super) fn open(&self, world: &mut World, incarnation: u64) -> Section<'_> {
        let number = world.number();
        world.inside.insert(number);
        Section::new(self, number, incarnation)
    }

    /// A section for what no state of the node forbids: a destructor.
    pub(super) fn open_anyway(&self, incarnation: u64) -> Section<'_> {
        self.open(&mut self.lock(), incarnation)
    }

    /// A section for what has no place on the node, if it may run now.
    pub(super) fn open_running(&self) -> Result<Section<'_>, NodeState> {
        let mut world = self.lock();
        match world.state() {
            NodeState::Running => {
                let incarnation = world.incarnation;
                Ok(self.open(&mut world, incarnation))
            }
            not => Err(not),
        }
    }

    pub(super) fn close(&self, number: u64) {
        self.lock().inside.remove(&number);
        self.left.notify_all();
    }

    /// Waits until nobody is in the node's code who was there before this number was given.
    ///
    /// Whoever is in a node's code does not wait: it would be for itself, or for one who waits
    /// for it.
    pub(super) fn wait(&self, before: u64) {
        if Where::current().is_some() {
            return;
        }
        let under_way =
            |world: &mut World| world.inside.first().is_some_and(|number| *number < before);
        let waited = self
            .left
            .wait_timeout_while(self.lock(), LONGEST_WAIT, under_way);
        let (world, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(world);
        if timeout.timed_out() {
            tracing::warn!(target: "murphy::fault", node = &*self.name, "node.still_polling");
        }
    }

    /// Calls what nobody could be told the panic of.
    fn quietly(&self, f: impl FnOnce()) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err() {
            tracing::error!(target: "murphy::fault", node = &*self.name, "node.panicked");
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("stalled", &self.stalled)
            .finish_non_exhaustive()
    }
}

//! [`Nodes`]: all nodes of a chaos, and the switch that they look at.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murphy_core::Seed;

use super::core::{NodeCore, Risen};
use crate::network::NetworkError;
use crate::plan::nearest;

/// The most nodes that one chaos knows; further ones cannot be disturbed.
const MOST_NODES: usize = 65_536;

/// Whether a run is on. What a call at a node reads first, and mostly last.
#[derive(Debug, Default)]
pub(super) struct Switch {
    armed: AtomicBool,
    seed: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    switch: Arc<Switch>,
    known: Mutex<BTreeMap<Arc<str>, Arc<NodeCore>>>,
}

/// Whom the end of a run has to wake, once no lock is held.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Healed(Vec<(Arc<NodeCore>, Risen)>);

impl Switch {
    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.armed.load(Relaxed)
    }

    /// The seed of the run that is on, or of the last one.
    pub(super) fn seed(&self) -> Seed {
        Seed::new(self.seed.load(Relaxed))
    }
}

impl Nodes {
    /// The node with this name, and whether it is known to the chaos.
    pub(super) fn get(&self, name: &str) -> (Arc<NodeCore>, bool) {
        let mut known = self.lock();
        if let Some(core) = known.get(name) {
            return (Arc::clone(core), true);
        }
        let core = Arc::new(NodeCore::new(name.into(), Arc::clone(&self.switch)));
        let room = known.len() < MOST_NODES;
        if room {
            known.insert(name.into(), Arc::clone(&core));
        }
        drop(known);
        if !room {
            tracing::warn!(target: "murphy::fault", node = name, "chaos.too_many_nodes");
        }
        (core, room)
    }

    /// Whether there is a node of this name, and which one may have been meant.
    pub(crate) fn find(&self, name: &str) -> Result<(), NetworkError> {
        let known = self.lock();
        if known.contains_key(name) {
            return Ok(());
        }
        let guess = nearest(name, known.keys().map(|k| &**k));
        let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
        Err(NetworkError::UnknownNode {
            node: name.chars().take(64).collect(),
            remedy: format!(
                "{guess}ask `Chaos::node` for it before arming (`Network::nodes` declares names, and nothing that runs)"
            ),
        })
    }

    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.lock().keys().cloned().collect()
    }

    /// A run is on.
    pub(crate) fn arm(&self, seed: Seed) {
        self.switch.seed.store(seed.bits(), Relaxed);
        for core in self.lock().values() {
            core.calls.store(0, Relaxed);
        }
        self.switch.armed.store(true, Relaxed);
    }

    /// The run is over: what it did to nodes is undone.
    pub(crate) fn heal(&self) -> Healed {
        self.switch.armed.store(false, Relaxed);
        let known = self.lock();
        let healed = known.values().map(|core| (Arc::clone(core), core.heal()));
        Healed(healed.collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<NodeCore>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Healed {
    pub(crate) fn wake(self) {
        for (core, risen) in self.0 {
            core.clock.rouse();
            core.wake(risen);
        }
    }
}

/// A chaos that nobody holds any more cannot be disarmed: its nodes are not left behind paused.
impl Drop for Nodes {
    fn drop(&mut self) {
        self.heal().wake();
    }
}

//! [`Catalogue`]: what runs have shown of a system: its sites, nodes and calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::injection::CallId;
use crate::kind::Kind;

/// The most calls that are enumerated; those past it are left to chance, and the report says so.
pub(crate) const MOST_CALLS: usize = 16_384;

/// One call of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Which.
    pub call: CallId,
    /// When it was made, after the run began.
    pub at: Duration,
}

/// What runs have shown of a system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalogue {
    sites: BTreeMap<Arc<str>, BTreeSet<Kind>>,
    nodes: BTreeSet<Arc<str>>,
    placed: BTreeSet<Arc<str>>,
    /// Those of the run without faults, in their order.
    calls: Vec<Passed>,
    seen: BTreeSet<CallId>,
    pub(crate) overflowed: bool,
}

impl Catalogue {
    /// Adds a site, and what it cannot do. True if it is new.
    pub(crate) fn site(&mut self, name: &Arc<str>) -> bool {
        let new = !self.sites.contains_key(name);
        if new {
            self.sites.insert(Arc::clone(name), BTreeSet::new());
        }
        new
    }

    pub(crate) fn node(&mut self, name: &Arc<str>) -> bool {
        self.nodes.insert(Arc::clone(name))
    }

    /// Something may run on this node.
    pub(crate) fn placed(&mut self, name: &Arc<str>) {
        self.placed.insert(Arc::clone(name));
    }

    /// The site cannot do this.
    pub(crate) fn unable(&mut self, site: &str, kind: Kind) {
        if let Some(unable) = self.sites.get_mut(site) {
            unable.insert(kind);
        }
    }

    /// Adds a call. True if it is new, and there is room.
    pub(crate) fn call(&mut self, passed: &Passed) -> bool {
        if self.seen.contains(&passed.call) {
            return false;
        }
        if self.seen.len() == MOST_CALLS {
            self.overflowed = true;
            return false;
        }
        self.seen.insert(passed.call.clone());
        self.calls.push(passed.clone());
        true
    }

    pub(crate) fn able(&self, site: &str, kind: Kind) -> bool {
        self.sites
            .get(site)
            .is_some_and(|unable| !unable.contains(&kind))
    }

    pub(crate) fn sites(&self) -> impl Iterator<Item = &Arc<str>> {
        self.sites.keys()
    }

    pub(crate) fn nodes(&self) -> Vec<Arc<str>> {
        self.nodes.iter().cloned().collect()
    }

    /// The nodes that something may run on: pausing another would change nothing.
    pub(crate) fn inhabited(&self) -> Vec<Arc<str>> {
        self.placed.iter().cloned().collect()
    }

    pub(crate) fn calls(&self) -> &[Passed] {
        &self.calls
    }
}

//! [`Read`]: what a read found, and what it does about those who lag behind.

use super::{Version, Versioned};

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<N, V> {
    newest: Versioned<V>,
    laggards: Vec<N>,
}

impl<N, V> Read<N, V> {
    pub(super) const fn new(newest: Versioned<V>, laggards: Vec<N>) -> Self {
        Self { newest, laggards }
    }

    /// The value; none, if nothing was written yet.
    pub const fn value(&self) -> Option<&V> {
        self.newest.value.as_ref()
    }

    /// The same, by itself.
    pub fn into_value(self) -> Option<V> {
        self.newest.value
    }

    /// Its version.
    pub const fn version(&self) -> Version {
        self.newest.version
    }

    /// Who had an older one, of those who were heard.
    pub fn laggards(&self) -> &[N] {
        &self.laggards
    }
}

/// What a read does when the replicas that it heard do not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// It writes the newest back, and waits until a majority has it: nobody who reads later reads
    /// an older one.
    #[default]
    Blocking,
    /// It writes the newest back and does not wait. A later read may see an older value, once: reads are
    /// regular, and not atomic.
    Background,
}

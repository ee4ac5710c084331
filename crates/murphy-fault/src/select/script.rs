//! A script: exactly these calls, with exactly these magnitudes.

use std::collections::BTreeMap;
use std::time::Duration;

use murphy_core::Key;

/// The calls that a fault strikes, one by one. A ledger exports as scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    points: Vec<ScriptPoint>,
}

/// One call of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptPoint {
    /// The call's key; of a positional call, key 0.
    pub key: Key,
    /// Which passage of the key; of a positional call, its ordinal.
    pub occurrence: u64,
    /// How long (latency) or how much later (duplicate), if not as the fault itself would draw it.
    pub magnitude: Option<Duration>,
}

impl ScriptPoint {
    /// The `occurrence`-th passage of a key.
    #[must_use]
    pub fn keyed(key: impl Into<Key>, occurrence: u64) -> Self {
        Self {
            key: key.into(),
            occurrence,
            magnitude: None,
        }
    }

    /// The call with this ordinal, at a site without keys.
    #[must_use]
    pub const fn call(ordinal: u64) -> Self {
        Self {
            key: Key::new(0),
            occurrence: ordinal,
            magnitude: None,
        }
    }

    /// The same point with a magnitude of its own.
    #[must_use]
    pub const fn lasting(mut self, magnitude: Duration) -> Self {
        self.magnitude = Some(magnitude);
        self
    }
}

impl Script {
    /// A script of these points. Sorted; of two with one key and occurrence the last is kept.
    #[must_use]
    pub fn new(points: impl IntoIterator<Item = ScriptPoint>) -> Self {
        let sorted: BTreeMap<_, _> = points
            .into_iter()
            .map(|p| ((p.key, p.occurrence), p))
            .collect();
        Self {
            points: sorted.into_values().collect(),
        }
    }

    /// The points, sorted by key and occurrence.
    #[must_use]
    pub fn points(&self) -> &[ScriptPoint] {
        &self.points
    }

    /// The index of the point that names this call.
    pub(crate) fn find(&self, key: Key, occurrence: u64) -> Option<usize> {
        self.points
            .binary_search_by_key(&(key, occurrence), |p| (p.key, p.occurrence))
            .ok()
    }
}

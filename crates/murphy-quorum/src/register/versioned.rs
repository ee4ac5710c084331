//! What replicas are asked, and what they keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How new a value is: ordered by the counter, and among equal ones by who wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Version {
    /// One above any that the writer had seen. 0: nothing was written yet.
    pub counter: u64,
    /// The number of the client that wrote it.
    pub writer: u64,
}

/// The versions of one writer and its clones: each is given once, also to a write that failed or was given up. Such a
/// write may have reached a replica that the next one does not hear, and two values under one version are never told
/// apart again.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    writer: u64,
    last: Arc<AtomicU64>,
}

impl Issued {
    pub(super) fn new(writer: u64) -> Self {
        let last = Arc::default();
        Self { writer, last }
    }

    /// One above `seen`, and above any that it gave before. None is left after 2⁶⁴ − 1.
    pub(super) fn above(&self, seen: Version) -> Option<Version> {
        let next = |last: u64| last.max(seen.counter).checked_add(1);
        let last = self.last.fetch_update(SeqCst, SeqCst, next).ok()?;
        let (counter, writer) = (next(last)?, self.writer);
        Some(Version { counter, writer })
    }
}

/// A value and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Versioned<V> {
    /// How new it is.
    pub version: Version,
    /// None before the first write.
    #[cfg_attr(
        feature = "serde",
        serde(
            deserialize_with = "crate::wire::present",
            bound(deserialize = "V: serde::Deserialize<'de>")
        )
    )]
    pub value: Option<V>,
}

impl<V> Default for Versioned<V> {
    fn default() -> Self {
        let (version, value) = (Version::default(), None);
        Self { version, value }
    }
}

/// What a replica is asked. It answers with what it has afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Ask<V> {
    /// What it has.
    Read,
    /// To keep this, if it is newer than what it has.
    Write(Versioned<V>),
}

/// What one replica keeps. To survive a crash of the replica it is on disk before the answer leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stored<V>(Versioned<V>);

impl<V> Default for Stored<V> {
    fn default() -> Self {
        Self(Versioned::default())
    }
}

impl<V: Clone> Stored<V> {
    /// What was on disk.
    pub const fn new(versioned: Versioned<V>) -> Self {
        Self(versioned)
    }

    /// Does what is asked, and gives what there is now. An older write, or one that comes twice, changes nothing.
    pub fn on(&mut self, ask: Ask<V>) -> Versioned<V> {
        if let Ask::Write(new) = ask {
            if new.version > self.0.version {
                self.0 = new;
            }
        }
        self.0.clone()
    }
}

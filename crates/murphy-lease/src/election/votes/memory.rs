//! [`MemoryVotes`]: a voter's word, as long as the process lives.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kept, VoteStore};

/// A voter's word in this process; clones share it. For tests, where it is the disk that survives the crash of a node, and for
/// voters that never come back.
#[derive(Clone, Debug, Default)]
pub struct MemoryVotes(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl MemoryVotes {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All is lost, as with a disk.
    pub fn lose(&self) {
        self.records().clear();
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VoteStore for MemoryVotes {
    fn get<'a>(&'a self, name: &'a str) -> Kept<'a, Option<Vec<u8>>> {
        Box::pin(ready(Ok(self.records().get(name).cloned())))
    }

    fn put<'a>(&'a self, name: &'a str, record: Vec<u8>) -> Kept<'a, ()> {
        self.records().insert(name.to_owned(), record);
        Box::pin(ready(Ok(())))
    }
}

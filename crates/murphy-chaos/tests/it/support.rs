//! What the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use murphy_chaos::{Budget, Explore, explore};

/// A counter that a service and its test share within a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn add(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// An exploration that writes where tests may write, under a seed and a budget of runs.
#[track_caller]
pub(crate) fn exploring(name: &str, runs: u64) -> Explore {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an earlier run of the tests left is not an old failure of this one.
    let _ = std::fs::remove_dir_all(&target);
    explore(name)
        .seed(42)
        .budget(Budget::runs(runs))
        .artifacts(target)
}

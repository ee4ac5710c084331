//! How many in each second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Counts what happens in each second of a model, from when it is made.
#[derive(Clone)]
pub(crate) struct Seconds {
    began: Instant,
    second: Duration,
    counts: Arc<[AtomicU32]>,
}

impl Seconds {
    /// So many seconds, which take so long here. What comes later is not counted.
    pub(crate) fn new(seconds: usize, second: Duration) -> Self {
        Self {
            began: Instant::now(),
            second,
            counts: (0..seconds).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// One more, now.
    pub(crate) fn count(&self) {
        let now = self.began.elapsed().as_nanos() / self.second.as_nanos();
        if let Some(count) = self.counts.get(now as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were, in each.
    pub(crate) fn told(&self) -> Vec<f64> {
        let counts = self.counts.iter();
        counts.map(|count| f64::from(count.load(Relaxed))).collect()
    }
}

/// The mean over runs, in each second.
pub(crate) fn mean(runs: &[Vec<f64>]) -> Vec<f64> {
    let seconds = runs.first().map_or(0, Vec::len);
    let sum = |second: usize| runs.iter().map(|run| run[second]).sum::<f64>();
    (0..seconds)
        .map(|second| sum(second) / runs.len() as f64)
        .collect()
}

//! When a run ends by itself: too many failures, or too many slow calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::chaos::Inner;
use crate::plan::{Halt, HaltOn};
use crate::run::SiteRun;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was told to.
    Told,
    /// Its time was up, or the runtime ended that would have said so.
    TimeLimit,
    /// Too large a share of calls failed.
    Errors,
    /// Too large a share of calls was slow.
    Latency,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Told => "told",
            Self::TimeLimit => "time limit",
            Self::Errors => "error ratio",
            Self::Latency => "latency",
        })
    }
}

/// What the run has seen of its callers' luck.
#[derive(Debug, Default)]
pub(crate) struct Halting {
    pub(crate) chaos: Weak<Inner>,
    pub(crate) version: u64,
    ended: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
}

impl Halting {
    pub(crate) fn new(chaos: Weak<Inner>, version: u64) -> Self {
        Self {
            chaos,
            version,
            ..Self::default()
        }
    }

    /// Something to watch one call with, if the run has halt conditions.
    pub(crate) fn watch(&self, site: &Arc<SiteRun>, halt: &Halt) -> Option<Watch> {
        (*halt != Halt::default()).then(|| Watch {
            site: Arc::clone(site),
            since: Instant::now(),
            seen: false,
        })
    }

    fn saw(&self, halt: &Halt, took: Duration, failed: bool) {
        let failures = self.failed.fetch_add(u64::from(failed), Relaxed) + u64::from(failed);
        let is_slow = u64::from(halt.latency.is_some_and(|(over, _)| took > over));
        let slow = self.slow.fetch_add(is_slow, Relaxed) + is_slow;
        let ended = self.ended.fetch_add(1, Relaxed) + 1;
        let over = |on: HaltOn, bad: u64| {
            ended >= on.after.max(1) && bad as f64 >= on.share.get() * ended as f64 && bad > 0
        };
        let reason = if halt.errors.is_some_and(|on| over(on, failures)) {
            Reason::Errors
        } else if halt.latency.is_some_and(|(_, on)| over(on, slow)) {
            Reason::Latency
        } else {
            return;
        };
        if let Some(chaos) = self.chaos.upgrade() {
            chaos.disarm(Some(self.version), reason);
        }
    }
}

/// Watches one call. Dropped before the call ended, it has seen a caller give up.
#[derive(Debug)]
pub(crate) struct Watch {
    site: Arc<SiteRun>,
    since: Instant,
    seen: bool,
}

impl Watch {
    /// The caller got something.
    pub(crate) fn saw(&mut self, failed: bool) {
        if !std::mem::replace(&mut self.seen, true) {
            let run = &self.site.run;
            run.halting
                .saw(&run.plan.halt, self.since.elapsed(), failed);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.saw(true);
    }
}

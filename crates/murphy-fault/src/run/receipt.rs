//! [`Receipt`]: what came of a fate.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::book::Outcome;
use crate::run::SiteRun;

/// What came of a fate is noted here. Dropped unsettled, it notes that the caller left, or that
/// the runtime did.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(super) site: Arc<SiteRun>,
    pub(super) first: Option<usize>,
    pub(super) which: u128,
    /// Records that came later.
    pub(super) more: Vec<usize>,
    pub(super) unsettled: Outcome,
    pub(super) counted: bool,
}

impl Receipt {
    /// Notes the end of it. The first note stands.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        if let Some(first) = self.first.take().filter(|_| self.which != 0) {
            self.site.run.book.settle(first, self.which, outcome);
        }
        for later in std::mem::take(&mut self.more) {
            self.site.run.book.settle(later, 1, outcome);
        }
        if std::mem::take(&mut self.counted) {
            self.site.run.in_flight.fetch_sub(1, Relaxed);
        }
    }

    /// One more record has this end.
    pub(crate) fn add(&mut self, later: Option<usize>) {
        self.more.extend(later);
    }

    /// Whether the clock of the run stands still.
    #[cfg(feature = "http")]
    pub(crate) fn is_paused(&self) -> bool {
        self.site.run.paused
    }

    /// Dropped unsettled, it notes that nothing came of it.
    #[cfg(feature = "http")]
    pub(crate) fn or_nothing(&mut self) {
        self.unsettled = Outcome::Nothing;
    }

    /// From now on only the end of the runtime can stop it.
    pub(crate) fn outlive(&mut self) {
        self.unsettled = Outcome::Cut;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.settle(self.unsettled);
    }
}

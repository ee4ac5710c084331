//! A share of the calls that are under way.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::tokens::TOKEN;

#[derive(Debug)]
pub(super) struct InFlight {
    calls: AtomicU64,
    extra: AtomicU32,
    /// Extra attempts a call, in units.
    ratio: u64,
    least: u32,
}

impl InFlight {
    pub(super) fn new(ratio: u64, least: u32) -> Self {
        Self {
            calls: AtomicU64::new(0),
            extra: AtomicU32::new(0),
            ratio,
            least,
        }
    }

    pub(super) fn begin(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// ⌊ratio·calls⌋, and never fewer than the least.
    fn most(&self) -> u32 {
        let calls = u128::from(self.calls.load(Relaxed));
        let share = calls * u128::from(self.ratio) / u128::from(TOKEN);
        u32::try_from(share).unwrap_or(u32::MAX).max(self.least)
    }

    pub(super) fn take(&self) -> bool {
        let most = self.most();
        let one_more = |extra| (extra < most).then_some(extra + 1);
        self.extra.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    pub(super) fn give_back(&self) {
        self.extra.fetch_sub(1, Relaxed);
    }

    pub(super) fn balance(&self) -> u32 {
        self.most().saturating_sub(self.extra.load(Relaxed))
    }
}

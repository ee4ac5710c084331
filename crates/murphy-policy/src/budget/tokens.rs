//! A share of the calls, saved up: exact, atomic, without a clock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// 2³² units are one attempt, so that a deposit of any ratio is exact to 2⁻³² of an attempt.
pub(super) const TOKEN: u64 = 1 << 32;

#[derive(Debug)]
pub(super) struct Tokens {
    balance: AtomicU64,
    deposit: u64,
    cap: u64,
    reserve: u32,
}

impl Tokens {
    /// Of at most `cap` attempts; never less than the reserve and one deposit, so that neither is
    /// lost. `deposit` is in units.
    pub(super) fn new(deposit: u64, reserve: u32, cap: u32) -> Self {
        let start = u64::from(reserve) * TOKEN;
        Self {
            balance: AtomicU64::new(start),
            deposit,
            cap: (u64::from(cap) * TOKEN).max(start.saturating_add(deposit)),
            reserve,
        }
    }

    /// A new one with the same ratio and reserve.
    pub(super) fn capped(&self, cap: u32) -> Self {
        Self::new(self.deposit, self.reserve, cap)
    }

    /// One load where it is full, which is when all is well.
    #[inline]
    pub(super) fn deposit(&self) {
        if !self.is_full() {
            self.put(self.deposit);
        }
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.balance.load(Relaxed) >= self.cap
    }

    #[inline]
    pub(super) fn take(&self) -> bool {
        self.balance
            .fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(TOKEN))
            .is_ok()
    }

    pub(super) fn give_back(&self) {
        self.put(TOKEN);
    }

    pub(super) fn ratio(&self) -> f64 {
        self.deposit as f64 / TOKEN as f64
    }

    pub(super) const fn reserve(&self) -> u32 {
        self.reserve
    }

    pub(super) fn balance(&self) -> u32 {
        // Below 2⁶⁴ / 2³².
        (self.balance.load(Relaxed) / TOKEN) as u32
    }

    fn put(&self, amount: u64) {
        // Fails, changing nothing, when it is full.
        let _ = self.balance.fetch_update(Relaxed, Relaxed, |balance| {
            (balance < self.cap).then(|| balance.saturating_add(amount).min(self.cap))
        });
    }
}

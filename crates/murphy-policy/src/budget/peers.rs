//! Accounts that are kept as others keep theirs, to the number.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::Kind;

/// The bucket of the AWS SDKs' standard mode: retries cost, a success refunds the last one's cost.
#[derive(Debug)]
pub(super) struct Standard {
    tokens: AtomicU32,
    cost: u32,
    timeout_cost: u32,
    throttled_cost: u32,
}

/// The throttle of gRPC's retry design (A6): failures take, successes give, and there is a retry
/// while more than half is left. In thousandths.
#[derive(Debug)]
pub(super) struct Grpc {
    tokens: AtomicU32,
    max: u32,
    ratio: u32,
}

impl Standard {
    const TOKENS: u32 = 500;

    pub(super) fn v2_0() -> Self {
        Self {
            tokens: AtomicU32::new(Self::TOKENS),
            cost: 5,
            timeout_cost: 10,
            throttled_cost: 5,
        }
    }

    pub(super) fn v2_1() -> Self {
        Self {
            tokens: AtomicU32::new(Self::TOKENS),
            cost: 14,
            timeout_cost: 14,
            throttled_cost: 5,
        }
    }

    pub(super) const fn cost(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Timeout => self.timeout_cost,
            Kind::Throttled => self.throttled_cost,
            _ => self.cost,
        }
    }

    pub(super) fn take(&self, cost: u32) -> bool {
        let paid = |tokens: u32| tokens.checked_sub(cost);
        self.tokens.fetch_update(Relaxed, Relaxed, paid).is_ok()
    }

    /// One token for a call that needed no retry, or what the last retry cost.
    pub(super) fn put(&self, tokens: u32) {
        if self.tokens.load(Relaxed) < Self::TOKENS {
            let more = |t: u32| Some(t.saturating_add(tokens).min(Self::TOKENS));
            _ = self.tokens.fetch_update(Relaxed, Relaxed, more);
        }
    }

    pub(super) fn tokens(&self) -> u32 {
        self.tokens.load(Relaxed)
    }

    /// How many of the cheapest the tokens pay for.
    pub(super) fn reserve(&self) -> u32 {
        Self::TOKENS / self.cost.min(self.timeout_cost).min(self.throttled_cost)
    }

    pub(super) const fn dearest(&self) -> u32 {
        if self.cost > self.timeout_cost {
            self.cost
        } else {
            self.timeout_cost
        }
    }
}

impl Grpc {
    pub(super) fn new(max: u32, ratio: u32) -> Self {
        Self {
            tokens: AtomicU32::new(max),
            max,
            ratio,
        }
    }

    pub(super) fn succeeded(&self) {
        if self.tokens.load(Relaxed) < self.max {
            let more = |t: u32| Some((t + self.ratio).min(self.max));
            _ = self.tokens.fetch_update(Relaxed, Relaxed, more);
        }
    }

    pub(super) fn failed(&self) {
        let less = |t: u32| Some(t.saturating_sub(1_000));
        _ = self.tokens.fetch_update(Relaxed, Relaxed, less);
    }

    pub(super) fn open(&self) -> bool {
        self.tokens.load(Relaxed) > self.max / 2
    }

    pub(super) fn ratio(&self) -> f64 {
        f64::from(self.ratio) / 1e3
    }

    /// How many failures a full one takes and is open.
    pub(super) const fn reserve(&self) -> u32 {
        (self.max - self.max / 2).div_ceil(1_000)
    }

    /// How many failures it takes to close it.
    pub(super) fn balance(&self) -> u32 {
        let above = self.tokens.load(Relaxed).saturating_sub(self.max / 2);
        above.div_ceil(1_000)
    }
}

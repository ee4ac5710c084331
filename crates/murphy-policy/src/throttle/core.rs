//! What all services of a throttle share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Throttled;
use super::chance::Chance;
use super::decide;
use crate::TARGET;
use crate::breaker::buckets::Buckets;
use crate::metered::count;

#[derive(Debug)]
pub(super) struct Core {
    k: f64,
    floor: u64,
    window: Buckets<2>,
    chance: Chance,
    site: Arc<str>,
}

const REQUESTS: usize = 0;
const ACCEPTS: usize = 1;

impl Core {
    pub(super) fn new(k: f64, span: Duration, floor: u32, chance: Chance, site: Arc<str>) -> Self {
        Self {
            k,
            floor: floor.into(),
            window: Buckets::new(span),
            chance,
            site,
        }
    }

    /// How likely a rejection is at `now`.
    pub(super) fn chance(&self, now: Instant) -> f64 {
        let [requests, accepts] = self.window.sums(now);
        decide::chance(requests, accepts, self.k, self.floor)
    }

    /// A call comes: counted, unless it is [withheld](Self::withheld).
    pub(super) fn admit(&self) -> Result<Instant, Throttled> {
        let now = Instant::now();
        let chance = self.chance(now);
        self.window.add(REQUESTS, now);
        if chance > 0.0 && self.chance.draw().unit() < chance {
            return Err(self.rejected(chance));
        }
        Ok(now)
    }

    /// The call that came then was refused beneath: the peer was not asked.
    #[cold]
    pub(super) fn withheld(&self, asked: Instant) {
        self.window.take(REQUESTS, asked);
    }

    /// The peer accepted a call.
    pub(super) fn accepted(&self) {
        self.window.add(ACCEPTS, Instant::now());
    }

    #[cold]
    fn rejected(&self, chance: f64) -> Throttled {
        count("murphy_policy_throttle_rejected_total", &self.site);
        tracing::debug!(
            name: "throttle.rejected", target: TARGET, site = &*self.site, chance, "rejected",
        );
        Throttled::new(Arc::clone(&self.site), chance)
    }
}

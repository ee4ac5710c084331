//! [`Watch`]: how long each member of a question takes, where its plan wants to know.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::service::Plan;
use crate::service::latency::{Latencies, Seen};

/// What one question tells of its members' latencies. Nothing, where the plan does not ask for it.
pub(super) struct Watch {
    latencies: Option<(Arc<Latencies>, Option<f64>)>,
    began: Instant,
    /// When those were asked who were not asked at once; empty while there is none.
    asked: Vec<Instant>,
    /// What to fail at once counts as.
    least: Duration,
}

impl Watch {
    pub(super) fn new(plan: Plan, latencies: &Arc<Latencies>, least: Option<Duration>) -> Self {
        let measured = plan.measures().then(|| Arc::clone(latencies));
        Self {
            latencies: measured.map(|latencies| (latencies, plan.percentile())),
            began: Instant::now(),
            asked: Vec::new(),
            least: least.unwrap_or_default(),
        }
    }

    /// When the question was put.
    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    /// One of so many members is asked now.
    pub(super) fn asks(&mut self, at: usize, members: usize) {
        if self.latencies.is_some() {
            self.asked.resize(members, self.began);
            self.asked[at] = Instant::now();
        }
    }

    /// A member answered, or is not waited for any more.
    #[inline]
    pub(super) fn saw(&self, at: usize, seen: Seen) {
        if let Some((latencies, percentile)) = &self.latencies {
            let asked = self.asked.get(at).copied().unwrap_or(self.began);
            latencies.saw(at, asked.elapsed(), seen, *percentile);
        }
    }

    /// To fail at once is not to be quick.
    #[inline]
    pub(super) fn saw_fail(&self, at: usize) {
        if let Some((latencies, _)) = &self.latencies {
            latencies.saw(at, self.least, Seen::AtLeast, None);
        }
    }
}

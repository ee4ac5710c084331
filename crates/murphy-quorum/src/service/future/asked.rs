//! [`Asked`]: who is under way, and who is next.

use smallvec::SmallVec;

use crate::service::Plan;
use crate::service::latency::Latencies;
use crate::{Panel, Set};

/// Who is asked, and who is not yet.
pub(super) struct Asked {
    /// Who is asked, while they have not answered.
    under_way: Set,
    /// Who is not asked yet.
    waiting: Set,
    /// In which order they are.
    order: SmallVec<[u8; 16]>,
    /// Who was asked at first only to see how quick it is.
    probed: Set,
}

impl Asked {
    /// Those whom the plan asks at once, of so many.
    pub(super) fn new(
        plan: Plan,
        panel: &impl Panel,
        members: usize,
        latencies: &Latencies,
    ) -> Self {
        let all = panel.members();
        let mut order: SmallVec<[u8; 16]> = (0..members as u8).collect();
        plan.order(latencies, &mut order);
        let first = plan.first(panel, &order);
        let probed = plan.probe(latencies).and(all).minus(first);
        let under_way = first.or(probed);
        let waiting = all.minus(under_way);
        Self {
            under_way,
            waiting,
            order,
            probed,
        }
    }

    /// One more, if there is one.
    pub(super) fn next(&mut self) -> Option<usize> {
        let mut order = self.order.iter().map(|at| usize::from(*at));
        let at = order.find(|at| self.waiting.contains(*at))?;
        self.waiting = self.waiting.minus(Set::one(at));
        self.under_way = self.under_way.or(Set::one(at));
        Some(at)
    }

    /// This one has answered.
    pub(super) fn heard(&mut self, at: usize) {
        self.under_way = self.under_way.minus(Set::one(at));
    }

    pub(super) const fn under_way(&self) -> Set {
        self.under_way
    }

    pub(super) const fn waiting(&self) -> Set {
        self.waiting
    }

    pub(super) const fn probed(&self) -> Set {
        self.probed
    }
}

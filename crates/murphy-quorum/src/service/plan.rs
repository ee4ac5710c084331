//! [`Plan`]: whom to ask, and when.

use std::time::Duration;

use super::latency::Latencies;
use crate::{Panel, Set};

/// How long one waits before it was seen how long they take.
const UNSEEN: Duration = Duration::from_millis(100);

/// Whom to ask, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Plan {
    /// All at once: the answer is as late as the quorum's slowest, and no later.
    #[default]
    Broadcast,
    /// As many as are enough, in the members' order; the next for each that fails, as many more as it takes when
    /// those who are asked cannot decide it any more, and one more each time that the hedge's delay has passed
    /// without a decision.
    Minimal(HedgeAfter),
    /// The same, the quickest first: by an average of what was seen of each, in which the last reply weighs an
    /// eighth. Of whom nothing was seen yet is asked first. One that fails has taken as long as the hedge's delay.
    /// Every sixteenth question asks one more, each member in turn, so that one that has become quick is found; nobody waits for it.
    Quickest(HedgeAfter),
}

/// How long before one more is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HedgeAfter {
    /// So long.
    Delay(Duration),
    /// What so large a share of the last 128 replies did not take longer than, from 0.5 to 0.999 (beyond which it is that
    /// bound); a millisecond at least.
    /// 100 ms until there were sixteen.
    Percentile(f64),
}

impl Plan {
    /// Who is asked at once, of these in their order.
    pub(super) fn first(self, panel: &impl Panel, order: &[u8]) -> Set {
        if self == Self::Broadcast {
            return panel.members();
        }
        let mut asked = Set::EMPTY;
        // One at least, whatever a rule says that nobody is enough for: a question that is not asked has no answer.
        for at in order {
            asked = asked.or(Set::one(usize::from(*at)));
            if panel.would_do(asked) {
                break;
            }
        }
        asked
    }

    /// The order in which members are asked.
    pub(super) fn order(self, latencies: &Latencies, into: &mut [u8]) {
        if let Self::Quickest(_) = self {
            latencies.order(into);
        }
    }

    const fn hedge(self) -> Option<HedgeAfter> {
        match self {
            Self::Broadcast => None,
            Self::Minimal(after) | Self::Quickest(after) => Some(after),
        }
    }

    /// Who is asked though it need not be.
    pub(super) fn probe(self, latencies: &Latencies) -> Set {
        let is_chosen = matches!(self, Self::Quickest(_));
        let probe = is_chosen.then(|| latencies.probe()).flatten();
        probe.map_or(Set::EMPTY, Set::one)
    }

    /// Which percentile has to be known.
    pub(super) fn percentile(self) -> Option<f64> {
        match self.hedge()? {
            HedgeAfter::Delay(_) => None,
            // Clamped as documented; what is no number is the least.
            HedgeAfter::Percentile(share) if share >= 0.5 => Some(share.min(0.999)),
            HedgeAfter::Percentile(_) => Some(0.5),
        }
    }

    /// Whether it has to be known how long members take.
    pub(super) fn measures(self) -> bool {
        matches!(self, Self::Quickest(_)) || self.percentile().is_some()
    }

    /// After how long one more is asked.
    pub(super) fn hedge_after(self, latencies: &Latencies) -> Option<Duration> {
        Some(match self.hedge()? {
            HedgeAfter::Delay(delay) => delay,
            HedgeAfter::Percentile(_) => {
                let found = latencies.percentile().unwrap_or(UNSEEN);
                found.max(Duration::from_millis(1))
            }
        })
    }
}

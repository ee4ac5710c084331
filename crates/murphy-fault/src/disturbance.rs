//! [`Disturbance`]: what a plan does to the network and to nodes, and when.

mod deed;

use std::sync::Arc;
use std::time::Duration;

pub use deed::Deed;
pub(crate) use deed::Undo;

use crate::node::Bend;

/// One thing that a plan does to the network, to a node or to its clock: what, from when, for how
/// long, and whether on and off.
///
/// # Examples
///
/// ```
/// use murphy_fault::{Disturbance, Plan};
/// use std::time::Duration;
///
/// let s = Duration::from_secs;
/// let plan = Plan::new()
///     .disturb(Disturbance::partition([["a"].as_slice(), &["b", "c"]]).at(s(2)).lasting(s(5)))
///     .disturb(Disturbance::isolate("b").at(s(10)).lasting(s(9)).flapping(s(1), s(2)))
///     .disturb(Disturbance::pause("c").at(s(20)).lasting(s(15)));
/// assert!(plan.describe().contains("from 2s for 5s: partition a | b, c"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    pub(crate) deed: Deed,
    pub(crate) at: Duration,
    /// To the end of the run, if nothing is said.
    pub(crate) lasting: Option<Duration>,
    pub(crate) flapping: Option<(Duration, Duration)>,
}

impl Disturbance {
    /// A deed that is done as the run begins, and lasts to its end.
    #[must_use]
    pub fn new(deed: Deed) -> Self {
        Self {
            deed,
            at: Duration::ZERO,
            lasting: None,
            flapping: None,
        }
    }

    /// Begins so long after arming.
    #[must_use]
    pub fn at(mut self, at: Duration) -> Self {
        self.at = at;
        self
    }

    /// Lasts so long. Without this: to the end of the run.
    #[must_use]
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.lasting = Some(lasting);
        self
    }

    /// On for a while, off for a while, and on again, as long as it lasts. Each at least 1 ms.
    #[must_use]
    #[doc(alias = "flap")]
    #[doc(alias = "pulse")]
    pub fn flapping(mut self, on: Duration, off: Duration) -> Self {
        self.flapping = Some((on, off));
        self
    }

    /// Cuts all links between groups ([`Network::partition_groups`](crate::Network::partition_groups)).
    #[must_use]
    pub fn partition<G, N>(groups: impl IntoIterator<Item = G>) -> Self
    where
        G: IntoIterator<Item = N>,
        N: AsRef<str>,
    {
        Self::new(Deed::Partition {
            groups: groups.into_iter().map(names).collect(),
        })
    }

    /// Cuts links one way ([`Network::partition_oneway`](crate::Network::partition_oneway)).
    #[must_use]
    pub fn partition_oneway<N: AsRef<str>, M: AsRef<str>>(
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = M>,
    ) -> Self {
        Self::new(Deed::PartitionOneway {
            from: names(from),
            to: names(to),
        })
    }

    /// Cuts one node off ([`Network::isolate`](crate::Network::isolate)).
    #[must_use]
    pub fn isolate(node: impl Into<Arc<str>>) -> Self {
        Self::new(Deed::Isolate { node: node.into() })
    }

    /// Holds messages ([`Network::hold`](crate::Network::hold)).
    #[must_use]
    pub fn hold<N: AsRef<str>, M: AsRef<str>>(
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = M>,
    ) -> Self {
        Self::new(Deed::Hold {
            from: names(from),
            to: names(to),
        })
    }

    /// Cuts half of these nodes off, drawn from the seed, one after the other at random times, and
    /// heals them in another order (FoundationDB's *swizzle-clog*). Cut off in the first half of
    /// the time that it [lasts](Self::lasting), healed in the second.
    #[must_use]
    #[doc(alias = "swizzle-clog")]
    pub fn swizzle<N: AsRef<str>>(nodes: impl IntoIterator<Item = N>, lasting: Duration) -> Self {
        let nodes = names(nodes);
        Self::new(Deed::Swizzle { nodes }).lasting(lasting)
    }

    /// Pauses a node ([`Node::pause`](crate::Node::pause)).
    #[must_use]
    pub fn pause(node: impl Into<Arc<str>>) -> Self {
        Self::new(Deed::Pause { node: node.into() })
    }

    /// Crashes a node, which restarts when the time is over ([`Node::crash`](crate::Node::crash)).
    #[must_use]
    pub fn crash(node: impl Into<Arc<str>>) -> Self {
        Self::new(Deed::Crash { node: node.into() })
    }

    /// Bends the clock of a node ([`Node::bend`](crate::Node::bend)).
    #[must_use]
    pub fn clock(node: impl Into<Arc<str>>, bend: Bend) -> Self {
        let node = node.into();
        Self::new(Deed::Clock { node, bend })
    }

    /// What is done.
    #[must_use]
    pub fn deed(&self) -> &Deed {
        &self.deed
    }

    /// When it is over, after arming.
    pub(crate) fn end(&self) -> Option<Duration> {
        Some(self.at.saturating_add(self.lasting?))
    }
}

fn names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Vec<Arc<str>> {
    names.into_iter().map(|n| n.as_ref().into()).collect()
}

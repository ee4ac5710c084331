//! [`Deed`]: what can be done to the world, as data, and doing it.

use std::fmt;
use std::sync::Arc;

use crate::chaos::Chaos;
use crate::network::{Cut, Held, NetworkError};
use crate::node::{Bend, Bent, Down, Node, Paused};

/// What is done to the network, to a node or to its clock.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Deed {
    /// All links between groups are cut.
    Partition {
        /// Each node in one of them.
        groups: Vec<Vec<Arc<str>>>,
    },
    /// Links are cut one way.
    PartitionOneway {
        /// Whose messages are lost.
        from: Vec<Arc<str>>,
        /// On their way to whom.
        to: Vec<Arc<str>>,
    },
    /// One node is cut off.
    Isolate {
        /// Which.
        node: Arc<str>,
    },
    /// All links between two sides are cut, but for one node that sees both.
    Bridge {
        /// Which.
        node: Arc<str>,
        /// The one side.
        one: Vec<Arc<str>>,
        /// The other.
        other: Vec<Arc<str>>,
    },
    /// Each node sees a majority, and no two see the same one.
    MajoritiesRing,
    /// Links hold their messages.
    Hold {
        /// Whose messages are held.
        from: Vec<Arc<str>>,
        /// On their way to whom.
        to: Vec<Arc<str>>,
    },
    /// Half of the nodes are cut off at random times, and healed in another order.
    Swizzle {
        /// Of which nodes.
        nodes: Vec<Arc<str>>,
    },
    /// A node stands still.
    Pause {
        /// Which.
        node: Arc<str>,
    },
    /// A node crashes, and restarts when the time is over.
    Crash {
        /// Which.
        node: Arc<str>,
    },
    /// The clock of a node is bent.
    Clock {
        /// Whose.
        node: Arc<str>,
        /// How.
        bend: Bend,
    },
}

/// What undoes a deed when it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "guards are held for their drop")]
pub(crate) enum Undo {
    Cut(Cut),
    Held(Held),
    Paused(Paused),
    Down(Down),
    Bent(Bent),
}

impl Deed {
    /// The word for it in plans.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Partition { .. } => "partition",
            Self::PartitionOneway { .. } => "partition-oneway",
            Self::Isolate { .. } => "isolate",
            Self::Bridge { .. } => "bridge",
            Self::MajoritiesRing => "majorities-ring",
            Self::Hold { .. } => "hold",
            Self::Swizzle { .. } => "swizzle",
            Self::Pause { .. } => "pause",
            Self::Crash { .. } => "crash",
            Self::Clock { .. } => "clock",
        }
    }

    /// Whether it could be done: all that it names is there, and each in its place.
    pub(crate) fn check(&self, chaos: &Chaos) -> Result<(), NetworkError> {
        let network = chaos.network();
        match self {
            Self::Partition { groups } => network.check_groups(groups, None),
            Self::PartitionOneway { from, to } | Self::Hold { from, to } => {
                network.check_between(from, to)
            }
            Self::Isolate { node } => network.check_nodes([node]),
            Self::Bridge { node, one, other } => {
                network.check_groups(&[one.clone(), other.clone()], Some(node))
            }
            Self::MajoritiesRing => network.check_ring(),
            Self::Swizzle { nodes } => network.check_nodes(nodes),
            Self::Pause { node } | Self::Crash { node } | Self::Clock { node, .. } => {
                chaos.inner.nodes.find(node).map(|_| ())
            }
        }
    }

    /// Does it, in this run only.
    pub(crate) fn commit(&self, chaos: &Chaos, run: u64) -> Result<Undo, NetworkError> {
        let network = chaos.network().during(run);
        let node = |name: &str| -> Result<Node, NetworkError> {
            chaos.inner.nodes.find(name)?;
            Ok(chaos.node(name).during(run))
        };
        Ok(match self {
            Self::Partition { groups } => Undo::Cut(network.partition_groups(groups)?),
            Self::PartitionOneway { from, to } => Undo::Cut(network.partition_oneway(from, to)?),
            Self::Isolate { node } => Undo::Cut(network.isolate(node)?),
            Self::Bridge { node, one, other } => Undo::Cut(network.bridge(node, one, other)?),
            Self::MajoritiesRing => Undo::Cut(network.majorities_ring()?),
            Self::Hold { from, to } => Undo::Held(network.hold(from, to)?),
            // It is made of others before anything is done.
            Self::Swizzle { nodes } => Undo::Cut(network.partition_oneway(nodes, nodes)?),
            Self::Pause { node: name } => Undo::Paused(node(name)?.pause()?),
            Self::Crash { node: name } => Undo::Down(node(name)?.crash()?),
            Self::Clock { node: name, bend } => Undo::Bent(node(name)?.bend(*bend)?),
        })
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |nodes: &[Arc<str>]| nodes.join(", ");
        match self {
            Self::Partition { groups } => {
                let groups: Vec<String> = groups.iter().map(|g| list(g)).collect();
                write!(f, "partition {}", groups.join(" | "))
            }
            Self::PartitionOneway { from, to } => {
                write!(f, "partition {} -> {}", list(from), list(to))
            }
            Self::Isolate { node } => write!(f, "isolate {node}"),
            Self::Bridge { node, one, other } => {
                write!(f, "partition {} | ({node}) | {}", list(one), list(other))
            }
            Self::MajoritiesRing => f.write_str("a ring of majorities"),
            Self::Hold { from, to } => write!(f, "hold {} -> {}", list(from), list(to)),
            Self::Swizzle { nodes } => write!(f, "isolate half of {}", list(nodes)),
            Self::Pause { node } => write!(f, "pause {node}"),
            Self::Crash { node } => write!(f, "crash {node}"),
            Self::Clock { node, bend } => write!(f, "the clock of {node}: {bend}"),
        }
    }
}

//! [`NetworkError`]: what cannot be done to a network, by name.

use crate::event::NotArmed;

/// Why a network was not disturbed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// No node has this name.
    #[error("network: no node is called `{node}`: {remedy}")]
    UnknownNode {
        /// The name.
        node: String,
        /// The nearest known one, and how to declare another.
        remedy: String,
    },
    /// A name that no node can have.
    #[error(
        "network: `{node}` cannot be a node's name: a name is not empty, has at most 256 bytes, and no `->` in it"
    )]
    BadName {
        /// The name, cut after 64 characters.
        node: String,
    },
    /// A node is on two sides at once.
    #[error(
        "network: node `{node}` is in two groups: name it once (a node that sees both sides is a `bridge`)"
    )]
    InTwoGroups {
        /// The node.
        node: String,
    },
    /// A node is on no side.
    #[error(
        "network: node `{node}` is in no group: say on which side it is, or use `partition_oneway` or `isolate`"
    )]
    InNoGroup {
        /// The node.
        node: String,
    },
    /// A side without nodes.
    #[error("network: group {index} has no node: a side needs at least one")]
    EmptyGroup {
        /// Its index among the groups, from 0.
        index: usize,
    },
    /// Nothing to be parted from anything.
    #[error("network: {have} groups: a partition has at least two sides")]
    TooFewGroups {
        /// Groups that were named.
        have: usize,
    },
    /// Too few nodes for this.
    #[error("network: {have} nodes: this takes at least {need}")]
    TooFew {
        /// Nodes that there are.
        have: usize,
        /// Nodes that it takes.
        need: usize,
    },
    /// Too much at once.
    #[error("network: more than {most} {what}: {remedy}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// A table of regions does not have this one.
    #[error(transparent)]
    UnknownRegion(#[from] super::UnknownRegion),
    /// No run is on.
    #[error(transparent)]
    NotArmed(#[from] NotArmed),
}

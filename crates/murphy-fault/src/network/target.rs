//! [`Target`]: nodes by their names, and the links between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shape::{ANY, NodeId, Shape};
use super::{Network, NetworkError};
use crate::plan::nearest;

/// Nodes, by number and once each.
pub(super) type Side = BTreeSet<NodeId>;

impl Network {
    pub(super) fn id(&self, name: &str) -> Result<NodeId, NetworkError> {
        let state = self.wires().lock();
        state.ids.get(name).copied().ok_or_else(|| {
            let guess = nearest(name, state.ids.keys().map(|k| &**k));
            let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
            NetworkError::UnknownNode {
                node: name.chars().take(64).collect(),
                remedy: format!("{guess}nodes are declared with `Network::nodes`"),
            }
        })
    }

    pub(super) fn side<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        index: usize,
    ) -> Result<Side, NetworkError> {
        let mut side = Side::new();
        for name in names {
            let name = name.as_ref();
            if !side.insert(self.id(name)?) {
                let node = name.to_owned();
                return Err(NetworkError::InTwoGroups { node });
            }
        }
        if side.is_empty() {
            return Err(NetworkError::EmptyGroup { index });
        }
        Ok(side)
    }

    fn name(&self, id: NodeId) -> String {
        let state = self.wires().lock();
        state
            .names
            .get(id as usize)
            .map_or(String::new(), ToString::to_string)
    }

    fn list(&self, side: &Side) -> String {
        let names: Vec<String> = side.iter().take(20).map(|id| self.name(*id)).collect();
        let more = side.len().saturating_sub(20);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("{}{more}", names.join(", "))
    }

    /// Whether a node of each name is there.
    pub(crate) fn check_nodes<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), NetworkError> {
        self.side(names, 0).map(|_| ())
    }

    /// Whether these groups could be parted.
    pub(crate) fn check_groups(
        &self,
        groups: &[Vec<Arc<str>>],
        bridge: Option<&str>,
    ) -> Result<(), NetworkError> {
        let bridge = bridge.map(|node| self.id(node)).transpose()?;
        let sides = groups.iter().enumerate().map(|(i, g)| self.side(g, i));
        let sides: Vec<Side> = sides.collect::<Result<_, _>>()?;
        Target::groups(self, &sides, bridge).map(|_| ())
    }

    /// Whether the links from these to those could be disturbed.
    pub(crate) fn check_between(
        &self,
        from: &[Arc<str>],
        to: &[Arc<str>],
    ) -> Result<(), NetworkError> {
        Target::between(self, self.side(from, 0)?, self.side(to, 1)?).map(|_| ())
    }

    /// Whether there are nodes enough for a ring.
    pub(crate) fn check_ring(&self) -> Result<(), NetworkError> {
        Target::ring(self).map(|_| ())
    }
}

/// Which links, and how they are named.
pub(super) struct Target {
    pub(super) shape: Shape,
    pub(super) whom: String,
}

impl Target {
    /// Every node on one side, or the bridge between them.
    pub(super) fn groups(
        network: &Network,
        sides: &[Side],
        bridge: Option<NodeId>,
    ) -> Result<Self, NetworkError> {
        if sides.len() < 2 {
            return Err(NetworkError::TooFewGroups { have: sides.len() });
        }
        const NOWHERE: u32 = ANY - 1;
        let nodes = network.wires().lock().names.len();
        let mut groups = vec![NOWHERE; nodes];
        if let Some(bridge) = bridge {
            groups[bridge as usize] = ANY;
        }
        for (index, side) in sides.iter().enumerate() {
            for node in side {
                let group = &mut groups[*node as usize];
                if *group != NOWHERE {
                    let node = network.name(*node);
                    return Err(NetworkError::InTwoGroups { node });
                }
                *group = index as u32;
            }
        }
        // All nodes had a group when the plan was armed: who came since sees everybody.
        let late = network.only.is_some();
        if late {
            let left = groups.iter_mut().filter(|g| **g == NOWHERE);
            left.for_each(|group| *group = ANY);
        } else if let Some(left) = groups.iter().position(|g| *g == NOWHERE) {
            let node = network.name(left as NodeId);
            return Err(NetworkError::InNoGroup { node });
        }
        let mut names: Vec<String> = sides.iter().map(|s| network.list(s)).collect();
        if let Some(bridge) = bridge {
            names.insert(1, format!("({})", network.name(bridge)));
        }
        Ok(Self {
            shape: Shape::Groups(groups.into()),
            whom: names.join(" | "),
        })
    }

    pub(super) fn between(network: &Network, from: Side, to: Side) -> Result<Self, NetworkError> {
        if let Some(both) = from.intersection(&to).next() {
            let node = network.name(*both);
            return Err(NetworkError::InTwoGroups { node });
        }
        let whom = format!("{} -> {}", network.list(&from), network.list(&to));
        Ok(Self {
            shape: Shape::Between { from, to },
            whom,
        })
    }

    /// Each node sees a majority, and no two the same.
    pub(super) fn ring(network: &Network) -> Result<Self, NetworkError> {
        let nodes = network.wires().lock().names.len();
        let shape = Shape::ring(nodes as u32).ok_or(NetworkError::TooFew {
            have: nodes,
            need: 3,
        })?;
        let whom = format!("a ring of {nodes}");
        Ok(Self { shape, whom })
    }
}

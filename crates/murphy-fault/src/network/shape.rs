//! [`Shape`]: which links a disturbance strikes.

use std::collections::BTreeSet;

/// The number of a node, in the order in which nodes were declared.
pub(crate) type NodeId = u32;

/// Links between nodes, described by their ends: a million links cost as much as their nodes.
///
/// No shape strikes the way from a node to itself, and none knows nodes that are declared later:
/// those see everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A group for each node: what crosses from one group into another is struck. [`ANY`] is at
    /// home in all of them.
    Groups(Box<[u32]>),
    /// From one of these to one of those.
    Between {
        from: BTreeSet<NodeId>,
        to: BTreeSet<NodeId>,
    },
    /// One node and everybody else, both ways.
    Alone(NodeId),
    /// Nodes in a circle, by their place on it: what goes further than `reach` is struck.
    Ring { place: Box<[u32]>, reach: u32 },
}

/// The group of a node that is on every side.
pub(crate) const ANY: u32 = u32::MAX;

impl Shape {
    /// Nodes in a circle, of which each sees a majority, and no two the same one.
    ///
    /// `None` under three nodes: there is no majority to disagree about.
    pub(crate) fn ring(nodes: u32) -> Option<Self> {
        // A majority has `nodes / 2 + 1` members, one of which is the node itself.
        let others = nodes / 2;
        (nodes >= 3).then(|| Self::Ring {
            place: (0..nodes).collect(),
            reach: others.div_ceil(2),
        })
    }

    /// Whether a message on its way from one node to another is struck.
    pub(crate) fn strikes(&self, from: NodeId, to: NodeId) -> bool {
        if from == to {
            return false;
        }
        match self {
            Self::Groups(groups) => {
                let group = |node: NodeId| groups.get(node as usize).copied().unwrap_or(ANY);
                let (a, b) = (group(from), group(to));
                a != b && a != ANY && b != ANY
            }
            Self::Between {
                from: senders,
                to: receivers,
            } => senders.contains(&from) && receivers.contains(&to),
            Self::Alone(node) => from == *node || to == *node,
            Self::Ring { place, reach } => {
                let (Some(a), Some(b)) = (place.get(from as usize), place.get(to as usize)) else {
                    return false;
                };
                let apart = a.abs_diff(*b);
                apart.min(place.len() as u32 - apart) > *reach
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who sees whom, a line a sender.
    fn picture(shape: &Shape, nodes: u32) -> Vec<String> {
        (0..nodes)
            .map(|from| {
                (0..nodes)
                    .map(|to| if shape.strikes(from, to) { '.' } else { 'x' })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn groups_see_themselves() {
        let shape = Shape::Groups([0, 1, 1].into());
        assert_eq!(picture(&shape, 3), ["x..", ".xx", ".xx"]);
    }

    #[test]
    fn a_bridge_is_on_both_sides() {
        let shape = Shape::Groups([0, 0, ANY, 1, 1].into());
        let want = ["xxx..", "xxx..", "xxxxx", "..xxx", "..xxx"];
        assert_eq!(picture(&shape, 5), want);
    }

    #[test]
    fn one_way_is_one_way() {
        let shape = Shape::Between {
            from: [0].into(),
            to: [1, 2].into(),
        };
        assert_eq!(picture(&shape, 3), ["x..", "xxx", "xxx"]);
    }

    #[test]
    fn one_alone_sees_nobody_and_nobody_sees_it() {
        assert_eq!(picture(&Shape::Alone(1), 3), ["x.x", ".x.", "x.x"]);
    }

    #[test]
    fn whoever_comes_later_sees_everybody() {
        let shape = Shape::Groups([0, 1].into());
        assert!(!shape.strikes(0, 7) && !shape.strikes(7, 1));
    }

    #[test]
    fn each_on_a_ring_sees_a_majority_and_no_two_the_same() {
        for nodes in 3..40 {
            let shape = Shape::ring(nodes).unwrap();
            let seen = picture(&shape, nodes);
            for (from, line) in seen.iter().enumerate() {
                let sees = line.matches('x').count() as u32;
                assert!(sees > nodes / 2, "{nodes} nodes: {from} sees {sees}");
            }
            // With four, a majority of three and its mirror image leave only one out: still four
            // different views.
            let different: BTreeSet<_> = seen.iter().collect();
            assert_eq!(different.len() as u32, if nodes == 3 { 1 } else { nodes });
        }
    }

    #[test]
    fn two_have_no_majority_to_disagree_about() {
        assert_eq!(Shape::ring(2), None);
    }
}

//! Whether the quorums of two systems meet.

use super::{System, Threshold};
use crate::{BadQuorum, Set};

/// Up to how many members all sets are looked through.
const LOOKED_THROUGH: usize = 20;

/// What became of the question whether each quorum of one system has a member in common with each
/// of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meet {
    /// They have.
    Always,
    /// These have not.
    Not(Set, Set),
    /// Too many members to look through.
    Unknown,
}

impl Meet {
    /// Everything but [`Always`](Self::Always) is an error.
    pub(crate) fn into_result(self, members: Set) -> Result<(), BadQuorum> {
        match self {
            Self::Always => Ok(()),
            Self::Not(one, other) => Err(BadQuorum::Disjoint { one, other }),
            Self::Unknown => {
                let members = members.len();
                Err(BadQuorum::NotLookedThrough { members })
            }
        }
    }
}

/// Whether each quorum of `one` has a member in common with each of `other`.
///
/// Of thresholds it is computed; else every way to give each member to one side or the other is tried, up to 20
/// members.
#[must_use]
pub fn meet(one: &dyn System, other: &dyn System) -> Meet {
    if let (Some(one), Some(other)) = (one.as_threshold(), other.as_threshold()) {
        return thresholds(one, other);
    }
    let all = one.members().or(other.members());
    if all.len() > LOOKED_THROUGH {
        return Meet::Unknown;
    }
    // All subsets, from nobody on: those of a mask come in order.
    let mut some = Set::EMPTY;
    loop {
        let rest = all.minus(some);
        if one.is_quorum(some) && other.is_quorum(rest) {
            return Meet::Not(some, rest);
        }
        if some == all {
            return Meet::Always;
        }
        some = Set::from_bits(some.bits().wrapping_sub(all.bits()) & all.bits());
    }
}

/// Each takes first whom the other cannot have.
fn thresholds(one: Threshold, other: Threshold) -> Meet {
    let (needs, other_needs) = (one.needed(), other.needed());
    let (one, other) = (one.members(), other.members());
    let shared = one.and(other);
    let (own, others) = (one.minus(shared), other.minus(shared));
    let of_shared = needs.saturating_sub(own.len());
    let others_of_shared = other_needs.saturating_sub(others.len());
    if of_shared + others_of_shared > shared.len() {
        return Meet::Always;
    }
    let first: Set = shared.iter().take(of_shared).collect();
    Meet::Not(
        own.iter().take(needs).collect::<Set>().or(first),
        others.iter().take(other_needs).collect::<Set>().or(shared
            .minus(first)
            .iter()
            .take(others_of_shared)
            .collect()),
    )
}

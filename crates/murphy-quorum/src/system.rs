//! Quorum systems: which of the members are enough.

mod intersect;
mod joint;
mod pair;
mod threshold;
mod weighted;

use std::fmt;

pub use self::intersect::{Meet, meet};
pub use self::joint::Joint;
pub use self::pair::{Eventual, Flexible, ReadWrite};
pub use self::threshold::Threshold;
pub use self::weighted::Weighted;
use crate::Set;

/// Which sets of members are quorums. More members are never less of a quorum.
pub trait System: fmt::Debug {
    /// Who may vote.
    fn members(&self) -> Set;

    /// Whether these are enough. Those who are no members count for nothing.
    fn is_quorum(&self, of: Set) -> bool;

    /// What is needed, in words for a person.
    fn need(&self) -> Need;

    /// That so many of them are enough, if that is all there is to it.
    fn as_threshold(&self) -> Option<Threshold> {
        None
    }

    /// Whether every quorum of this has a member in common with every quorum of the other.
    ///
    /// # Errors
    ///
    /// Two that have none, or that there are too many members to look it through.
    fn intersects(&self, other: &dyn System) -> Result<(), crate::BadQuorum>
    where
        Self: Sized,
    {
        meet(self, other).into_result(self.members().or(other.members()))
    }
}

/// What a quorum takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// So many members.
    Members {
        /// How many.
        needed: usize,
        /// Of how many.
        of: usize,
    },
    /// So much weight.
    Weight {
        /// How much.
        needed: u64,
        /// Of how much.
        of: u64,
    },
    /// A quorum of each of two configurations.
    Both {
        /// Of how many members in all.
        of: usize,
    },
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members { needed, of } => write!(f, "{needed} of {of}"),
            Self::Weight { needed, of } => write!(f, "{needed} of {of} in weight"),
            Self::Both { of } => write!(f, "a quorum of each configuration, {of} members in all,"),
        }
    }
}

/// So many members, checked.
fn counted(members: usize) -> Result<usize, crate::BadQuorum> {
    match members {
        0 => Err(crate::BadQuorum::NoMembers),
        1..=Set::MOST => Ok(members),
        _ => Err(crate::BadQuorum::TooMany { members }),
    }
}

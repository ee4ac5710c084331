//! [`BadQuorum`]: quorums that do not do what they are for.

use crate::Set;

/// Sizes, weights or members that make no quorum, with what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadQuorum {
    /// There is nobody to ask.
    #[error("a quorum of no members decides nothing: name one at least")]
    NoMembers,
    /// More members than fit.
    #[error("{members} members: 64 is the most")]
    TooMany {
        /// How many were named.
        members: usize,
    },
    /// One member is there twice, and would vote twice.
    #[error("member {member} is listed twice, at {first} and at {second}: it has one vote")]
    Twice {
        /// Which.
        member: String,
        /// Where it is listed first, from 0.
        first: usize,
        /// Where it is listed again.
        second: usize,
    },
    /// The rule has other positions than there are members.
    #[error("{named} members, and a rule for {placed}: each needs its position, from 0 on")]
    Misplaced {
        /// How many were named.
        named: usize,
        /// How many positions the rule has.
        placed: usize,
    },
    /// A quorum that nobody can be, or that everybody is.
    #[error("a quorum of {needed} of {total}: use 1 to {total}")]
    OutOfRange {
        /// What was asked for: members, or weight.
        needed: u64,
        /// What there is.
        total: u64,
    },
    /// The weights are more than can be counted.
    #[error("the weights add up to more than 2⁶³")]
    TooHeavy,
    /// Reads do not see what was written: R + W ≤ N.
    #[error("R + W > N is needed: {read} + {write} is not above {members}, by {by}; read {} or write {}", read + by, write + by)]
    ReadsMissWrites {
        /// R.
        read: usize,
        /// W.
        write: usize,
        /// N.
        members: usize,
        /// How many more one of the two would have to be.
        by: usize,
    },
    /// Two writes do not see each other: 2 W ≤ N.
    #[error("2 W > N is needed: 2 × {write} is not above {members}; write {least}")]
    WritesMissWrites {
        /// W.
        write: usize,
        /// N.
        members: usize,
        /// The least W that does.
        least: usize,
    },
    /// Two quorums have nobody in common.
    #[error("{one:?} and {other:?} are quorums that have no member in common")]
    Disjoint {
        /// A quorum of the first.
        one: Set,
        /// One of the second, apart from it.
        other: Set,
    },
    /// It was not looked through whether quorums meet: too many members for that.
    #[error(
        "{members} members: whether quorums meet is looked through up to 20, unless all members weigh the same"
    )]
    NotLookedThrough {
        /// How many.
        members: usize,
    },
    /// Too few members for so many liars.
    #[error("{faults} liars take {least} members at least, {by} more than {members}")]
    TooManyLiars {
        /// f.
        faults: usize,
        /// N.
        members: usize,
        /// The least N.
        least: usize,
        /// How many are missing.
        by: usize,
    },
}

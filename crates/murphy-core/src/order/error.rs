//! Why a stamp is not read, and why one that was read is not believed.

use std::time::Duration;

/// A text that is no stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {kind}: {remedy}")]
pub struct BadStamp {
    /// What was expected: `Lamport stamp`, `hybrid stamp`, `version vector`.
    pub kind: &'static str,
    /// What was given, cut after 64 characters.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

/// A stamp that a clock does not take over. The clock has not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its time of day is further ahead of ours than any honest clock should be.
    #[error(
        "the stamp is {ahead:?} ahead of the local clock, at most {most:?} are allowed: \
         synchronise the clocks, or allow for more by `max_offset`"
    )]
    TooFarAhead {
        /// How far ahead of the local time of day.
        ahead: Duration,
        /// What is allowed.
        most: Duration,
    },
    /// It would make a vector longer than it may be.
    #[error(
        "{nodes} nodes in one version vector, at most {most} are allowed: forget those that left"
    )]
    TooManyNodes {
        /// How many there would be.
        nodes: usize,
        /// What is allowed.
        most: usize,
    },
    /// Its count is beyond what any number of events can have made it.
    #[error(
        "a count of {count} cannot be right, at most {most} are allowed: restart its sender's clock"
    )]
    TooHigh {
        /// The count.
        count: u64,
        /// What is allowed.
        most: u64,
    },
}

impl Refused {
    /// What it is, without the stamp's content: for logs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooFarAhead { .. } => "too far ahead",
            Self::TooManyNodes { .. } => "too many nodes",
            Self::TooHigh { .. } => "too high a count",
        }
    }
}

/// Counts from a peer are believed up to here: what is left lasts a node for ever.
pub(super) const MOST: u64 = u64::MAX / 2;

pub(super) const fn believable(count: u64) -> Result<u64, Refused> {
    match count <= MOST {
        true => Ok(count),
        false => Err(Refused::TooHigh { count, most: MOST }),
    }
}

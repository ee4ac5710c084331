//! [`AcquireError`]: why there is no lease.

use std::fmt;
use std::time::Duration;

use murphy_core::BadKnob;

use crate::{BadName, LeaseReply, Rank};

/// There is no lease.
///
/// Where it is not known what became of a request, what it may have been granted is released in the background.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError<E> {
    /// That names no lock.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Of a lease so short nothing is left for its holder.
    #[error(transparent)]
    Knob(#[from] BadKnob),
    /// Another holds it. From `try_acquire` only.
    #[error("held by another (grant {rank}) for {remaining:?} if it is not renewed")]
    Held {
        /// Its rank.
        rank: Rank,
        /// For how long it runs if it is not renewed.
        remaining: Duration,
    },
    /// The time was up, or would have been before another request could leave. From `try_acquire`: no answer within a third of
    /// the ttl.
    #[error("not acquired in {waited:?}, {attempts} attempts, the last: {last}")]
    Deadline {
        /// How long it waited.
        waited: Duration,
        /// How often the store was asked.
        attempts: u32,
        /// What came of the last time.
        last: Last<E>,
    },
    /// The store failed. From `try_acquire` only.
    #[error("the store of leases failed: {0}")]
    Store(E),
    /// The store has granted so high a rank that it can grant none above it, or above the one that was asked for: start
    /// a new era, or a new lock.
    #[error("no rank above {high} is left: raise the store's era, or use another lock")]
    Exhausted {
        /// The highest that it has granted.
        high: Rank,
    },
    /// The store answered what cannot be. What it may have granted is released in the background.
    #[error("the store of leases makes no sense: {0}")]
    Nonsense(#[from] BadReply),
}

/// What came of a request to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Last<E> {
    /// Another holds it.
    Held {
        /// Its rank.
        rank: Rank,
        /// For how long it runs if it is not renewed.
        remaining: Duration,
    },
    /// The store has granted a higher rank than was asked for.
    Passed {
        /// The highest that it has granted.
        high: Rank,
    },
    /// It was granted, and so late that nothing was left of it.
    Late,
    /// The store failed.
    Store(E),
    /// No answer. To a request that the deadline cut short only where nothing was heard before.
    Silence,
}

/// An answer that is none to what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("to `{to}` it answered `{reply}`{what}")]
pub struct BadReply {
    /// What was asked.
    pub to: &'static str,
    /// What it answered.
    pub reply: &'static str,
    /// What is wrong with it, where that is not all.
    pub what: String,
}

impl BadReply {
    pub(crate) fn new(to: &'static str, reply: &LeaseReply, what: impl Into<String>) -> Self {
        let (reply, what) = (reply.name(), what.into());
        Self { to, reply, what }
    }
}

impl<E: fmt::Display> fmt::Display for Last<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { rank, remaining } => {
                write!(f, "held by another (grant {rank}) for {remaining:?}")
            }
            Self::Passed { high } => write!(f, "{high} was granted before"),
            Self::Late => f.write_str("granted too late"),
            Self::Store(e) => write!(f, "the store failed: {e}"),
            Self::Silence => f.write_str("no answer"),
        }
    }
}

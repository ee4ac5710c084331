//! [`Lost`]: a lease that is over.

use std::fmt;

use crate::{LockName, Rank};

/// The lease is over, and nothing brings it back: who needs the lock acquires it anew.
///
/// What the holder sent before it knew may still arrive anywhere; only a resource that checks tokens refuses it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease on `{lock}` (grant {rank}) is lost: {why}")]
pub struct Lost {
    /// Of which lock.
    pub lock: LockName,
    /// Which of its grants.
    pub rank: Rank,
    /// Through what.
    pub why: Why,
}

/// Through what a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Its time was up by the holder's own clock, and no renewal had come back.
    Expired,
    /// The store said that it is not, or no longer, the holder's: to a renewal, or [by itself](crate::Watch).
    Refused,
    /// It was released, or its guard dropped.
    Released,
    /// The task that renews it ended before its time: a runtime that shut down, or a node that crashed.
    Unattended,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "its time was up",
            Self::Refused => "the store says that it is over",
            Self::Released => "it was released",
            Self::Unattended => "the task that renews it has ended",
        })
    }
}

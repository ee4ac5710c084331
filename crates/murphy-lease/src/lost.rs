//! [`Lost`]: a lease that is over.

use std::error::Error;
use std::fmt;

use murphy_core::OwnSide;

use crate::{LockName, Rank};

/// The lease is over, and nothing brings it back: who needs the lock acquires it anew.
///
/// What the holder sent before it knew may still arrive anywhere; only a resource that checks tokens refuses it.
///
/// Whoever has a [`Proof`](crate::fence::Proof) of his own makes them, too: its fields stay these.
///
/// Its [source](Error::source) is [`OwnSide::Ended`], by which policies see that it says nothing of whoever was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Of which lock.
    pub lock: LockName,
    /// Which of its grants.
    pub rank: Rank,
    /// Through what.
    pub why: Why,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lock, rank, why } = self;
        write!(f, "the lease on `{lock}` (grant {rank}) is lost: {why}")
    }
}

impl Error for Lost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&OwnSide::Ended)
    }
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

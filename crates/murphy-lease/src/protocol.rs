//! What a store of leases is asked, and what it answers.
//!
//! A store is a tower service over four requests: layers that make a network misbehave, retry or ask many go in front of
//! it as of any other. Its `Err` always means that nobody knows what became of the request; what it knows, it says by
//! a [`LeaseReply`].

use std::time::Duration;

use crate::{LockName, Nonce, Rank, Ttl};

/// What a store of leases is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum LeaseRequest {
    /// A lease, please.
    Acquire(Acquire),
    /// More time on a lease that is held. Its rank stays.
    Renew(Renew),
    /// It is no longer needed, or, if it was granted at all, was not wanted.
    Release {
        /// Which lock.
        lock: LockName,
        /// Whose lease. Nobody else's is ended, whatever became of this one.
        nonce: Nonce,
    },
    /// How does it stand?
    Observe {
        /// Which lock.
        lock: LockName,
    },
}

/// A lease, please. With a nonce whose lease is still running it is answered by that lease again, as it is: same rank,
/// and the time that is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Acquire {
    /// Which lock.
    pub lock: LockName,
    /// Whose lease it will be.
    pub nonce: Nonce,
    /// For how long, from when it is granted.
    pub ttl: Ttl,
    /// Where in the order of grants.
    pub claim: Claim,
    /// For how long the store may keep the request while another holds the lock; stores that have a queue serve it
    /// first come, first served, and those that have none answer at once. Zero: answer at once.
    ///
    /// In a queue the place is the nonce's. It is kept for a second after the last wait was over: who asks again by then, with
    /// a wait, stands where he stood, with the `ttl` and the `claim` that he asks for now, unless another call of his still
    /// waits there: then that one's hold. While nobody waits in it a place holds nobody up. It is given up by a release, and
    /// by the last call when it is dropped; and where those that wait leave no room for it, it is let go before.
    pub wait: Duration,
}

/// Where in the order of all grants of a lock a new one is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Claim {
    /// Above all that the store has granted, and above this: what a resource was seen to have, where the store may have
    /// forgotten. [`Rank::ZERO`] if nothing is known.
    Above(Rank),
    /// Exactly there, or not at all: a ballot that several stores are to record.
    Exactly(Rank),
}

/// More time on a lease that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Renew {
    /// Which lock.
    pub lock: LockName,
    /// Whose lease.
    pub nonce: Nonce,
    /// Which of its grants: one that was granted anew under the same nonce is another.
    pub rank: Rank,
    /// For how long from now. Never shortens it.
    pub ttl: Ttl,
}

/// What a store of leases answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum LeaseReply {
    /// To an acquire: it is granted, or was already under this nonce.
    Granted(Grant),
    /// To an acquire: another holds it. Nothing was changed.
    Held(Holder),
    /// To an acquire of an exact rank: the store has granted one as high, or higher. Nothing was changed.
    Passed {
        /// The highest that it has granted.
        high: Rank,
    },
    /// To a renewal: it runs for so long from now.
    Renewed {
        /// How long.
        ttl: Duration,
    },
    /// To a renewal: that lease is over, and no renewal brings it back.
    NotHolder {
        /// The highest that the store has granted.
        high: Rank,
    },
    /// To a release: that lease does not run, and will not run again.
    Released {
        /// Whether it ran until now.
        was_held: bool,
    },
    /// To an observe.
    Observed {
        /// The highest that the store has granted, or was told of; [`Rank::ZERO`] if none.
        high: Rank,
        /// The lease that is running.
        holder: Option<Holder>,
    },
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Grant {
    /// Above all earlier ones of the lock.
    pub rank: Rank,
    /// For how long from now: what was asked, rounded up as the store has to, or what is left of it where it was
    /// granted before.
    pub ttl: Duration,
}

/// A lease that another holds. Whose, is not said: who knows the nonce can release it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Holder {
    /// Its rank.
    pub rank: Rank,
    /// For how long it runs if it is not renewed.
    pub remaining: Duration,
}

impl LeaseRequest {
    /// Which lock it is about.
    #[must_use]
    pub const fn lock(&self) -> &LockName {
        match self {
            Self::Acquire(Acquire { lock, .. })
            | Self::Renew(Renew { lock, .. })
            | Self::Release { lock, .. }
            | Self::Observe { lock } => lock,
        }
    }

    /// What it asks for: `acquire`, `renew`, `release` or `observe`.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Acquire(_) => "acquire",
            Self::Renew(_) => "renew",
            Self::Release { .. } => "release",
            Self::Observe { .. } => "observe",
        }
    }
}

impl LeaseReply {
    /// What it says: `granted`, `held`, `passed`, `renewed`, `not-holder`, `released` or `observed`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::Held(_) => "held",
            Self::Passed { .. } => "passed",
            Self::Renewed { .. } => "renewed",
            Self::NotHolder { .. } => "not-holder",
            Self::Released { .. } => "released",
            Self::Observed { .. } => "observed",
        }
    }
}

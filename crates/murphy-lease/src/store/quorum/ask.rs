//! [`Ask`]: what a member is asked, and where what it says is written down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use murphy_core::mix;
use murphy_quorum::{Judge, Outcome};

use crate::{Acquire, Grant, LeaseReply, LeaseRequest, LockName, Nonce, Rank, Renew};

/// One question of a round, with the round's slate.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) what: What,
    pub(super) slate: Slate,
    /// How long each try of a release may take.
    pub(super) per_try: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// To record a ballot: where there is no majority, it is undone.
    Record(Acquire),
    /// To say again what it has recorded, or to record it: nothing is undone, for the lease may be in use.
    Confirm(Acquire),
    Renew(Renew),
    Release {
        lock: LockName,
        nonce: Nonce,
        /// Which of its ballots, if that is known.
        rank: Option<Rank>,
    },
    Observe(LockName),
}

/// What one member said of it.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// Done.
    Yes(LeaseReply),
    /// Not done, and not to be.
    No(LeaseReply),
    /// What is no answer to what was asked: nobody knows what it did.
    Nonsense,
}

/// What a quorum makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging;

/// What was said in a round: once by each member at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Slate(Arc<Round>);

/// A round, as long as any of its questions is under way.
#[derive(Debug, Default)]
pub(super) struct Round {
    said: Mutex<Vec<Said>>,
    /// The lease that it won was given back.
    is_given_up: AtomicBool,
}

/// Under which nonce the members know this ballot.
///
/// One of its own for each ballot: the release of one that failed may come as late as it likes, and never ends the next.
pub(super) fn ballot_nonce(nonce: Nonce, rank: Rank) -> Nonce {
    let (high, low) = ((nonce.bits() >> 64) as u64, nonce.bits() as u64);
    let place = mix(mix(u64::from(rank.era)).wrapping_add(rank.seq));
    let high = mix(mix(high ^ place).wrapping_add(low));
    let low = mix(mix(low ^ place.rotate_left(32)).wrapping_add(high));
    Nonce::from_bits(u128::from(high) << 64 | u128::from(low))
}

impl Ask {
    pub(super) fn new(what: What, slate: Slate, per_try: Duration) -> Self {
        Self {
            what,
            slate,
            per_try,
        }
    }

    /// What takes it back.
    pub(super) fn undo(&self) -> Option<Self> {
        let What::Record(acquire) = &self.what else {
            return None;
        };
        let (lock, nonce) = (acquire.lock.clone(), acquire.nonce);
        let rank = acquire.ballot();
        let undo = What::Release { lock, nonce, rank };
        Some(Self::new(undo, Slate::default(), self.per_try))
    }

    /// What its reply means.
    pub(super) fn heard(&self, reply: LeaseReply) -> Said {
        let said = match (&self.what, reply) {
            (
                What::Record(asked) | What::Confirm(asked),
                LeaseReply::Granted(Grant { rank, ttl }),
            ) if asked.ballot() == Some(rank) && !ttl.is_zero() => {
                Said::Yes(LeaseReply::Granted(Grant { rank, ttl }))
            }
            (
                What::Record(_) | What::Confirm(_),
                no @ (LeaseReply::Held(_) | LeaseReply::Passed { .. }),
            ) => Said::No(no),
            (What::Renew(_), yes @ LeaseReply::Renewed { .. }) => Said::Yes(yes),
            (What::Renew(_), no @ LeaseReply::NotHolder { .. }) => Said::No(no),
            (What::Release { .. }, yes @ LeaseReply::Released { .. })
            | (What::Observe(_), yes @ LeaseReply::Observed { .. }) => Said::Yes(yes),
            _ => Said::Nonsense,
        };
        self.slate.write(said.clone());
        said
    }
}

impl<E> Judge<Said, E> for Judging {
    type Vote = ();

    fn judge(&self, result: Result<&Said, &E>) -> Outcome<()> {
        match result {
            Ok(Said::Yes(_)) => Outcome::Yes(()),
            Ok(Said::No(_)) => Outcome::No,
            Ok(Said::Nonsense) | Err(_) => Outcome::Unknown,
        }
    }
}

impl Slate {
    fn write(&self, said: Said) {
        self.said().push(said);
    }

    pub(super) fn read(&self) -> Vec<Said> {
        self.said().clone()
    }

    fn said(&self) -> MutexGuard<'_, Vec<Said>> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn round(&self) -> Weak<Round> {
        Arc::downgrade(&self.0)
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.0.is_given_up.load(Ordering::Acquire)
    }
}

impl Round {
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
    }
}

impl Acquire {
    /// Which place it asks for.
    pub(super) const fn ballot(&self) -> Option<Rank> {
        match self.claim {
            crate::Claim::Exactly(rank) => Some(rank),
            crate::Claim::Above(_) => None,
        }
    }
}

impl What {
    /// As a member is asked it, where that is a single question.
    pub(super) fn request(&self) -> LeaseRequest {
        let known_as = |nonce, rank: Option<Rank>| rank.map_or(nonce, |at| ballot_nonce(nonce, at));
        match self {
            Self::Record(asked) | Self::Confirm(asked) => LeaseRequest::Acquire(Acquire {
                nonce: known_as(asked.nonce, asked.ballot()),
                ..asked.clone()
            }),
            Self::Renew(asked) => LeaseRequest::Renew(Renew {
                nonce: ballot_nonce(asked.nonce, asked.rank),
                ..asked.clone()
            }),
            Self::Release { lock, nonce, rank } => LeaseRequest::Release {
                lock: lock.clone(),
                nonce: known_as(*nonce, *rank),
            },
            Self::Observe(lock) => LeaseRequest::Observe { lock: lock.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_ballot_is_known_by_a_nonce_of_its_own(
            nonce: u128, era in 0_u32..3, seq: u64, by in 1_u64..1000,
        ) {
            let of = |nonce, rank| ballot_nonce(Nonce::from_bits(nonce), rank);
            let rank = Rank::new(era, seq);
            let one = of(nonce, rank);
            prop_assert_eq!(one, of(nonce, rank));
            prop_assert_ne!(one, of(nonce, Rank::new(era, seq.wrapping_add(by))));
            prop_assert_ne!(one, of(nonce, Rank::new(era + 1, seq)));
            prop_assert_ne!(one, of(nonce.wrapping_add(u128::from(by)), rank));
            prop_assert_ne!(one, Nonce::from_bits(nonce));
        }
    }
}

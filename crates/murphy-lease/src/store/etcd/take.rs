//! Acquiring without a wait: one transaction, where nobody is in the way.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use etcd_client::{PutOptions, Txn, TxnOp};

use super::super::error::StoreError;
use super::Shared;
use super::answer::{REPEATS, moved};
use super::keys::{Keys, rank_of_key, text};
use super::leases::Kept;
use super::state::{Era, State, nobody_there, read, revision, same_ballot, same_era};
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, Rank};

const VERB: &str = "acquire";

/// What an attempt came to.
pub(super) enum Tried {
    Reply(LeaseReply),
    /// Another holds it, in a lock whose ranks are revisions: one can queue.
    Held(Holder),
    /// Something changed meanwhile.
    Again,
}

impl Shared {
    /// Asks until it is granted or refused.
    pub(super) async fn take(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
    ) -> Result<Tried, StoreError> {
        for _ in 0..REPEATS {
            let tried = match asked.claim {
                Claim::Above(floor) => self.by_revision(keys, asked, floor).await?,
                Claim::Exactly(rank) => Box::pin(self.exactly(keys, asked, rank)).await?,
            };
            if !matches!(tried, Tried::Again) {
                return Ok(tried);
            }
        }
        Err(StoreError::failed(VERB, "it changed each time"))
    }

    /// The rank is given from outside.
    async fn exactly(&self, keys: &Keys, asked: &Acquire, rank: Rank) -> Result<Tried, StoreError> {
        let state = self.state(VERB, keys).await?;
        self.by_ballot(keys, asked, state, Some(rank)).await
    }

    /// The rank is the revision at which our key is made.
    async fn by_revision(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        floor: Rank,
    ) -> Result<Tried, StoreError> {
        let era = match self.known_above(floor) {
            Some(era) => Some(era),
            None => Box::pin(self.era_above(keys, floor)).await?,
        };
        let Some(era) = era else {
            return Box::pin(self.refused(keys, asked)).await;
        };
        let lease = self.lease(asked).await?;
        let put = TxnOp::put(
            keys.own(asked.nonce),
            era.number.to_string(),
            Some(PutOptions::new().with_lease(lease.id)),
        );
        let free = [
            nobody_there(keys),
            same_era(keys, era),
            same_ballot(keys, 0),
        ];
        let txn = Txn::new().when(free).and_then([put]).or_else(read(keys));
        let Some(reply) = self.commit(VERB, lease, txn).await? else {
            return Ok(Tried::Again);
        };
        let revision = revision(VERB, &reply)?;
        self.seen(revision);
        if !reply.succeeded() {
            self.leases.give_back(lease.id);
            let state = State::from(VERB, &reply)?;
            return Box::pin(self.in_the_way(keys, asked, state)).await;
        }
        let rank = Rank::new(era.number, u64::try_from(revision).unwrap_or(0));
        if rank <= floor {
            // Another cluster, whose revisions are lower than those that we saw.
            self.revision.store(revision, Relaxed);
            Box::pin(self.release(keys, asked.nonce)).await?;
            return Ok(Tried::Again);
        }
        Ok(self.granted(rank, &lease))
    }

    /// What to do about a state that was not as hoped.
    async fn in_the_way(
        &self,
        keys: &Keys,
        asked: &Acquire,
        state: State,
    ) -> Result<Tried, StoreError> {
        self.know(state.era);
        if let Some(place) = state.place(&keys.own(asked.nonce)) {
            return self.again(asked, &state, place).await;
        }
        if state.ballot.is_some() {
            return self.by_ballot(keys, asked, state, None).await;
        }
        match state.holder() {
            Some(holder) => Ok(Tried::Held(self.holder(holder).await?)),
            None => Ok(Tried::Again),
        }
    }

    /// Our key is there: an attempt whose reply was lost made it, or one that was dropped, whose lease may be revoked at
    /// any moment. It is put on a lease of this attempt; its rank stays.
    async fn again(
        &self,
        asked: &Acquire,
        state: &State,
        place: usize,
    ) -> Result<Tried, StoreError> {
        let key = &state.queue[place];
        let lease = self.lease(asked).await?;
        if place > 0 {
            // It will be revoked: a release of the key meanwhile does not give it back.
            self.leases.forget(lease.id);
        }
        let Some(reply) = self.commit(VERB, lease, moved(key, lease)).await? else {
            return Ok(Tried::Again);
        };
        if !reply.succeeded() {
            self.leases.give_back(lease.id);
            return Ok(Tried::Again);
        }
        self.leases.forget(key.lease());
        match (place, rank_of_key(key), state.holder()) {
            (0, Some(rank), _) => Ok(self.granted(rank, &lease)),
            // Nobody waits in its place.
            (_, _, Some(holder)) => {
                let holder = self.holder(holder).await?;
                self.leave(lease).await?;
                Ok(Tried::Held(holder))
            }
            _ => Ok(Tried::Again),
        }
    }

    /// The rank is given from outside, or one above the highest ballot; the key of the ballot keeps it for ever.
    async fn by_ballot(
        &self,
        keys: &Keys,
        asked: &Acquire,
        state: State,
        exact: Option<Rank>,
    ) -> Result<Tried, StoreError> {
        self.know(state.era);
        if let Some(place) = state.place(&keys.own(asked.nonce)) {
            return self.again(asked, &state, place).await;
        }
        if let Some(holder) = state.holder() {
            let holder = self.holder(holder).await?;
            return Ok(Tried::Reply(LeaseReply::Held(holder)));
        }
        let high = state.high(self.era);
        let floor = match asked.claim {
            Claim::Above(floor) => floor,
            Claim::Exactly(_) => Rank::ZERO,
        };
        let rank = exact.or(high.max(floor).next()).filter(|rank| *rank > high);
        let Some(rank) = rank else {
            return Ok(Tried::Reply(LeaseReply::Passed { high }));
        };
        let Some((_, at)) = state.ballot else {
            return self.begin_ballots(keys, &state).await;
        };
        let lease = self.lease(asked).await?;
        let options = PutOptions::new().with_lease(lease.id);
        let puts = [
            TxnOp::put(keys.own(asked.nonce), text(rank), Some(options)),
            TxnOp::put(keys.ballot.clone(), text(rank), None),
        ];
        let free = [nobody_there(keys), same_ballot(keys, at)];
        let txn = Txn::new().when(free).and_then(puts);
        match self.commit(VERB, lease, txn).await? {
            Some(reply) if reply.succeeded() => Ok(self.granted(rank, &lease)),
            Some(_) => {
                self.leases.give_back(lease.id);
                Ok(Tried::Again)
            }
            None => Ok(Tried::Again),
        }
    }

    /// From now on the lock's ranks are ballots: the first is where this is put, above all revisions granted before.
    async fn begin_ballots(&self, keys: &Keys, state: &State) -> Result<Tried, StoreError> {
        let era = state.era.number.max(self.era);
        let put = TxnOp::put(keys.ballot.clone(), era.to_string(), None);
        let free = [
            nobody_there(keys),
            same_era(keys, state.era),
            same_ballot(keys, 0),
        ];
        self.txn(VERB, Txn::new().when(free).and_then([put]))
            .await?;
        Ok(Tried::Again)
    }

    /// Nothing can be granted above the last rank.
    async fn refused(&self, keys: &Keys, asked: &Acquire) -> Result<Tried, StoreError> {
        let state = self.state(VERB, keys).await?;
        if let Some(place) = state.place(&keys.own(asked.nonce)) {
            return self.again(asked, &state, place).await;
        }
        let high = state.high(self.era);
        Ok(Tried::Reply(LeaseReply::Passed { high }))
    }

    /// The era that is recorded, as far as we know, if the next revision is above `floor` in it.
    fn known_above(&self, floor: Rank) -> Option<Era> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|known| self.wanted(*known, floor) == (known.number, true))
    }

    /// The lowest era that can be, and whether the next revision is above `floor` in it.
    fn wanted(&self, known: Era, floor: Rank) -> (u32, bool) {
        let wanted = known.number.max(self.era).max(floor.era);
        let next = u64::try_from(self.revision.load(Relaxed)).unwrap_or(0) + 1;
        (wanted, Rank::new(wanted, next) > floor)
    }

    /// The era in which the next revision is above `floor`, recorded; `None`: there is none. Where what we know of revisions
    /// is not above it, we look before an era is spent: others have raised them since.
    pub(super) async fn era_above(
        &self,
        keys: &Keys,
        floor: Rank,
    ) -> Result<Option<Era>, StoreError> {
        let mut has_looked = false;
        for _ in 0..REPEATS {
            let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(known) = known else {
                let state = self.state(VERB, keys).await?;
                self.know(state.era);
                continue;
            };
            let (wanted, is_above) = self.wanted(known, floor);
            let wanted = if is_above {
                wanted
            } else if !has_looked {
                self.know(self.state(VERB, keys).await?.era);
                has_looked = true;
                continue;
            } else if let Some(above) = wanted.checked_add(1) {
                above
            } else {
                return Ok(None);
            };
            if wanted == known.number {
                return Ok(Some(known));
            }
            let put = TxnOp::put(keys.era.clone(), wanted.to_string(), None);
            let txn = Txn::new().when([same_era(keys, known)]).and_then([put]);
            let reply = self.txn(VERB, txn.or_else(read(keys))).await?;
            let revision = revision(VERB, &reply)?;
            self.seen(revision);
            self.know(if reply.succeeded() {
                Era {
                    number: wanted,
                    revision,
                }
            } else {
                State::from(VERB, &reply)?.era
            });
        }
        Err(StoreError::failed(VERB, "the era changed each time"))
    }

    pub(super) fn granted(&self, rank: Rank, lease: &Kept) -> Tried {
        let ttl = self.leases.left(lease);
        Tried::Reply(LeaseReply::Granted(Grant { rank, ttl }))
    }
}

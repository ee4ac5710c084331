//! Waiting in a lock's queue: first come, first served.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, WatchStream};
use tokio::time::{Instant, timeout_at};

use super::super::error::StoreError;
use super::Shared;
use super::answer::moved;
use super::keys::{Keys, rank_of_key};
use super::link::Dialled;
use super::own::{deleted, deletions_from};
use super::place::Place;
use super::state::{State, read, read_there, same_ballot, same_era};
use super::take::Tried;
use crate::{Acquire, Claim, Holder, LeaseReply, Rank};

const VERB: &str = "acquire";

/// How it stands with one who waits.
enum Turn {
    /// It is his.
    His(Rank),
    /// These two keys are to be watched from there: the one before him, and his own.
    Waits([Vec<u8>; 2], i64),
    /// His key is gone: its lease ended.
    Gone,
}

impl Shared {
    /// Asks, and queues where another holds it.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
    ) -> Result<LeaseReply, StoreError> {
        let deadline = Instant::now() + asked.wait;
        let own = keys.own(asked.nonce);
        loop {
            if let Some(place) = Place::again(self, &own) {
                let again = self.wait_again(keys, asked, place, deadline);
                if let Some(reply) = Box::pin(again).await? {
                    return Ok(reply);
                }
            }
            let holder = match self.bound(VERB, self.take(keys, asked)).await? {
                Tried::Reply(reply) => return Ok(reply),
                Tried::Held(holder) => holder,
                Tried::Again => continue,
            };
            if Instant::now() >= deadline {
                return Ok(LeaseReply::Held(holder));
            }
            if let Some(reply) = Box::pin(self.queue(keys, asked, deadline)).await? {
                return Ok(reply);
            }
        }
    }

    /// Waits on where he waited before.
    async fn wait_again(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        mut place: Place,
        deadline: Instant,
    ) -> Result<Option<LeaseReply>, StoreError> {
        let fitted = self.fitted(keys, asked, &mut place);
        let state = self.bound(VERB, fitted).await?;
        self.wait(keys, asked, place, state, deadline).await
    }

    /// Queues until it is granted; `None` when the wait is over, or something came between.
    async fn queue(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        deadline: Instant,
    ) -> Result<Option<LeaseReply>, StoreError> {
        let Claim::Above(floor) = asked.claim else {
            return Ok(None);
        };
        let enqueue = async {
            let era = self.era_above(keys, floor).await?;
            let lease = self.lease(asked).await?;
            Ok((era, lease))
        };
        let (Some(era), lease) = self.bound(VERB, enqueue).await? else {
            return Ok(None);
        };
        // From here on whoever leaves takes his key with him.
        let place = Place::new(self, lease);
        let own = keys.own(asked.nonce);
        let options = PutOptions::new().with_lease(lease.id);
        let put = TxnOp::put(own.clone(), era.number.to_string(), Some(options));
        let fits = [
            Compare::create_revision(own.clone(), CompareOp::Equal, 0),
            same_era(keys, era),
            same_ballot(keys, 0),
        ];
        let [queue, era, ballot] = read(keys);
        let txn = Txn::new().when(fits).and_then([put, queue, era, ballot]);
        let reply = self.bound(VERB, self.txn(VERB, txn)).await?;
        if !reply.succeeded() {
            place.leave().await?;
            return Ok(None);
        }
        let state = State::from(VERB, &reply)?;
        self.wait(keys, asked, place, state, deadline).await
    }

    /// How it stands in a place where he waited before. If he asks for another time than then, his key is put on a lease of that;
    /// where another call waits there, too, that one's time holds.
    async fn fitted(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        place: &mut Place,
    ) -> Result<State, StoreError> {
        let own = keys.own(asked.nonce);
        let state = self.look(keys, &own, place).await?;
        let key = state.place(&own).map(|at| &state.queue[at]);
        let (Some(key), false) = (key, place.lease.is_for(asked.ttl.get())) else {
            return Ok(state);
        };
        if !place.is_alone() {
            return Ok(state);
        }
        let lease = self.lease(asked).await?;
        // Until it is exchanged, this one is revoked if he leaves meanwhile; and the one of before after that.
        let mut other = Place::new(self, lease);
        let moved = self.commit(VERB, lease, moved(key, lease)).await?;
        if moved.is_some_and(|moved| moved.succeeded()) {
            place.exchange(&mut other);
        }
        drop(other);
        self.look(keys, &own, place).await
    }

    /// Waits in his place until it is his turn, or he would not wait any longer: then it is kept for him a moment. `None` where
    /// it is gone, or of no use.
    async fn wait(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        mut place: Place,
        mut state: State,
        deadline: Instant,
    ) -> Result<Option<LeaseReply>, StoreError> {
        let own = keys.own(asked.nonce);
        place.enter(&own);
        loop {
            match turn(&state, &own, &place) {
                Turn::His(rank) if is_for(asked.claim, rank) => {
                    if let Some(reply) = self.his(keys, asked, rank, &mut place).await? {
                        return Ok(Some(reply));
                    }
                    break;
                }
                Turn::Waits(watched, from) if Instant::now() < deadline => {
                    self.watch(&mut place, watched, from, deadline).await?;
                }
                Turn::Waits(watched, from) => {
                    place.keep(keys, watched, from);
                    return self.in_front(&state).await.map(Some);
                }
                _ => break,
            }
            state = self.bound(VERB, self.look(keys, &own, &place)).await?;
        }
        place.leave().await?;
        Ok(None)
    }

    /// Who holds it while he waits.
    async fn in_front(&self, state: &State) -> Result<LeaseReply, StoreError> {
        let held = async {
            match state.holder() {
                Some(key) => self.holder(key).await,
                None => Ok(Holder {
                    rank: state.high(self.era),
                    remaining: Duration::ZERO,
                }),
            }
        };
        self.bound(VERB, held).await.map(LeaseReply::Held)
    }

    /// How it stands. One member alone may say what is old; but where it says that it is his turn, it is: nobody comes before him any
    /// more, and that he is still there is known from his lease.
    async fn look(&self, keys: &Keys, own: &str, place: &Place) -> Result<State, StoreError> {
        let there = self.state_by(VERB, read_there(keys)).await?;
        match turn(&there, own, place) {
            Turn::His(_) => Ok(there),
            _ => self.state(VERB, keys).await,
        }
    }

    /// It is his. Where much of his lease is gone it begins anew, and it is his if the key is still there after that.
    async fn his(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        rank: Rank,
        place: &mut Place,
    ) -> Result<Option<LeaseReply>, StoreError> {
        let granted = async {
            if self.leases.is_fresh(&place.lease) {
                return Ok(Some(place.lease));
            }
            let mut client = self.link.client().lease_client();
            let fresh = self.leases.keep_alive(&mut client, place.lease).await;
            let state = self.state(VERB, keys).await?;
            let holds = state.holds(keys, asked.nonce, rank).is_some();
            Ok(fresh.ok().filter(|_| holds))
        };
        let Some(fresh) = self.bound(VERB, granted).await? else {
            return Ok(None);
        };
        place.taken();
        self.leases.keep(fresh);
        match self.granted(rank, &fresh) {
            Tried::Reply(reply) => Ok(Some(reply)),
            _ => Ok(None),
        }
    }

    /// Keeps a place until then, or until it is his turn.
    pub(super) async fn away(
        &self,
        keys: &Keys,
        place: &mut Place,
        mut watched: [Vec<u8>; 2],
        mut from: i64,
        until: Instant,
    ) {
        // His own: the other is before it.
        let own = String::from_utf8_lossy(&watched[1]).into_owned();
        while self.watch(place, watched, from, until).await.is_ok() && Instant::now() < until {
            let state = self.bound(VERB, self.look(keys, &own, place)).await;
            match state.map(|state| turn(&state, &own, place)) {
                Ok(Turn::Waits(before, at)) => (watched, from) = (before, at),
                Ok(_) => return,
                Err(_) => break,
            }
        }
        tokio::time::sleep_until(until).await;
    }

    /// Until one of the two is gone, the watch is lost, or the wait is over. Keeps the place's lease alive meanwhile.
    async fn watch(
        &self,
        place: &mut Place,
        watched: [Vec<u8>; 2],
        from: i64,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let mut client = self.link.client().watch_client();
        let options = || deletions_from(from);
        let mut dialled = self.link.dialled();
        let [before, own] = watched;
        let begun = async {
            let mut stream = client.watch(before, Some(options())).await;
            if let Ok(stream) = &mut stream {
                stream
                    .watch(own, Some(options()))
                    .await
                    .map_err(|e| StoreError::failed(VERB, e))?;
            }
            stream.map_err(|e| StoreError::failed(VERB, e))
        };
        let mut stream = self.bound(VERB, begun).await?;
        // Where he waits again and again it was not renewed each time.
        let mut third = Instant::now() + self.leases.rests(&place.lease);
        loop {
            let gone = gone(&mut stream, &mut dialled);
            match timeout_at(third.min(deadline), gone).await {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() >= deadline => return Ok(()),
                Err(_) => {
                    let mut client = self.link.client().lease_client();
                    let kept = async {
                        let kept = self.leases.keep_alive(&mut client, place.lease).await;
                        kept.map_err(|e| StoreError::failed(VERB, e))
                    };
                    // If it has ended, the key is gone: that is seen. If nobody knows, it is tried again.
                    if let Ok(kept) = self.bound(VERB, kept).await {
                        place.renewed(kept);
                    }
                    third = Instant::now() + place.lease.ttl / 3;
                }
            }
        }
    }
}

/// A rank that the queue gives.
fn is_for(claim: Claim, rank: Rank) -> bool {
    matches!(claim, Claim::Above(floor) if rank > floor)
}

fn turn(state: &State, own: &str, place: &Place) -> Turn {
    // On another lease it is another call's, which was granted it.
    let is_on = |at: &usize| state.queue[*at].lease() == place.lease.id;
    let Some(at) = state.place(own).filter(is_on) else {
        return Turn::Gone;
    };
    let Some(before) = at.checked_sub(1).map(|before| &state.queue[before]) else {
        return rank_of_key(&state.queue[at]).map_or(Turn::Gone, Turn::His);
    };
    let watched = [before.key().to_vec(), own.as_bytes().to_vec()];
    Turn::Waits(watched, state.revision + 1)
}

/// Until a key was deleted, or the watch is lost.
async fn gone(stream: &mut WatchStream, dialled: &mut Dialled) {
    if !deleted(stream, dialled).await {
        // Do not ask at once what may be down.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

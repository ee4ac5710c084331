//! Waiting in a lock's queue: first come, first served.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, WatchStream};
use tokio::time::{Instant, timeout_at};

use super::super::error::StoreError;
use super::Shared;
use super::keys::{Keys, rank_of_key};
use super::leases::Kept;
use super::link::Dialled;
use super::own::{deleted, deletions_from};
use super::state::{State, read, read_there, same_ballot, same_era};
use super::take::Tried;
use crate::{Acquire, Claim, LeaseReply, Rank};

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
        loop {
            let holder = match self.bound(VERB, self.take(keys, asked)).await? {
                Tried::Reply(reply) => return Ok(reply),
                Tried::Held(holder) => holder,
                Tried::Again => continue,
            };
            if Instant::now() >= deadline {
                return Ok(LeaseReply::Held(holder));
            }
            if let Some(reply) = self.queue(keys, asked, deadline).await? {
                return Ok(reply);
            }
        }
    }

    /// Queues until it is granted; `None` when the wait is over, or something came between.
    async fn queue(
        self: &Arc<Self>,
        keys: &Keys,
        asked: &Acquire,
        deadline: Instant,
    ) -> Result<Option<LeaseReply>, StoreError> {
        let floor = match asked.claim {
            Claim::Above(floor) => floor,
            Claim::Exactly(_) => return Ok(None),
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
        let mut place = Place::new(self, lease);
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
        let mut state = State::from(VERB, &reply)?;
        loop {
            match turn(&state, &own) {
                Turn::His(rank) if rank > floor => {
                    if let Some(reply) = self.his(keys, asked, rank, &mut place).await? {
                        return Ok(Some(reply));
                    }
                    break;
                }
                Turn::Waits(watched, from) if Instant::now() < deadline => {
                    self.watch(&mut place, watched, from, deadline).await?;
                }
                _ => break,
            }
            state = self.bound(VERB, self.look(keys, &own)).await?;
        }
        place.leave().await?;
        Ok(None)
    }

    /// How it stands. One member alone may say what is old; but where it says that it is his turn, it is: nobody comes before him any
    /// more, and that he is still there is known from his lease.
    async fn look(&self, keys: &Keys, own: &str) -> Result<State, StoreError> {
        let there = self.state_by(VERB, read_there(keys)).await?;
        match turn(&there, own) {
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
        place.is_taken = true;
        self.leases.keep(fresh);
        match self.granted(rank, &fresh) {
            Tried::Reply(reply) => Ok(Some(reply)),
            _ => Ok(None),
        }
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
        loop {
            let third = Instant::now() + place.lease.ttl / 3;
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
                        place.lease = kept;
                    }
                }
            }
        }
    }
}

fn turn(state: &State, own: &str) -> Turn {
    let Some(at) = state.place(own) else {
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

/// A place in a queue. Whoever drops it leaves: its lease is revoked in the background, and with it his key, and a put
/// that is still on its way.
struct Place {
    shared: Arc<Shared>,
    lease: Kept,
    is_taken: bool,
}

impl Place {
    /// The lease is of no other use from now on: a release of the key does not give it back, for it may be revoked.
    fn new(shared: &Arc<Shared>, lease: Kept) -> Self {
        shared.leases.forget(lease.id);
        let shared = Arc::clone(shared);
        let is_taken = false;
        Self {
            shared,
            lease,
            is_taken,
        }
    }

    /// Leaves, and has left when this returns.
    async fn leave(mut self) -> Result<(), StoreError> {
        let leaving = self.shared.leave(self.lease);
        self.shared.bound(VERB, leaving).await?;
        self.is_taken = true;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_taken {
            return;
        }
        // Without a runtime it ends with its lease.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (shared, lease) = (Arc::clone(&self.shared), self.lease);
            runtime.spawn(async move { shared.bound(VERB, shared.leave(lease)).await });
        }
    }
}

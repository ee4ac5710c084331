//! [`Place`]: a place in a lock's queue, and those that are kept for who asks again.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::PLACE_KEPT;
use super::super::error::StoreError;
use super::Shared;
use super::keys::Keys;
use super::leases::Kept;

const VERB: &str = "acquire";

/// How many places are kept. Beyond, who has waited for as long as he would leaves at once.
const ROOM: usize = 1024;

/// A place in a queue. Whoever drops it last leaves: its lease is revoked in the background, and with it his key, and a put
/// that is still on its way.
pub(super) struct Place {
    shared: Arc<Shared>,
    /// Its key, from when another call of the same nonce finds it.
    own: Option<String>,
    pub(super) lease: Kept,
    /// It is kept for one that asks again, and whether it still is: who asks has it from then on.
    kept: Option<Arc<Notify>>,
    is_over: bool,
}

/// Places in which somebody waits, and those that are kept, by their keys. As many as there are calls, and [`ROOM`].
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<String, Spot>>);

struct Spot {
    lease: Kept,
    /// How many calls wait there; one, where it is kept.
    there: usize,
    /// Who keeps it; told, when it is taken from him.
    kept: Option<Arc<Notify>>,
}

impl Place {
    /// The lease is of no other use from now on: a release of the key does not give it back, for it may be revoked.
    pub(super) fn new(shared: &Arc<Shared>, lease: Kept) -> Self {
        shared.leases.forget(lease.id);
        Self {
            shared: Arc::clone(shared),
            own: None,
            lease,
            kept: None,
            is_over: false,
        }
    }

    /// His key is there: other calls of the nonce find it.
    pub(super) fn enter(&mut self, own: &str) {
        let mut all = self.shared.places.all();
        // What was found under its key may have been granted meanwhile: it is not put there again.
        if self.own.is_some() || all.contains_key(own) {
            return;
        }
        let (lease, there, kept) = (self.lease, 1, None);
        all.insert(own.to_owned(), Spot { lease, there, kept });
        self.own = Some(own.to_owned());
    }

    /// Where he waited before, or another call of the same nonce does.
    pub(super) fn again(shared: &Arc<Shared>, own: &str) -> Option<Self> {
        let mut all = shared.places.all();
        let spot = all.get_mut(own)?;
        match spot.kept.take() {
            Some(keeper) => keeper.notify_one(),
            None => spot.there += 1,
        }
        Some(Self {
            shared: Arc::clone(shared),
            own: Some(own.to_owned()),
            lease: spot.lease,
            kept: None,
            is_over: false,
        })
    }

    /// Its lease was renewed.
    pub(super) fn renewed(&mut self, lease: Kept) {
        self.at_spot(|spot| spot.lease = lease);
        self.lease = lease;
    }

    /// Whether no other call waits there. Then none finds it from now on, until it is [entered](Self::enter) again.
    pub(super) fn is_alone(&mut self) -> bool {
        let mut is_alone = false;
        self.at_spot(|spot| is_alone = spot.there == 1);
        is_alone && self.is_last()
    }

    /// The key is on the other's lease from now on: that one gets this one's, and ends it.
    pub(super) fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.lease, &mut other.lease);
    }

    /// It is granted: the lease is the holder's.
    pub(super) fn taken(&mut self) {
        self.is_over = true;
        let Some(own) = self.own.take() else {
            return;
        };
        let mut all = self.shared.places.all();
        if all
            .get(&own)
            .is_some_and(|spot| spot.lease.id == self.lease.id)
        {
            all.remove(&own);
        }
    }

    /// Leaves, and has left when this returns; unless another call waits there.
    pub(super) async fn leave(mut self) -> Result<(), StoreError> {
        if self.is_last() {
            let leaving = self.shared.leave(self.lease);
            self.shared.bound(VERB, leaving).await?;
        }
        self.is_over = true;
        Ok(())
    }

    /// Keeps it a moment, for him to ask [`again`](Self::again), or until its turn comes: nobody is there to take it.
    pub(super) fn keep(mut self, keys: &Keys, watched: [Vec<u8>; 2], from: i64) {
        // ## No room, or another call waits there: dropped here, it leaves, or does not.
        let (Ok(runtime), Some(taken)) = (Handle::try_current(), self.marked()) else {
            return;
        };
        let (shared, keys) = (Arc::clone(&self.shared), keys.clone());
        let until = Instant::now() + PLACE_KEPT;
        runtime.spawn(async move {
            let mut taken = pin!(taken.notified());
            let mut away = pin!(shared.away(&keys, &mut self, watched, from, until));
            poll_fn(|cx| match taken.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => away.as_mut().poll(cx),
            })
            .await;
        });
    }

    /// Nobody is there any more, until somebody is again.
    fn marked(&mut self) -> Option<Arc<Notify>> {
        let own = self.own.as_ref()?;
        let mut all = self.shared.places.all();
        let kept = all.values().filter(|spot| spot.kept.is_some()).count();
        let spot = all.get_mut(own)?;
        if kept >= ROOM || spot.there > 1 || spot.lease.id != self.lease.id {
            return None;
        }
        let keeper = Arc::new(Notify::new());
        spot.kept = Some(Arc::clone(&keeper));
        self.kept = Some(Arc::clone(&keeper));
        Some(keeper)
    }

    /// Goes, and says whether nobody is left there.
    fn is_last(&mut self) -> bool {
        let Some(own) = self.own.take() else {
            return true;
        };
        let mut all = self.shared.places.all();
        // Where it is another's, it was granted to another call.
        let spot = all.get_mut(&own);
        let Some(spot) = spot.filter(|spot| spot.lease.id == self.lease.id) else {
            return false;
        };
        if let Some(keeper) = &self.kept {
            let is_kept = spot
                .kept
                .as_ref()
                .is_some_and(|kept| Arc::ptr_eq(kept, keeper));
            if !is_kept {
                return false;
            }
        }
        spot.there -= 1;
        let is_last = spot.there == 0;
        if is_last {
            all.remove(&own);
        }
        is_last
    }

    fn at_spot(&self, act: impl FnOnce(&mut Spot)) {
        let Some(own) = &self.own else {
            return;
        };
        let mut all = self.shared.places.all();
        let spot = all.get_mut(own);
        if let Some(spot) = spot.filter(|spot| spot.lease.id == self.lease.id) {
            act(spot);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_over || !self.is_last() {
            return;
        }
        // Without a runtime it ends with its lease.
        if let Ok(runtime) = Handle::try_current() {
            let (shared, lease) = (Arc::clone(&self.shared), self.lease);
            runtime.spawn(async move { shared.bound(VERB, shared.leave(lease)).await });
        }
    }
}

impl Places {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Spot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::Client;

    use super::super::EtcdStore;
    use super::super::leases::tests::lease;
    use super::*;

    #[test]
    fn a_place_that_is_kept_is_forgotten_with_its_runtime() {
        let build = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
        };
        let (runtime, other) = (build(), build());
        let client = runtime.block_on(Client::connect(["http://127.0.0.1:1"], None));
        let shared = EtcdStore::new(client.unwrap()).shared;
        let keys = Keys::of("p/", &"orders".try_into().unwrap());
        other.block_on(async {
            let mut place = Place::new(&shared, lease(1, 10));
            place.enter("own");
            place.keep(&keys, ["before".into(), "own".into()], 1);
            assert!(shared.places.all().contains_key("own"));
        });
        drop(other);
        assert!(shared.places.all().is_empty());
    }

    #[tokio::test]
    async fn a_place_is_left_by_the_last_who_waits_there_and_what_is_granted_by_nobody() {
        let client = Client::connect(["http://127.0.0.1:1"], None).await.unwrap();
        let shared = EtcdStore::new(client).shared;
        let keys = Keys::of("p/", &"orders".try_into().unwrap());
        let watched = || ["before".into(), "own".into()];
        let mut place = Place::new(&shared, lease(1, 10));
        place.enter("own");
        let mut twin = Place::again(&shared, "own").unwrap();
        assert!(!twin.is_alone());
        // Another waits there: it is not kept by this one.
        twin.keep(&keys, watched(), 1);
        place.keep(&keys, watched(), 1);
        let (mut again, mut twin) = (
            Place::again(&shared, "own").unwrap(),
            Place::again(&shared, "own").unwrap(),
        );
        // Who kept it goes, and it is still there.
        tokio::task::yield_now().await;
        assert_eq!(shared.places.all()["own"].there, 2);
        again.taken();
        assert!(shared.places.all().is_empty());
        twin.enter("own");
        assert!(shared.places.all().is_empty() && !twin.is_last());
    }

    #[tokio::test]
    async fn no_more_places_are_kept_than_there_is_room_for() {
        let client = Client::connect(["http://127.0.0.1:1"], None).await.unwrap();
        let shared = EtcdStore::new(client).shared;
        let keys = Keys::of("p/", &"orders".try_into().unwrap());
        for n in 0..ROOM + 10 {
            let own = format!("own {n}");
            let mut place = Place::new(&shared, lease(n as i64, 10));
            place.enter(&own);
            place.keep(&keys, ["before".into(), own.into()], 1);
        }
        assert_eq!(shared.places.all().len(), ROOM);
    }
}

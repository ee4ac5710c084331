//! A holder's watch of its own key.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use etcd_client::{EventType, WatchFilterType, WatchOptions, WatchStream};
use tokio::time::sleep;

use super::super::error::StoreError;
use super::super::event;
use super::keys::Keys;
use super::link::Dialled;
use super::{EtcdStore, Shared};
use crate::{FencingToken, Nonce, Rank, Watch};

const VERB: &str = "watch";

/// How many leases of a store are watched at once. Those beyond learn from their renewals.
pub(super) const WATCHES: usize = 1024;

/// Who holds a lock for no longer than that is not watched.
const SHORT: Duration = Duration::from_millis(100);

/// After which time at least a watch that was lost begins anew; twice that at most.
const PAUSE: Duration = Duration::from_millis(500);

/// A lease is over when its key is gone, whoever deleted it: an operator (`etcdctl del`, `etcdctl lease revoke`), or etcd,
/// because its time was up there. A watch that is lost begins anew by a look at the key, after half a second to a second.
///
/// At most 1024 leases of a store are watched at once, each by a stream of the store's connection and from 100 ms after it was
/// granted; others are not watched. To raise the [`era`](EtcdStore::era) ends no lease.
impl Watch for EtcdStore {
    fn over(&self, token: &FencingToken) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let shared = Arc::clone(&self.shared);
        let keys = Keys::of(&shared.prefix, token.lock());
        let (nonce, rank) = (token.nonce(), token.rank());
        Box::pin(async move { shared.over(&keys, nonce, rank).await })
    }
}

impl Shared {
    async fn over(&self, keys: &Keys, nonce: Nonce, rank: Rank) {
        sleep(SHORT).await;
        let Ok(_room) = self.watches.try_acquire() else {
            event::not_watched(WATCHES);
            return pending().await;
        };
        // So that not all come back at once.
        let later = PAUSE.mul_f64(f64::from(nonce.bits() as u16) / f64::from(u16::MAX));
        loop {
            let watched = self.watched(keys, nonce, rank).await;
            if matches!(watched, Ok(true)) {
                return;
            }
            sleep(PAUSE + later).await;
        }
    }

    /// Until its key is gone (`true`), or the watch.
    async fn watched(&self, keys: &Keys, nonce: Nonce, rank: Rank) -> Result<bool, StoreError> {
        let mut dialled = self.link.dialled();
        let state = self.bound(VERB, self.state(VERB, keys)).await?;
        if state.holds(keys, nonce, rank).is_none() {
            return Ok(true);
        }
        let options = deletions_from(state.revision + 1);
        let mut client = self.link.client().watch_client();
        let begun = async {
            let begun = client.watch(keys.own(nonce), Some(options)).await;
            begun.map_err(|e| StoreError::failed(VERB, e))
        };
        let mut stream = self.bound(VERB, begun).await?;
        Ok(deleted(&mut stream, &mut dialled).await)
    }
}

pub(super) fn deletions_from(revision: i64) -> WatchOptions {
    WatchOptions::new()
        .with_start_revision(revision)
        .with_filters([WatchFilterType::NoPut])
}

/// Until a key was deleted (`true`), or the watch is lost: also where its connection was given up.
pub(super) async fn deleted(stream: &mut WatchStream, dialled: &mut Dialled) -> bool {
    let (mut deleted, mut dialled) = (pin!(deletion(stream)), pin!(dialled.changed()));
    poll_fn(|cx| match deleted.as_mut().poll(cx) {
        Poll::Ready(is_deleted) => Poll::Ready(is_deleted),
        Poll::Pending => dialled.as_mut().poll(cx).map(|_| false),
    })
    .await
}

async fn deletion(stream: &mut WatchStream) -> bool {
    while let Ok(Some(message)) = stream.message().await {
        let mut events = message.events().iter();
        if events.any(|event| event.event_type() == EventType::Delete) {
            return true;
        }
        if message.canceled() {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use etcd_client::Client;

    use super::*;

    #[test]
    fn that_a_lease_is_not_watched_is_told() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let told = |name: &str| name == "lease.not_watched";
        crate::heard::is_told(crate::heard::STORES, told, || {
            runtime.block_on(async {
                let client = Client::connect(["http://127.0.0.1:1"], None).await.unwrap();
                let store = EtcdStore::new(client);
                let others = store.shared.watches.try_acquire_many(WATCHES as u32);
                let token = "orders;era=0;seq=1;nonce=1".parse().unwrap();
                let over = tokio::time::timeout(SHORT * 2, store.over(&token)).await;
                assert!(others.is_ok() && over.is_err(), "it is not over");
            });
        });
    }
}

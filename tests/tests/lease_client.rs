//! Leases whose holders are paused, cut off and crashed: in virtual time, by the nodes and the network of `murphy-fault`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::Seed;
use murphy_fault::{Chaos, Node, Plan, TimeLimit};
use murphy_lease::{
    FencingToken, Lease, LeaseReply, LeaseRequest, Locks, MemoryStore, Rank, Ttl, Why,
};
use tests::ms;
use tokio::time::{Instant, sleep};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt};

const TTL: Ttl = Ttl::from_millis(10_000);

type Store = BoxCloneSyncService<LeaseRequest, LeaseReply, BoxError>;

/// Locks of a holder on a node, over a link to the store: what renews stands still when the node does.
fn locks(chaos: &Chaos, store: &MemoryStore, holder: &str, seed: u64) -> (Node, Locks<Store>) {
    let node = chaos.node(holder);
    let store = store.clone().map_err(BoxError::from);
    let link = chaos.site(&format!("{holder}->store")).layer();
    let store = BoxCloneSyncService::new(link.layer(store));
    let on = node.clone();
    let locks = Locks::new(store).ttl(TTL).seed(Seed::new(seed));
    let locks = locks.executor(move |task| drop(on.spawn(task)));
    (node, locks)
}

fn armed() -> (Chaos, MemoryStore) {
    let chaos = Chaos::new(Seed::new(7));
    chaos.arm(&Plan::new(), TimeLimit::None).unwrap().keep();
    (chaos, MemoryStore::new())
}

async fn acquired(node: &Node, locks: &Locks<Store>) -> Lease {
    let locks = locks.clone();
    node.run(async move { locks.acquire("orders").await })
        .await
        .unwrap()
        .unwrap()
}

/// A resource that looks at tokens, and keeps what it took.
#[derive(Default)]
struct Resource(Mutex<(Rank, Vec<&'static str>)>);

impl Resource {
    fn write(&self, token: &FencingToken, what: &'static str) -> bool {
        let mut inside = self.0.lock().unwrap();
        let admits = token.rank() >= inside.0;
        if admits {
            inside.0 = token.rank();
            inside.1.push(what);
        }
        admits
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_paused_past_its_lease_has_lost_it_when_it_goes_on() {
    let (chaos, store) = armed();
    let (node, locks_a) = locks(&chaos, &store, "a", 1);
    let (_, locks_b) = locks(&chaos, &store, "b", 2);
    let resource = Arc::new(Resource::default());
    let lease = Arc::new(acquired(&node, &locks_a).await);
    let (held, writes) = (Arc::clone(&lease), Arc::clone(&resource));
    let work = node.spawn(async move {
        let ran = held.run(|held| async move {
            loop {
                sleep(ms(100)).await;
                // No look at the clock between the wait and this: the last chance is the resource's.
                assert!(writes.write(held.stale_token(), "a"));
            }
        });
        ran.await
    });
    sleep(ms(5_000)).await;
    node.pause_for(TTL.get() * 2).await.unwrap();
    // The pause is over, and nothing of the node has been polled yet: its clock knows.
    assert_eq!(lease.token().unwrap_err().why, Why::Expired);
    let rival = locks_b.acquire("orders").await.unwrap();
    assert!(rival.token().unwrap() > lease.stale_token());
    assert!(resource.write(rival.token().unwrap(), "b"));
    let lost: Result<(), _> = work.await.unwrap().unwrap();
    assert_eq!(lost.unwrap_err().why, Why::Expired, "the work was dropped");
    assert!(
        !resource.write(lease.stale_token(), "a"),
        "and what it has sent is refused"
    );
    let inside = resource.0.lock().unwrap();
    assert_eq!(inside.1.last(), Some(&"b"));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_cut_off_knows_it_when_its_time_is_up_and_no_later() {
    for oneway in [false, true] {
        let (chaos, store) = armed();
        let (node, locks) = locks(&chaos, &store, "a", 1);
        let lease = acquired(&node, &locks).await;
        sleep(ms(12_345)).await;
        let network = chaos.network();
        // Only answers are lost, or all: who waits cannot tell.
        let _cut = match oneway {
            true => network.partition_oneway(["store"], ["a"]).unwrap(),
            false => network.partition(["a"], ["store"]).unwrap(),
        };
        let until = Instant::now() + lease.remaining();
        let lost = lease.lost().await;
        assert_eq!(lost.why, Why::Expired);
        assert!(Instant::now() - until <= ms(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_crashes_has_lost_it_and_the_next_waits_for_its_ttl_only() {
    let (chaos, store) = armed();
    let (node, locks_a) = locks(&chaos, &store, "a", 1);
    let (_, locks_b) = locks(&chaos, &store, "b", 2);
    let lease = acquired(&node, &locks_a).await;
    let rank = lease.token().unwrap().rank();
    let _down = node.crash().unwrap();
    assert_eq!(lease.token().unwrap_err().why, Why::Unattended);
    let began = Instant::now();
    let rival = locks_b.acquire("orders").await.unwrap();
    assert!(rival.token().unwrap().rank() > rank);
    assert!(began.elapsed() <= TTL.get() + Duration::from_secs(1));
}

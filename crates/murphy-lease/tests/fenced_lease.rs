//! From a lease to the resource and back: the whole of the chapter's `SafeLock`, with its danger zone closed.

use std::future::pending;
use std::time::Duration;

use murphy_lease::fence::{FencedError, FencedLayer, FencedStore, MemoryFenced, Refused};
use murphy_lease::{FencingToken, Locks, MemoryStore, Renewal, Ttl, Why};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

const TTL: Ttl = Ttl::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_paused_holder_cannot_write() {
    let locks = Locks::new(MemoryStore::new());
    let accounts = MemoryFenced::new();
    let acquire = || locks.acquire("alice").ttl(TTL).renewing(Renewal::Never);
    let older = acquire().await.unwrap();
    let sealed = accounts.seal("alice", older.token().unwrap()).await;
    assert_eq!(sealed.unwrap().value, None);

    // It is paused; its lease ends; another acquires, seals, and writes.
    sleep(TTL.get()).await;
    let newer = acquire().await.unwrap();
    let token = newer.token().unwrap();
    accounts.seal("alice", token).await.unwrap();
    accounts.write("alice", token, "new").await.unwrap();

    assert!(older.token().is_err(), "by its own clock, too");
    let late = accounts.write("alice", older.stale_token(), "old").await;
    let current = token.rank();
    assert_eq!(
        late.unwrap_err().refused(),
        Some(&Refused::Stale { current })
    );
    let value = accounts.read_fenced("alice", token).await;
    assert_eq!(value, Ok(Some("new")));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_a_lease_ends_when_it_does() {
    let locks = Locks::new(MemoryStore::new());
    let lease = locks.acquire("alice").ttl(TTL).renewing(Renewal::Never);
    let lease = lease.await.unwrap();
    let stamp = |token: &FencingToken, write: &mut u64| *write = token.rank().seq;
    let layer = FencedLayer::with(lease.held(), stamp);
    let silent = layer.layer(service_fn(|_: u64| pending::<Result<u64, &str>>()));
    let began = Instant::now();
    let lost = silent.clone().oneshot(0).await.unwrap_err();
    let FencedError::Lost(lost) = lost else {
        panic!("{lost}");
    };
    assert_eq!(lost.why, Why::Expired);
    assert!(began.elapsed() <= TTL.get());
    let ready = silent.clone().ready_oneshot().await.err();
    assert_eq!(ready, Some(FencedError::Lost(lost)));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_a_lease_that_is_renewed_goes_on_until_it_is_released() {
    let locks = Locks::new(MemoryStore::new());
    let lease = locks.acquire("alice").ttl(TTL).await.unwrap();
    let stamp = |token: &FencingToken, write: &mut u64| *write = token.rank().seq;
    let layer = FencedLayer::with(lease.held(), stamp);
    let silent = layer.layer(service_fn(|_: u64| pending::<Result<u64, &str>>()));
    let call = tokio::spawn(silent.oneshot(0));
    sleep(Duration::from_secs(60)).await;
    assert!(!call.is_finished());
    lease.release().await.unwrap();
    let lost = call.await.unwrap().unwrap_err();
    assert!(matches!(lost, FencedError::Lost(lost) if lost.why == Why::Released));
}

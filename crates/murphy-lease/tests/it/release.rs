//! How a lease is given back.

use std::sync::{Arc, Mutex};

use murphy_lease::{LeaseRequest, ReleaseError, Why};
use tokio::time::{Instant, sleep};

use crate::store::{Fate, Store, TTL, ms};

#[tokio::test(start_paused = true)]
async fn a_lease_is_lost_to_its_holder_before_it_is_free_for_others() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    let held = lease.held();
    let witness = held.clone();
    store.rule(move |asked| {
        let is_release = matches!(asked, LeaseRequest::Release { .. });
        assert!(!is_release || witness.token().is_err());
        Fate::Pass
    });
    lease.release().await.unwrap();
    assert_eq!(held.token().unwrap_err().why, Why::Released);
    assert_eq!(held.lost().await.why, Why::Released);
    assert_eq!(store.verbs(), ["acquire", "release"]);
    assert!(!store.is_held("orders").await);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_dropped_is_released() {
    let store = Store::new();
    drop(store.locks(1).acquire("orders").await.unwrap());
    sleep(ms(1)).await;
    assert_eq!(store.verbs(), ["acquire", "release"]);
    assert!(!store.is_held("orders").await);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_ends_before_the_release_is_sent() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    store.rule(|asked| match asked {
        // It would get there after the release.
        LeaseRequest::Renew(_) => Fate::Late(ms(500)),
        _ => Fate::Pass,
    });
    while store.verbs().len() < 2 {
        sleep(ms(100)).await;
    }
    drop(lease);
    sleep(ms(1)).await;
    assert_eq!(store.verbs(), ["acquire", "renew", "release"]);
    sleep(TTL.get()).await;
    assert_eq!(store.verbs().len(), 3, "nothing is renewed after it");
    assert!(!store.is_held("orders").await);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_tried_until_the_lease_would_have_ended() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    store.all(Fate::Fail);
    let began = Instant::now();
    let ReleaseError::NotReleased(said) = lease.release().await.unwrap_err() else {
        panic!();
    };
    assert_eq!(said.last, "the store is away");
    assert!(said.attempts > 5, "{said}");
    assert!(
        began.elapsed() <= TTL.get() + ms(1),
        "{:?}",
        began.elapsed()
    );
    let lease = store.locks(2);
    store.all(Fate::Pass);
    let lease = lease.acquire("orders").await.unwrap();
    // Two answers are lost; the third says that it was not held, and that proves nothing.
    store.next([Fate::ReplyLost, Fate::ReplyLost]);
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_it_is_told_when_he_releases() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    store.all(Fate::Fail);
    lease.lost().await;
    let ReleaseError::Lost(lost) = lease.release().await.unwrap_err() else {
        panic!()
    };
    assert_eq!(lost.why, Why::Expired);
    // The store forgot it: nobody knew before.
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    let nonce = lease.stale_token().nonce();
    let lock = "orders".try_into().unwrap();
    store.ask(LeaseRequest::Release { lock, nonce }).await;
    let ReleaseError::Lost(lost) = lease.release().await.unwrap_err() else {
        panic!()
    };
    assert_eq!(lost.why, Why::Refused);
}

#[tokio::test(start_paused = true)]
async fn what_renewals_whose_answers_were_lost_have_kept_is_released() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    store.all(Fate::ReplyLost);
    lease.lost().await;
    assert!(store.is_held("orders").await, "the store has renewed it");
    store.all(Fate::Pass);
    drop(lease);
    sleep(ms(1)).await;
    assert!(!store.is_held("orders").await);
}

#[tokio::test(start_paused = true)]
async fn an_unfenced_lock_is_a_lease_without_proof() {
    let store = Store::new();
    let lock = store.locks(1).unfenced("orders").await.unwrap();
    assert!(lock.is_valid());
    assert!(store.locks(2).try_unfenced("orders").await.is_err());
    lock.run(|held| async move { assert!(held.is_valid()) })
        .await
        .unwrap();
    store.all(Fate::Lost);
    assert_eq!(lock.lost().await.why, Why::Expired);
    assert!(!lock.is_valid());
    assert!(lock.release().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_release_that_comes_too_late_to_be_asked_for_was_no_loss() {
    let store = Store::new();
    let parked = Arc::new(Mutex::new(Vec::new()));
    let park = Arc::clone(&parked);
    let locks = store.locks(1);
    let locks = locks.executor(move |task| park.lock().unwrap().push(task));
    let lease = locks.acquire("orders").await.unwrap();
    assert!(lease.token().is_ok());
    let released = tokio::spawn(lease.release());
    sleep(TTL.get() * 2).await;
    // Whoever keeps it runs again.
    let task = parked.lock().unwrap().pop().unwrap();
    tokio::spawn(task);
    let said = released.await.unwrap();
    assert!(
        matches!(&said, Err(ReleaseError::NotReleased(e)) if e.attempts == 0),
        "{said:?}"
    );
    assert_eq!(store.verbs(), ["acquire"]);
}

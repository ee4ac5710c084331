//! Places in etcd's lines that are kept for who asks again.
#![cfg(unix)]

use std::time::Duration;

use murphy_lease::{Acquire, EtcdStore, Grant, LeaseRequest, LockName, Nonce};
use tests::lease::{Ask, granted, held};
use tests::ms;
use tests::servers::{Etcd, Switch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(300);

/// The shortest: etcd counts in seconds, and makes two of it.
const SHORT: Duration = Duration::from_secs(1);

/// A lock that the first one holds.
async fn line() -> (Etcd, Ask<EtcdStore>) {
    let server = Etcd::start().await;
    let store = EtcdStore::connect(&[server.url()]).await.unwrap();
    let lock = Ask::of(&store, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    (server, lock)
}

/// One who waits for as long as it takes.
async fn waits(lock: &Ask<EtcdStore>, nonce: u128, ttl: Duration) -> JoinHandle<Grant> {
    let lock = lock.clone();
    let waiting = tokio::spawn(async move { granted(&lock.wait(nonce, ttl, LONG).await) });
    sleep(ms(200)).await;
    waiting
}

/// The first releases, and then these two have it one after the other.
async fn take_turns(lock: &Ask<EtcdStore>, turns: [(u128, JoinHandle<Grant>); 2]) {
    let mut nonce = 1;
    let mut last = None;
    for (next, waiting) in turns {
        assert!(lock.release(nonce).await);
        let rank = waiting.await.expect("it is his turn").rank;
        assert!(Some(rank) > last, "{next} was served before {nonce}");
        (nonce, last) = (next, Some(rank));
    }
}

#[tokio::test]
async fn who_asks_again_for_longer_than_his_lease_keeps_his_place() {
    const LEASE: Duration = Duration::from_secs(4);
    let (_server, lock) = line().await;
    let _ = held(&lock.wait(2, LEASE, ms(100)).await);
    let third = waits(&lock, 3, LONG).await;
    let began = Instant::now();
    // Each is shorter than a third of it.
    while began.elapsed() < LEASE * 2 {
        let _ = held(&lock.wait(2, LEASE, ms(900)).await);
    }
    let second = waits(&lock, 2, LEASE).await;
    take_turns(&lock, [(2, second), (3, third)]).await;
}

#[tokio::test]
async fn each_wait_keeps_the_place_for_a_second_of_its_own() {
    let (_server, lock) = line().await;
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    let third = waits(&lock, 3, LONG).await;
    sleep(ms(500)).await;
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    // A second after the first wait, and not after the last.
    sleep(ms(500)).await;
    let second = waits(&lock, 2, LONG).await;
    take_turns(&lock, [(2, second), (3, third)]).await;
}

#[tokio::test]
async fn who_leaves_before_a_place_that_is_kept_does_not_take_it_along() {
    let (_server, lock) = line().await;
    let gone = waits(&lock, 4, LONG).await;
    let _ = held(&lock.wait(2, LONG, ms(400)).await);
    let third = waits(&lock, 3, LONG).await;
    gone.abort();
    sleep(ms(200)).await;
    let second = waits(&lock, 2, LONG).await;
    take_turns(&lock, [(2, second), (3, third)]).await;
}

#[tokio::test]
async fn who_asks_again_is_granted_what_he_asked_for_last() {
    for (before, after) in [(SHORT, LONG), (LONG, SHORT)] {
        let (_server, lock) = line().await;
        let _ = held(&lock.wait(2, before, ms(100)).await);
        let third = waits(&lock, 3, LONG).await;
        let second = waits(&lock, 2, after).await;
        assert!(lock.release(1).await);
        let grant = second.await.unwrap();
        assert!(!third.is_finished(), "the place is the same");
        assert!(grant.ttl > after / 2 && grant.ttl < after * 3, "{grant:?}");
        // And it is so in etcd, too.
        let (_, holder) = lock.observe().await;
        assert!(holder.unwrap().remaining < after * 3 + ms(2000));
    }
}

#[tokio::test]
async fn who_asks_twice_at_once_waits_in_one_place() {
    let (_server, lock) = line().await;
    let second = waits(&lock, 2, LONG).await;
    let third = waits(&lock, 3, LONG).await;
    let twin = waits(&lock, 2, LONG).await;
    let _ = held(&lock.acquire(2, LONG).await);
    assert!(lock.release(1).await);
    let (second, twin) = (second.await.unwrap(), twin.await.unwrap());
    assert_eq!(second.rank, twin.rank);
    assert!(!third.is_finished());
    assert!(lock.release(2).await);
    assert!(third.await.unwrap().rank > second.rank);
}

#[tokio::test]
async fn who_releases_a_place_that_is_kept_had_nothing_and_is_gone() {
    let (_server, lock) = line().await;
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    assert!(!lock.release(2).await);
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    assert!(lock.release(1).await);
    assert!(!lock.release(2).await);
    let _ = granted(&lock.wait(3, LONG, ms(500)).await);
}

#[tokio::test]
async fn a_server_that_stood_still_serves_those_in_line_all_the_same() {
    for asks in [false, true] {
        let server = Etcd::start().await;
        let store = EtcdStore::connect(&[server.url()]).await.unwrap();
        let lock = Ask::of(&store.timeout(ms(500)).unwrap(), "orders");
        let _ = granted(&lock.acquire(1, LONG).await);
        let _ = held(&lock.wait(2, SHORT, ms(100)).await);
        let insists = |nonce, ttl| {
            let (wait, lock) = (LONG, lock.clone());
            let wish = lock.wish(nonce, ttl);
            let asked = LeaseRequest::Acquire(Acquire { wait, ..wish });
            tokio::spawn(async move { granted(&lock.insist(asked).await) })
        };
        let third = insists(3, LONG);
        server.stop();
        if asks {
            let again = LeaseRequest::Acquire(lock.wish(2, SHORT));
            assert!(lock.say(again).await.is_err(), "it is silent");
        }
        sleep(ms(2000)).await;
        server.go_on();
        let release = |nonce: u128| LeaseRequest::Release {
            lock: LockName::try_new("orders").unwrap(),
            nonce: Nonce::from_bits(nonce),
        };
        // What is left of the second's place ends with its lease.
        let _ = lock.insist(release(1)).await;
        let third = third.await.expect("its turn comes");
        let _ = lock.insist(release(3)).await;
        let second = insists(2, SHORT).await.expect("its turn comes");
        assert!(second.rank > third.rank);
        let (_, holder) = lock.observe().await;
        assert_eq!(holder.expect("a holder").rank, second.rank);
    }
}

/// Two calls of each nonce, some of which are dropped at any moment: one holder at a time, and each has its turn.
#[tokio::test]
async fn calls_of_one_nonce_that_come_and_go_leave_one_place() {
    let (_server, lock) = line().await;
    let third = waits(&lock, 3, LONG).await;
    for after in [0, 1, 2, 5, 10, 20, 50, 200] {
        let asked = lock.wait(2, LONG, ms(100));
        let cut = timeout(ms(after), lock.wait(2, LONG, LONG));
        let _ = tokio::join!(asked, cut);
    }
    let second = waits(&lock, 2, LONG).await;
    let twin = waits(&lock, 2, SHORT).await;
    assert!(lock.release(1).await);
    let third = third.await.unwrap();
    assert!(!second.is_finished() && !twin.is_finished());
    assert!(lock.release(3).await);
    let (second, twin) = (second.await.unwrap(), twin.await.unwrap());
    assert!(second.rank > third.rank && second.rank == twin.rank);
    assert!(lock.release(2).await);
    let _ = granted(&lock.wait(4, LONG, ms(500)).await);
}

/// What the other was granted ends with the other's lease, and not with that of the place.
#[tokio::test]
async fn who_is_granted_what_another_call_has_taken_has_it_for_his_own_time() {
    let (server, lock) = line().await;
    let switch = Switch::to(server.address()).await;
    let url = format!("http://{}", switch.address());
    let slow = EtcdStore::connect(&[url]).await.unwrap();
    let slow = slow.timeout(ms(10_000)).unwrap();
    let slow = Ask::of(&slow, "orders");
    let waiting = waits(&slow, 2, LONG).await;
    switch.delay(ms(100));
    assert!(lock.release(1).await);
    let short = granted(&lock.acquire(2, ms(3000)).await);
    let long = waiting.await.unwrap();
    assert_eq!(short.rank, long.rank);
    // Longer than the short one runs, and than etcd takes to see it.
    sleep(ms(7000)).await;
    let (_, holder) = lock.observe().await;
    assert_eq!(holder.expect("it runs").rank, long.rank);
}

/// By how much, is the machine's affair: now and then it is less than the second for which a place is kept.
#[tokio::test]
async fn a_place_in_which_nobody_waits_holds_nobody_up() {
    for _ in 0..10 {
        let (_server, lock) = line().await;
        let _ = held(&lock.wait(2, LONG, ms(300)).await);
        let kept = tokio::spawn(sleep(ms(1000)));
        let third = waits(&lock, 3, LONG).await;
        assert!(lock.release(1).await);
        let _ = third.await.unwrap();
        if !kept.is_finished() {
            return;
        }
    }
    panic!("each time it took the whole second");
}

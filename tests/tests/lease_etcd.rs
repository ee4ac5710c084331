//! Leases in a real etcd: killed, stopped, slow and silent.
#![cfg(unix)]

use std::net::SocketAddr;
use std::time::Duration;

use murphy_lease::{Claim, ConnectError, EtcdStore, LeaseReply, Locks, Lost, Rank, Ttl, Why};
use tests::lease::{Ask, Counting, Kind, granted, held, holds, keeps_its_line, served};
use tests::ms;
use tests::servers::{Etcd, Switch};
use tokio::time::{sleep, timeout};

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(300);

/// A store that waits that long waits longer than any lease here runs.
const PATIENT: Duration = Duration::from_secs(60);

/// The shortest: etcd counts in seconds.
const SHORT: Duration = Duration::from_secs(1);

const KIND: Kind = Kind {
    shortest: SHORT,
    // It looks twice a second, and then has to agree on it.
    late: ms(3000),
    waits: true,
    is_fair: true,
    catches_up: false,
};

async fn at(address: SocketAddr) -> EtcdStore {
    let url = format!("http://{address}");
    EtcdStore::connect(&[url]).await.unwrap()
}

async fn store(server: &Etcd) -> EtcdStore {
    at(server.address()).await
}

#[tokio::test]
async fn the_contract_holds() {
    let server = Etcd::start().await;
    holds(&store(&server).await, KIND).await;
}

#[tokio::test]
async fn the_contract_holds_over_a_slow_wire() {
    let server = Etcd::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.prefix("elsewhere/");
    switch.delay(ms(5));
    holds(&store, KIND).await;
}

/// A client's first one costs more: it reads the era, and has etcd grant a lease, which is a commit that no revision shows. Later ones
/// use the leases that earlier ones gave back.
#[tokio::test]
async fn an_uncontended_acquire_is_one_round_trip_and_one_commit() {
    let server = Etcd::durable().await;
    let store = store(&server).await;
    // Of requests: HTTP/2 says more than these.
    let trips = async || {
        let started = server.counted("grpc_server_started_total", "unary");
        started.await
    };
    let commits = async || {
        let revision = server.counted("etcd_debugging_mvcc_current_revision", "");
        revision.await
    };
    let before = trips().await;
    let first = Ask::of(&store, "first");
    let _ = granted(&first.acquire(1, LONG).await);
    assert_eq!(
        trips().await,
        before + 3,
        "for the era, a lease, and the key"
    );
    assert!(first.release(1).await);
    served::an_uncontended_acquire_is_one_round_trip_and_one_commit(&store, trips, commits).await;
}

#[tokio::test]
async fn who_waits_and_is_gone_is_not_waited_for() {
    let server = Etcd::start().await;
    let (here, there) = (store(&server).await, store(&server).await);
    let (here, there) = (Ask::of(&here, "orders"), Ask::of(&there, "orders"));
    let first = granted(&here.acquire(1, LONG).await);
    let other = there.clone();
    let waiting = tokio::spawn(async move { other.wait(2, LONG, LONG).await });
    sleep(ms(300)).await;
    waiting.abort();
    assert!(waiting.await.is_err());
    assert!(here.release(1).await);
    let second = granted(&here.wait(3, LONG, ms(20_000)).await);
    assert!(second.rank > first.rank);
    let (_, holder) = there.observe().await;
    assert_eq!(holder.expect("a holder").rank, second.rank);
}

#[tokio::test]
async fn one_who_waits_longer_than_his_lease_keeps_his_place() {
    let server = Etcd::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    let waiting = async {
        let grant = granted(&lock.wait(2, SHORT, LONG).await);
        // From now, and not from when he came.
        assert!(grant.ttl > SHORT / 2, "{grant:?}");
        assert!(lock.release(2).await);
        grant.rank
    };
    let later = async {
        sleep(ms(500)).await;
        let grant = granted(&lock.wait(3, LONG, LONG).await);
        assert!(lock.release(3).await);
        grant.rank
    };
    let releasing = async {
        sleep(ms(4000)).await;
        assert!(lock.release(1).await);
    };
    let (second, third, ()) = tokio::join!(waiting, later, releasing);
    assert!(second < third, "first come, first served");
}

#[tokio::test]
async fn one_who_waits_longer_than_he_says_at_once_keeps_his_place() {
    let server = Etcd::start().await;
    keeps_its_line(&store(&server).await).await;
}

/// Others wait for who does not come again no longer than his place is kept, and for who gave up not at all.
#[tokio::test]
async fn who_waits_no_longer_is_not_waited_for() {
    let server = Etcd::start().await;
    let store = store(&server).await;
    let lock = Ask::of(&store, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    let other = lock.clone();
    let third = tokio::spawn(async move { other.wait(3, LONG, LONG).await });
    sleep(ms(200)).await;
    let fourth = Locks::new(store).ttl(Ttl::from_secs(300));
    let late = fourth.acquire("orders").deadline(ms(300)).await;
    late.unwrap_err();
    assert!(lock.release(1).await);
    let third = timeout(ms(10_000), third).await.expect("it is his turn");
    let _ = granted(&third.unwrap());
    assert!(lock.release(3).await);
    let _ = granted(&lock.wait(5, LONG, ms(10_000)).await);
}

#[tokio::test]
async fn one_whose_key_was_deleted_queues_again() {
    let server = Etcd::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    let deleting = async {
        sleep(ms(500)).await;
        // As if his lease had ended: nobody holds it, and he does not know.
        assert!(!lock.release(2).await);
        sleep(ms(500)).await;
        assert!(lock.release(1).await);
    };
    let (reply, ()) = tokio::join!(lock.wait(2, LONG, LONG), deleting);
    let grant = granted(&reply);
    let (_, holder) = lock.observe().await;
    assert_eq!(holder.expect("a holder").rank, grant.rank);
}

#[tokio::test]
async fn a_killed_server_remembers_and_is_found_again() {
    let mut server = Etcd::durable().await;
    let store = store(&server).await;
    served::a_killed_server_remembers_and_is_found_again(&mut server, &store, true).await;
}

/// Not `a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it`, as of the others: etcd does not know how long it stood still.
/// If it elects itself anew when it goes on, all leases begin anew, and a late renewal by the holder is in time.
#[tokio::test]
async fn no_stale_renewal_after_a_stop_that_was_longer_than_the_lease() {
    let server = Etcd::start().await;
    let store = store(&server).await.timeout(ms(500)).unwrap();
    let lock = Ask::of(&store, "orders");
    let first = granted(&lock.acquire(1, SHORT).await);
    server.stop();
    let renewal = lock.renewal(1, first.rank, SHORT);
    assert!(lock.say(renewal.clone()).await.is_err(), "it is silent");
    sleep(first.ttl * 2).await;
    server.go_on();
    // Its leases may begin anew, or have ended: whoever has it then has it alone, and a new one is higher.
    let reply = lock.insist(renewal).await;
    let is_lost = matches!(reply, LeaseReply::NotHolder { .. });
    assert!(
        is_lost || matches!(reply, LeaseReply::Renewed { .. }),
        "{reply:?}"
    );
    let second = lock.have(2, LONG).await;
    assert!(second.rank > first.rank);
    let reply = lock.renew(1, first.rank, SHORT).await;
    assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
}

#[tokio::test]
async fn no_stale_write_is_admitted_whatever_befalls_the_server() {
    let mut server = Etcd::start().await;
    let ttl = Ttl::from_secs(1);
    let clients = Counting::start([store(&server).await, store(&server).await], ttl);
    served::no_stale_write_is_admitted(&mut server, &clients, ttl).await;
    clients.finish().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_arrives_is_left_as_soon_as_a_call_waited_in_vain() {
    let server = Etcd::start().await;
    let switch = Switch::to(server.address()).await;
    let lock = Ask::of(&at(switch.address()).await, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    switch.black_hole();
    let renewal = lock.renewal(1, first.rank, LONG);
    assert!(lock.say(renewal.clone()).await.is_err());
    switch.open();
    // By itself the client would see it after eight seconds: that is in the middle of the third.
    let again = async {
        match lock.say(renewal.clone()).await {
            Err(_) => lock.say(renewal).await,
            reply => reply,
        }
    };
    let reply = again.await;
    assert!(matches!(reply, Ok(LeaseReply::Renewed { .. })), "{reply:?}");
}

/// A lease through this store, which watches it, and that what follows has ended it, long before it is renewed.
async fn ends(store: &EtcdStore, how: impl AsyncFnOnce(u128)) {
    let locks = Locks::new(store.clone()).watch(store.clone());
    let lease = locks.acquire("orders").ttl(Ttl::try_new(LONG).unwrap());
    let lease = lease.await.unwrap();
    // Long enough to be watched.
    sleep(ms(500)).await;
    assert!(lease.token().is_ok());
    how(lease.token().unwrap().nonce().bits()).await;
    let lost = timeout(Duration::from_secs(60), lease.lost()).await;
    let Lost { why, .. } = lost.expect("renewed after a hundred seconds, it is lost before");
    assert_eq!(why, Why::Refused);
}

#[tokio::test]
async fn a_holder_whose_key_is_deleted_has_lost_it_before_it_renews() {
    let server = Etcd::start().await;
    let other = Ask::of(&store(&server).await, "orders");
    let here = store(&server).await;
    ends(&here, async |nonce| assert!(other.release(nonce).await)).await;
    // And again: a watch that ended is not in the way of the next.
    ends(&here, async |nonce| assert!(other.release(nonce).await)).await;
}

#[tokio::test]
async fn a_holder_whose_watch_broke_watches_anew() {
    let server = Etcd::start().await;
    let switch = Switch::to(server.address()).await;
    let other = Ask::of(&store(&server).await, "orders");
    ends(&at(switch.address()).await, async |nonce| {
        switch.turn(server.address());
        sleep(ms(3000)).await;
        assert!(other.release(nonce).await);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_deleted_while_nobody_watched_is_missed() {
    let server = Etcd::start().await;
    let switch = Switch::to(server.address()).await;
    let other = Ask::of(&store(&server).await, "orders");
    ends(&at(switch.address()).await, async |nonce| {
        switch.black_hole();
        assert!(other.release(nonce).await);
        // Whoever comes next has it, and that is not seen either.
        let _ = granted(&other.acquire(7, LONG).await);
        switch.open();
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_is_held_stays_so_while_it_is_watched() {
    let server = Etcd::start().await;
    let store = store(&server).await;
    let locks = Locks::new(store.clone()).watch(store.clone());
    let lease = locks.acquire("orders").ttl(Ttl::try_new(SHORT).unwrap());
    let lease = lease.await.unwrap();
    // Others queue behind it, leave, and are gone; it is renewed.
    let other = Ask::of(&store, "orders");
    for nonce in 2..5 {
        let _ = held(&other.wait(nonce, LONG, ms(500)).await);
    }
    sleep(ms(2000)).await;
    assert!(lease.token().is_ok());
    lease.release().await.unwrap();
}

#[tokio::test]
async fn a_holder_in_a_blackhole_has_lost_it_in_time() {
    let server = Etcd::start().await;
    let patient = async |address| at(address).await.timeout(PATIENT).unwrap();
    served::a_holder_in_a_blackhole_has_lost_it_in_time(&server, patient, Ttl::from_secs(1)).await;
}

#[tokio::test]
async fn what_a_lost_reply_granted_is_found_under_its_nonce() {
    let server = Etcd::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.timeout(ms(500)).unwrap();
    let behind = self::store(&server).await;
    served::what_a_lost_reply_granted_is_found_under_its_nonce(&switch, &store, &behind).await;
}

#[tokio::test]
async fn a_lease_that_has_ended_is_not_used_again() {
    let server = Etcd::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let first = granted(&lock.acquire(1, SHORT).await);
    assert!(lock.release(1).await);
    sleep(first.ttl + KIND.late).await;
    let second = granted(&lock.acquire(1, SHORT).await);
    assert!(second.ttl > SHORT / 2 && second.rank > first.rank);
    let reply = lock.renew(1, second.rank, SHORT).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_recorded_era_wins() {
    let server = Etcd::start().await;
    let (old, new) = (store(&server).await, store(&server).await.era(7));
    served::a_recorded_era_wins(&old, &new).await;
}

/// A rank that another client has seen is one that etcd's revisions have passed: no era is spent on it, which a resource
/// might not believe.
#[tokio::test]
async fn above_what_another_was_granted_the_era_stays() {
    let server = Etcd::start().await;
    let (one, other) = (store(&server).await, store(&server).await);
    let (one, other) = (Ask::of(&one, "orders"), Ask::of(&other, "orders"));
    let _ = granted(&one.acquire(1, LONG).await);
    assert!(one.release(1).await);
    let seen = granted(&other.acquire(2, LONG).await).rank;
    assert!(other.release(2).await);
    let above = granted(&one.claim(3, LONG, Claim::Above(seen)).await).rank;
    assert!(
        above > seen && above.era == seen.era,
        "{above} above {seen}"
    );
    // No revision is that high: an era is.
    let high = Rank::new(above.era, u64::MAX >> 1);
    assert!(one.release(3).await);
    let above = granted(&one.claim(4, LONG, Claim::Above(high)).await).rank;
    assert_eq!(above.era, high.era + 1);
}

#[tokio::test]
async fn ballots_are_above_all_revisions_that_were_granted() {
    let server = Etcd::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    assert!(lock.release(1).await);
    let low = lock.claim(2, LONG, Claim::Exactly(first.rank)).await;
    assert!(
        matches!(low, LeaseReply::Passed { high } if high >= first.rank),
        "{low:?}"
    );
    // Also where others are about to be granted by revision.
    let other = Ask::of(&store(&server).await, "orders");
    let mut last = first.rank;
    for nonce in 3..20 {
        let (high, _) = lock.observe().await;
        let ballot = Rank::new(high.era, high.seq + 2);
        if let LeaseReply::Granted(grant) = lock.claim(nonce, LONG, Claim::Exactly(ballot)).await {
            assert!(grant.rank > last);
            last = grant.rank;
            assert!(lock.release(nonce).await);
        }
        let grant = granted(&other.acquire(nonce, LONG).await);
        assert!(grant.rank > last, "{grant:?} {last}");
        last = grant.rank;
        assert!(other.release(nonce).await);
    }
}

#[tokio::test]
async fn who_is_not_there_is_told() {
    let mut server = Etcd::start().await;
    server.kill();
    let error = EtcdStore::connect(&[server.url()]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let error = EtcdStore::connect(&["no address"]).await.unwrap_err();
    assert!(matches!(error, ConnectError::BadAddress { .. }), "{error}");
}

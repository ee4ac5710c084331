//! Leases in a real PostgreSQL: killed, stopped, restored, slow and silent.
#![cfg(unix)]

use std::net::SocketAddr;
use std::time::Duration;

use murphy_lease::{
    Acquire, ConnectError, LeaseReply, LeaseRequest, PostgresStore, Rank, StoreError,
};
use tests::lease::{Ask, Kind, granted, held, holds};
use tests::ms;
use tests::servers::{Postgres, Switch};
use tokio::time::sleep;

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(300);

const KIND: Kind = Kind {
    shortest: ms(1),
    late: ms(20),
    waits: true,
    is_fair: false,
};

async fn at(address: SocketAddr) -> PostgresStore {
    let url = format!("postgres://postgres@{address}/postgres");
    let store = PostgresStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn store(server: &Postgres) -> PostgresStore {
    at(server.address()).await
}

/// Runs a script, beside the store.
async fn run(server: &Postgres, script: &str) {
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let task = tokio::spawn(connection);
    client.batch_execute(script).await.unwrap();
    task.abort();
}

#[tokio::test]
async fn the_contract_holds() {
    let server = Postgres::start().await;
    holds(&store(&server).await, KIND).await;
}

#[tokio::test]
async fn the_contract_holds_without_prepared_statements_and_in_a_table_of_ones_own() {
    let server = Postgres::start().await;
    run(&server, "CREATE SCHEMA locks").await;
    let store = store(&server).await.unprepared();
    let store = store.table("locks.leases").unwrap();
    store.migrate().await.unwrap();
    holds(&store, KIND).await;
}

#[tokio::test]
async fn the_contract_holds_where_the_database_isolates_more() {
    let server = Postgres::start().await;
    let strict = "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'";
    run(&server, strict).await;
    holds(&store(&server).await, KIND).await;
}

#[tokio::test]
async fn the_contract_holds_over_one_connection_that_comes_late_to_notifications() {
    let server = Postgres::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.connections(1).unwrap();
    switch.delay(ms(3));
    holds(
        &store,
        Kind {
            late: ms(100),
            ..KIND
        },
    )
    .await;
}

#[tokio::test]
async fn many_make_the_table_at_once() {
    let server = Postgres::start().await;
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let lock = Ask::of(&store, "orders");
    let error = lock.say(LeaseRequest::Acquire(lock.wish(1, LONG))).await;
    let said = error.unwrap_err();
    assert!(matches!(&said, StoreError::Unfit { .. }), "{said}");
    let all = (0..20).map(|_| store.migrate());
    for done in futures_util::future::join_all(all).await {
        done.unwrap();
    }
    let _ = granted(&lock.acquire(1, LONG).await);
}

#[tokio::test]
async fn a_release_wakes_who_waits_long_before_he_asks_by_himself() {
    let server = Postgres::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let mut took = Vec::new();
    for turn in 0..20 {
        let _ = granted(&lock.acquire(2 * turn, LONG).await);
        let waiting = lock.wait(2 * turn + 1, LONG, LONG);
        let releasing = async {
            sleep(ms(60)).await;
            assert!(lock.release(2 * turn).await);
            tokio::time::Instant::now()
        };
        let (reply, released) = tokio::join!(waiting, releasing);
        let _ = granted(&reply);
        took.push(released.elapsed());
        assert!(lock.release(2 * turn + 1).await);
    }
    // By himself he asks after half a second at the earliest: one of twenty was told, however busy the machine.
    let soonest = took.iter().min().unwrap();
    assert!(*soonest < ms(300), "{took:?}");
}

#[tokio::test]
async fn who_waits_where_nothing_is_heard_asks_by_himself() {
    let server = Postgres::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    let releasing = async {
        sleep(ms(200)).await;
        // As a release that nobody was told of.
        run(
            &server,
            "UPDATE murphy_lease SET nonce = '', until = 'epoch'",
        )
        .await;
    };
    let (reply, ()) = tokio::join!(lock.wait(2, LONG, LONG), releasing);
    let _ = granted(&reply);
}

#[tokio::test]
async fn a_killed_server_remembers_and_the_client_finds_it_again() {
    let mut server = Postgres::durable().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    let waiting = lock.clone();
    let waiting = tokio::spawn(async move {
        let wish = waiting.wish(3, LONG);
        waiting
            .insist(LeaseRequest::Acquire(Acquire { wait: LONG, ..wish }))
            .await
    });
    sleep(ms(200)).await;
    server.kill();
    let reply = lock.say(LeaseRequest::Acquire(lock.wish(2, LONG))).await;
    assert!(reply.is_err(), "{reply:?}");
    server.restart().await;
    let other = lock.insist(LeaseRequest::Acquire(lock.wish(2, LONG))).await;
    assert_eq!(held(&other).rank, first.rank);
    let reply = lock.renew(1, first.rank, LONG).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
    assert!(lock.release(1).await);
    assert!(granted(&waiting.await.unwrap()).rank > first.rank);
}

#[tokio::test]
async fn rows_that_were_lost_or_restored_are_granted_higher() {
    let server = Postgres::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let mut last = Rank::ZERO;
    let old = granted(&lock.acquire(1, LONG).await).rank;
    for lost in [
        "DELETE FROM murphy_lease".to_owned(),
        "TRUNCATE murphy_lease".to_owned(),
        // A standby that lacks the last writes, or a backup.
        format!(
            "UPDATE murphy_lease SET rank = {}, nonce = '', until = 'epoch'",
            old.seq
        ),
    ] {
        for _ in 0..5 {
            run(&server, &lost).await;
            let grant = granted(&lock.acquire(1, LONG).await);
            assert!(grant.rank > last, "{grant:?} after {last}");
            last = grant.rank;
        }
    }
}

#[tokio::test]
async fn a_server_stopped_for_longer_than_the_lease_has_ended_it() {
    let server = Postgres::start().await;
    let store = store(&server).await.timeout(ms(300)).unwrap();
    let lock = Ask::of(&store, "orders");
    let first = granted(&lock.acquire(1, ms(500)).await);
    server.stop();
    let renewal = lock.renewal(1, first.rank, ms(500));
    assert!(lock.say(renewal.clone()).await.is_err(), "it is silent");
    sleep(ms(700)).await;
    server.go_on();
    let reply = lock.insist(renewal).await;
    assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
    assert!(lock.have(2, LONG).await.rank > first.rank);
}

#[tokio::test]
async fn connections_on_which_nothing_arrives_are_left() {
    let server = Postgres::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.timeout(ms(500)).unwrap();
    let lock = Ask::of(&store, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    switch.black_hole();
    let renewal = lock.renewal(1, first.rank, LONG);
    assert!(lock.say(renewal.clone()).await.is_err());
    // The old connections stay silent for good: only new ones are of use.
    switch.open();
    let reply = lock.insist(renewal).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
}

#[tokio::test]
async fn what_a_lost_reply_granted_is_found_under_its_nonce() {
    let server = Postgres::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.timeout(ms(500)).unwrap();
    let lock = Ask::of(&store, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    assert!(lock.release(1).await);
    switch.delay(ms(5000));
    let wish = LeaseRequest::Acquire(lock.wish(2, LONG));
    let said = lock.say(wish.clone()).await.unwrap_err().to_string();
    assert!(
        said.starts_with("no answer to `acquire` within 500ms"),
        "{said}"
    );
    let (_, holder) = Ask::of(&self::store(&server).await, "orders")
        .observe()
        .await;
    let holder = holder.expect("it was granted");
    switch.delay(ms(0));
    assert_eq!(granted(&lock.insist(wish).await).rank, holder.rank);
}

#[tokio::test]
async fn a_recorded_era_wins() {
    let server = Postgres::start().await;
    let old = Ask::of(&store(&server).await, "orders");
    let new = Ask::of(&store(&server).await.era(7), "orders");
    assert_eq!(granted(&old.acquire(1, LONG).await).rank.era, 0);
    assert!(old.release(1).await);
    assert_eq!(new.observe().await.0, Rank::new(7, 0));
    assert_eq!(granted(&new.acquire(2, LONG).await).rank.era, 7);
    assert!(new.release(2).await);
    assert_eq!(granted(&old.acquire(3, LONG).await).rank.era, 7);
}

#[tokio::test]
async fn who_looks_in_vain_writes_nothing_and_the_first_to_wait_leaves_word() {
    let server = Postgres::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let task = tokio::spawn(connection);
    let version = async || {
        let row = client.query_one(
            "SELECT xmin::text || ctid::text || xmax::text FROM murphy_lease",
            &[],
        );
        row.await.unwrap().get::<_, String>(0)
    };
    let _ = granted(&lock.acquire(1, LONG).await);
    let before = version().await;
    let _ = held(&lock.acquire(2, LONG).await);
    assert_eq!(version().await, before);
    // The first to wait leaves word, the second finds it.
    let _ = held(&lock.wait(2, LONG, ms(100)).await);
    let awaited = version().await;
    assert_ne!(awaited, before);
    let _ = held(&lock.wait(3, LONG, ms(100)).await);
    assert_eq!(version().await, awaited);
    task.abort();
}

#[tokio::test]
async fn who_is_not_there_is_told_at_once() {
    let mut server = Postgres::start().await;
    server.kill();
    let error = PostgresStore::connect(&server.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
}

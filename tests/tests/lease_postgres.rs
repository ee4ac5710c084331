//! Leases in a real PostgreSQL: killed, stopped, restored, slow and silent.
#![cfg(unix)]

use std::net::SocketAddr;
use std::time::Duration;

use murphy_lease::{Claim, ConnectError, LeaseRequest, PostgresStore, Rank, StoreError, Ttl};
use tests::lease::{Ask, Counting, Kind, granted, held, holds, served};
use tests::ms;
use tests::servers::{Postgres, Switch};
use tokio::time::{sleep, timeout};

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(300);

/// A store that waits that long waits longer than any lease here runs.
const PATIENT: Duration = Duration::from_secs(60);

const KIND: Kind = Kind {
    shortest: ms(1),
    late: ms(20),
    waits: true,
    is_fair: false,
    catches_up: false,
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

/// A first one connects and prepares the statements.
#[tokio::test]
async fn an_uncontended_acquire_is_one_round_trip_and_one_commit() {
    let server = Postgres::durable().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await;
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let task = tokio::spawn(connection);
    // The number of the next transaction that writes.
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text";
    let commits = async || {
        let row = client.query_one(next, &[]).await.unwrap();
        row.get::<_, String>(0).parse().unwrap()
    };
    let trips = async || switch.trips();
    served::an_uncontended_acquire_is_one_round_trip_and_one_commit(&store, trips, commits).await;
    task.abort();
}

#[tokio::test]
async fn a_killed_server_remembers_and_is_found_again() {
    let mut server = Postgres::durable().await;
    let store = store(&server).await;
    served::a_killed_server_remembers_and_is_found_again(&mut server, &store, true).await;
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
async fn a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it() {
    let server = Postgres::start().await;
    let store = store(&server).await.timeout(ms(300)).unwrap();
    served::a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it(&server, &store).await;
}

#[tokio::test]
async fn no_stale_write_is_admitted_whatever_befalls_the_server() {
    let mut server = Postgres::start().await;
    let ttl = Ttl::from_millis(500);
    let clients = Counting::start([store(&server).await, store(&server).await], ttl);
    served::no_stale_write_is_admitted(&mut server, &clients, ttl).await;
    clients.finish().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_arrives_is_left() {
    let server = Postgres::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.timeout(ms(500)).unwrap();
    served::a_connection_on_which_nothing_arrives_is_left(&switch, &store).await;
}

#[tokio::test]
async fn a_holder_in_a_blackhole_has_lost_it_in_time() {
    let server = Postgres::start().await;
    let patient = async |address| at(address).await.timeout(PATIENT).unwrap();
    served::a_holder_in_a_blackhole_has_lost_it_in_time(&server, patient, Ttl::from_millis(600))
        .await;
}

#[tokio::test]
async fn what_a_lost_reply_granted_is_found_under_its_nonce() {
    let server = Postgres::start().await;
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await.timeout(ms(500)).unwrap();
    let behind = self::store(&server).await;
    served::what_a_lost_reply_granted_is_found_under_its_nonce(&switch, &store, &behind).await;
}

#[tokio::test]
async fn a_recorded_era_wins() {
    let server = Postgres::start().await;
    let (old, new) = (store(&server).await, store(&server).await.era(7));
    assert_eq!(Ask::of(&new, "orders").observe().await.0, Rank::new(7, 0));
    served::a_recorded_era_wins(&old, &new).await;
}

/// Waits until a statement of the store's waits for a row's lock.
async fn one_waits_for_a_row(client: &tokio_postgres::Client) {
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'murphy-lease' AND wait_event_type = 'Lock')";
    let seen = async {
        while !client
            .query_one(waits, &[])
            .await
            .unwrap()
            .get::<_, bool>(0)
        {
            sleep(ms(5)).await;
        }
    };
    timeout(tests::servers::LONG, seen).await.expect("it waits");
}

#[tokio::test]
async fn what_changed_between_its_look_and_its_grip_is_looked_at_again() {
    let server = Postgres::start().await;
    let store = store(&server)
        .await
        .timeout(Duration::from_secs(60))
        .unwrap();
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let _task = tokio::spawn(connection);
    // What another does, and what is left for one who comes at this rank, at the next ten, or anywhere above.
    let passed = "nonce = '', until = 'epoch', rank = rank + 10";
    let taken = "nonce = 'another', until = now() + interval '1 hour', rank = rank + 1";
    let last = "nonce = '', until = 'epoch', rank = 79228162514264337593543950335";
    for (name, meanwhile, exact, want) in [
        ("an exact rank that was passed", passed, Some(5), "passed"),
        ("an exact rank that was had", passed, Some(10), "passed"),
        (
            "an exact rank that is still free",
            passed,
            Some(11),
            "granted",
        ),
        (
            "an exact rank of a lock that was taken",
            taken,
            Some(5),
            "held",
        ),
        ("any rank of a lock that was taken", taken, None, "held"),
        ("any rank of a lock that is used up", last, None, "passed"),
    ] {
        let lock = Ask::fresh(&store);
        let first = granted(&lock.acquire(1, LONG).await).rank;
        assert!(lock.release(1).await);
        let claim = exact.map_or(Claim::Above(Rank::ZERO), |n| {
            Claim::Exactly(Rank::new(first.era, first.seq + n))
        });
        client.batch_execute("BEGIN").await.unwrap();
        let meanwhile = format!(
            "UPDATE murphy_lease SET {meanwhile} WHERE rank = {}",
            first.seq
        );
        assert_eq!(client.execute(&meanwhile, &[]).await.unwrap(), 1, "{name}");
        let asked = lock.claim(2, LONG, claim);
        let changing = async {
            one_waits_for_a_row(&client).await;
            client.batch_execute("COMMIT").await.unwrap();
        };
        let (reply, ()) = tokio::join!(asked, changing);
        assert_eq!(reply.name(), want, "{name}: {reply:?}");
    }
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

//! Leases in a real Redis: killed, stopped, wiped, failed over, slow and silent.
#![cfg(unix)]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_lease::{Claim, ConnectError, LeaseReply, LeaseRequest, Rank, RedisStore, Ttl};
use tests::lease::{Ask, Counting, Kind, granted, held, holds, served};
use tests::ms;
use tests::servers::{Redis, Switch};

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(300);

/// A store that waits that long waits longer than any lease here runs.
const PATIENT: Duration = Duration::from_secs(60);

async fn store(server: &Redis) -> RedisStore {
    at(server.address()).await
}

/// A store whose server can be changed under it.
async fn switched(server: &Redis) -> (Switch, RedisStore) {
    let switch = Switch::to(server.address()).await;
    let store = at(switch.address()).await;
    (switch, store)
}

async fn at(address: SocketAddr) -> RedisStore {
    let url = format!("redis://{address}");
    RedisStore::connect(&url).await.unwrap()
}

#[tokio::test]
async fn the_contract_holds() {
    let server = Redis::start().await;
    let kind = Kind {
        shortest: ms(1),
        late: ms(20),
        waits: false,
        is_fair: false,
        catches_up: false,
    };
    holds(&store(&server).await, kind).await;
}

#[tokio::test]
async fn ranks_rise_through_whatever_it_forgets() {
    let server = Redis::start().await;
    let store = store(&server).await;
    let lock = Ask::of(&store, "orders");
    let mut last = Rank::ZERO;
    for wipe in ["DEL murphy:lease:orders", "FLUSHALL", "SCRIPT FLUSH"] {
        for _ in 0..20 {
            let grant = granted(&lock.acquire(1, LONG).await);
            assert!(grant.rank > last, "{grant:?} after {last}");
            last = grant.rank;
            // The lease is forgotten while it runs, and the next one is above it all the same.
            server.say(wipe).await;
            lock.release(1).await;
        }
    }
}

/// What it is warned of when it connects: a full Redis that makes room by what it was not asked for the longest.
#[tokio::test]
async fn a_lease_that_is_evicted_is_fenced_by_the_next() {
    let server = Redis::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let said = server.say("INFO memory").await;
    let used = said.split("used_memory:").nth(1).unwrap();
    let used: u64 = used.lines().next().unwrap().trim().parse().unwrap();
    server.say("CONFIG SET maxmemory-policy allkeys-lru").await;
    let full = used + 4_000_000;
    server.say(&format!("CONFIG SET maxmemory {full}")).await;
    let mut last = Rank::ZERO;
    for turn in 0..5 {
        let held = granted(&lock.acquire(turn, LONG).await);
        assert!(held.rank > last, "{held:?} after {last}");
        last = held.rank;
        let mut values = 0;
        while server.say("EXISTS murphy:lease:orders").await.trim() == ":1" {
            assert!(values < 5000, "it is not evicted");
            let value = format!("SETRANGE value-{turn}-{values} 100000 x");
            assert!(server.say(&value).await.starts_with(':'), "{value}");
            values += 1;
        }
        // Its holder learns of it when he renews, and nobody but the fence stops him until then.
        let reply = lock.renew(turn, held.rank, LONG).await;
        assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
    }
    let said = server.say("INFO stats").await;
    assert!(!said.contains("evicted_keys:0"), "{said}");
}

/// A refusal is no answer for good: passwords are changed on one side first.
#[tokio::test]
async fn who_was_refused_a_connection_is_let_in_when_he_may() {
    let server = Redis::start().await;
    server.say("ACL SETUSER worker on >old ~* +@all").await;
    let url = format!("redis://worker:old@{}", server.address());
    let store = RedisStore::connect(&url).await.unwrap();
    let lock = Ask::of(&store, "orders");
    let held = granted(&lock.acquire(1, LONG).await);
    server.say("ACL SETUSER worker resetpass >new").await;
    server.say("CLIENT KILL USER worker").await;
    for _ in 0..3 {
        let request = LeaseRequest::Acquire(lock.wish(1, LONG));
        assert!(lock.say(request).await.is_err());
    }
    server.say("ACL SETUSER worker >old").await;
    assert_eq!(granted(&lock.acquire(1, LONG).await).rank, held.rank);
}

#[tokio::test]
async fn a_password_that_is_asked_for_at_each_dial_may_change() {
    let server = Redis::start().await;
    let (url, password) = (server.address(), Arc::new(Mutex::new("old")));
    server.say("ACL SETUSER worker on >old ~* +@all").await;
    let known = Arc::clone(&password);
    let store = RedisStore::connect_with(move || {
        let password = *known.lock().unwrap();
        async move { io::Result::Ok(format!("redis://worker:{password}@{url}")) }
    });
    let store = store.await.unwrap();
    let lock = Ask::of(&store, "orders");
    let held = granted(&lock.acquire(1, LONG).await);
    for now in ["new", "newer"] {
        let set = format!("ACL SETUSER worker resetpass >{now}");
        server.say(&set).await;
        *password.lock().unwrap() = now;
        server.say("CLIENT KILL USER worker").await;
        // What was under way, if anything, broke with the connection.
        let request = LeaseRequest::Acquire(lock.wish(1, LONG));
        let _ = lock.say(request).await;
        assert_eq!(granted(&lock.acquire(1, LONG).await).rank, held.rank);
    }
    let nowhere = RedisStore::connect_with(|| async { Err::<String, _>("no secret") });
    let error = nowhere.await.unwrap_err();
    assert!(error.to_string().contains("no secret"), "{error}");
    let elsewhere = RedisStore::connect_with(|| async { io::Result::Ok("http://here".to_owned()) });
    let error = elsewhere.await.unwrap_err();
    assert!(matches!(error, ConnectError::BadAddress { .. }), "{error}");
}

#[tokio::test]
async fn a_killed_server_that_kept_all_remembers_and_is_found_again() {
    let mut server = Redis::durable().await;
    let store = store(&server).await;
    served::a_killed_server_remembers_and_is_found_again(&mut server, &store, false).await;
}

#[tokio::test]
async fn a_killed_server_that_kept_nothing_grants_higher() {
    let mut forgetful = Redis::start().await;
    let lock = Ask::of(&store(&forgetful).await, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    forgetful.kill();
    let reply = lock.say(LeaseRequest::Acquire(lock.wish(2, LONG))).await;
    assert!(reply.is_err(), "{reply:?}");
    forgetful.restart().await;
    assert!(lock.have(2, LONG).await.rank > first.rank);
}

#[tokio::test]
async fn a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it() {
    let server = Redis::start().await;
    let store = store(&server).await.timeout(ms(300)).unwrap();
    served::a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it(&server, &store).await;
}

/// A first one takes the script there.
#[tokio::test]
async fn an_uncontended_acquire_is_one_round_trip_and_one_commit() {
    let server = Redis::durable().await;
    let (switch, store) = switched(&server).await;
    // What is written to disk before it is answered, once for each command or script.
    let commits = async || {
        let said = server.say("INFO persistence").await;
        let changes = said.split("rdb_changes_since_last_save:").nth(1).unwrap();
        changes.lines().next().unwrap().trim().parse().unwrap()
    };
    let trips = async || switch.trips();
    served::an_uncontended_acquire_is_one_round_trip_and_one_commit(&store, trips, commits).await;
    let said = server.say("INFO commandstats").await;
    let calls = |command: &str| {
        said.split(command)
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap()
    };
    // One more of each script, which is not there yet.
    assert_eq!(calls("cmdstat_evalsha:calls="), "40", "{said}");
}

/// This Redis keeps nothing: killed, it lets the next one in while the last one's lease still runs.
#[tokio::test]
async fn no_stale_write_is_admitted_whatever_befalls_the_server() {
    let (mut primary, replica) = (Redis::start().await, Redis::start().await);
    let ttl = Ttl::from_millis(500);
    let (switch, store) = switched(&primary).await;
    let clients = Counting::start([store, at(switch.address()).await], ttl);
    served::no_stale_write_is_admitted(&mut primary, &clients, ttl).await;
    replica.follow(primary.address()).await;
    // The link is lost: all that is granted from here on is unknown to the replica.
    replica.say("REPLICAOF NO ONE").await;
    clients.both_write("the link was lost").await;
    clients.one_is_paused().await;
    switch.turn(replica.address());
    clients.both_go_on("a failover").await;
    clients.finish().await;
}

#[tokio::test]
async fn a_replica_that_lacks_the_last_writes_grants_higher() {
    let (primary, replica) = (Redis::start().await, Redis::start().await);
    let (switch, store) = switched(&primary).await;
    let lock = Ask::of(&store, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    replica.follow(primary.address()).await;
    // The link is lost; what comes now does not reach the replica.
    replica.say("REPLICAOF NO ONE").await;
    assert!(lock.release(1).await);
    let mut last = first;
    for nonce in 2..20 {
        last = granted(&lock.acquire(nonce, LONG).await);
        assert!(lock.release(nonce).await);
    }
    let stale = granted(&lock.acquire(20, LONG).await);
    assert!(stale.rank > last.rank);

    switch.turn(replica.address());
    // It believes that the first one holds it still.
    let other = lock
        .insist(LeaseRequest::Acquire(lock.wish(21, LONG)))
        .await;
    assert_eq!(held(&other).rank, first.rank);
    lock.release(1).await;
    let fresh = lock.have(21, LONG).await;
    assert!(fresh.rank > stale.rank, "{fresh:?} {stale:?}");
    let reply = lock.renew(20, stale.rank, LONG).await;
    assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_left_for_the_one_that_its_name_leads_to() {
    let (old, new) = (Redis::start().await, Redis::start().await);
    let (switch, store) = switched(&old).await;
    let lock = Ask::of(&store, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    new.follow(old.address()).await;
    new.say("REPLICAOF NO ONE").await;
    // No connection breaks: the name moves, and the old one is made to follow.
    let to_new = Switch::to(new.address()).await;
    old.follow(to_new.address()).await;
    let reply = lock.say(lock.renewal(1, first.rank, LONG)).await;
    assert!(reply.is_err(), "it cannot write: {reply:?}");
    switch.turn_quietly(new.address());
    let reply = lock.insist(lock.renewal(1, first.rank, LONG)).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_connection_on_which_nothing_arrives_is_left() {
    let server = Redis::start().await;
    let (switch, store) = switched(&server).await;
    let store = store.timeout(ms(1500)).unwrap();
    served::a_connection_on_which_nothing_arrives_is_left(&switch, &store).await;
}

#[tokio::test]
async fn a_holder_in_a_blackhole_has_lost_it_in_time() {
    let server = Redis::start().await;
    let patient = async |address| at(address).await.timeout(PATIENT).unwrap();
    served::a_holder_in_a_blackhole_has_lost_it_in_time(&server, patient, Ttl::from_millis(300))
        .await;
}

#[tokio::test]
async fn what_a_lost_reply_granted_is_found_under_its_nonce() {
    let server = Redis::start().await;
    let (switch, store) = switched(&server).await;
    let store = store.timeout(ms(500)).unwrap();
    let behind = self::store(&server).await;
    served::what_a_lost_reply_granted_is_found_under_its_nonce(&switch, &store, &behind).await;
}

#[tokio::test]
async fn a_recorded_era_wins_and_ballots_below_the_era_are_passed() {
    let server = Redis::start().await;
    let (old, new) = (store(&server).await, store(&server).await.era(7));
    let below = Claim::Exactly(Rank::new(6, u64::MAX));
    let reply = Ask::of(&new, "orders").claim(2, LONG, below).await;
    assert!(
        matches!(reply, LeaseReply::Passed { high } if high.era == 7),
        "{reply:?}"
    );
    served::a_recorded_era_wins(&old, &new).await;
}

#[tokio::test]
async fn rows_that_the_clock_has_passed_are_forgotten_and_others_are_kept() {
    let server = Redis::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let life = async || {
        let said = server.say("TTL murphy:lease:orders").await;
        said.trim().trim_start_matches(':').parse::<i64>().unwrap()
    };
    let week = 7 * 24 * 60 * 60;
    let grant = granted(&lock.acquire(1, LONG).await);
    assert!((week + 200..=week + 301).contains(&life().await));
    // A renewal does not let the row end before the lease.
    let day = Duration::from_secs(86_400);
    lock.renew(1, grant.rank, day).await;
    assert!(life().await > week + 86_000);
    assert!(lock.release(1).await);
    let ahead = Rank::new(0, grant.rank.seq + (1 << 50));
    let _ = granted(&lock.claim(2, LONG, Claim::Above(ahead)).await);
    assert_eq!(life().await, -1);
    assert!(lock.release(2).await);
}

/// Once it were forgotten the store would begin again in its own era, below.
#[tokio::test]
async fn a_row_of_a_later_era_than_the_stores_is_kept() {
    let server = Redis::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let later = Claim::Above(Rank::new(3, 7));
    let grant = granted(&lock.claim(1, LONG, later).await);
    assert_eq!(grant.rank.era, 3);
    assert!(lock.release(1).await);
    let said = server.say("TTL murphy:lease:orders").await;
    assert_eq!(said.trim().trim_start_matches(':'), "-1");
}

#[tokio::test]
async fn a_clock_that_was_set_back_holds_a_lock_no_longer_than_the_lease_is() {
    let server = Redis::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    // Granted in 2100, for 200 ms, to a holder who is gone.
    let (rank, nonce) = ("0000000000.00004102444800000000", "b".repeat(32));
    let row = format!("{rank}+0000410244480000000000000000000000200000{nonce}");
    server.say(&format!("SET murphy:lease:orders {row}")).await;
    let holder = held(&lock.acquire(1, LONG).await);
    assert!(holder.remaining <= ms(200), "{holder:?}");
    tokio::time::sleep(holder.remaining + ms(20)).await;
    let grant = granted(&lock.acquire(1, LONG).await);
    assert!(grant.rank > Rank::new(0, 4_102_444_800_000_000));
    assert!(grant.ttl <= LONG);
}

#[tokio::test]
async fn what_is_not_ours_is_named_and_left_alone() {
    let server = Redis::start().await;
    let lock = Ask::of(&store(&server).await, "orders");
    let dashed = format!("SET murphy:lease:orders {}", "-".repeat(80));
    for foreign in [
        "SET murphy:lease:orders 1",
        dashed.as_str(),
        "HSET murphy:lease:orders rank x nonce y until 1",
    ] {
        server.say("FLUSHALL").await;
        server.say(foreign).await;
        let before = server.say("DUMP murphy:lease:orders").await;
        let asked = [
            lock.renewal(1, Rank::new(0, 1), LONG),
            LeaseRequest::Acquire(lock.wish(1, LONG)),
        ];
        for request in asked {
            let reply = lock.say(request).await;
            assert!(reply.is_err(), "{reply:?}");
        }
        assert_eq!(server.say("DUMP murphy:lease:orders").await, before);
    }
}

#[tokio::test]
async fn who_cannot_keep_leases_is_refused_at_once() {
    let (mut primary, replica) = (Redis::start().await, Redis::start().await);
    replica.follow(primary.address()).await;
    let connect = async |server: &Redis| {
        let url = format!("redis://{}", server.address());
        RedisStore::connect(&url).await
    };
    let error = connect(&replica).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unfit { .. }), "{error}");
    primary.kill();
    let error = connect(&primary).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    // A full server evicts: it is used, with a warning.
    replica.say("REPLICAOF NO ONE").await;
    replica.say("CONFIG SET maxmemory-policy allkeys-lru").await;
    assert!(connect(&replica).await.is_ok());
}

//! A majority of stores that are real servers: three of one kind, and one of each.
#![cfg(unix)]

use std::time::Duration;

use murphy_lease::{EtcdStore, FileStore, MemoryStore, PostgresStore, QuorumStore, RedisStore};
use tests::lease::{Act, BoxStore, Kind, QUORUM, boxed, holds, one_member_may_be_lost};
use tests::ms;
use tests::servers::{Etcd, Postgres, Redis};

async fn redis(server: &Redis) -> BoxStore {
    let url = format!("redis://{}", server.address());
    boxed(RedisStore::connect(&url).await.unwrap())
}

/// Three that forget nothing.
async fn three() -> ([Redis; 3], QuorumStore<BoxStore>) {
    let servers = [
        Redis::durable().await,
        Redis::durable().await,
        Redis::durable().await,
    ];
    let mut members = Vec::new();
    for (name, server) in ["a", "b", "c"].into_iter().zip(&servers) {
        members.push((name, redis(server).await));
    }
    (servers, QuorumStore::try_new(members).unwrap())
}

#[tokio::test]
async fn the_contract_holds_over_three_redis_and_over_two_that_are_left() {
    let (mut servers, store) = three().await;
    holds(&store, QUORUM).await;
    servers[1].kill();
    holds(&store, QUORUM).await;
}

#[tokio::test]
async fn one_of_three_redis_may_be_lost_and_comes_back() {
    let (mut servers, store) = three().await;
    let act = async |act| match act {
        Act::Kill(n) => servers[n].kill(),
        Act::Restart(n) => servers[n].restart().await,
    };
    one_member_may_be_lost(&store, ms(1000), act).await;
}

/// One of each.
struct Mixed {
    redis: Redis,
    postgres: Postgres,
    _etcd: Etcd,
    _folder: tempfile::TempDir,
    store: QuorumStore<BoxStore>,
}

impl Mixed {
    async fn start() -> Self {
        let (redis, postgres) = (Redis::durable().await, Postgres::durable().await);
        let (etcd, folder) = (Etcd::durable().await, tempfile::tempdir().unwrap());
        let table = PostgresStore::connect(&postgres.url()).await.unwrap();
        table.migrate().await.unwrap();
        let file = FileStore::open(folder.path().join("leases")).unwrap();
        let members = [
            ("redis", self::redis(&redis).await),
            ("postgres", boxed(table)),
            (
                "etcd",
                boxed(EtcdStore::connect(&[etcd.url()]).await.unwrap()),
            ),
            ("file", boxed(file)),
            ("memory", boxed(MemoryStore::new())),
        ];
        Self {
            redis,
            postgres,
            _etcd: etcd,
            _folder: folder,
            store: QuorumStore::try_new(members).unwrap(),
        }
    }
}

#[tokio::test]
async fn the_contract_holds_over_one_of_each() {
    let mixed = Mixed::start().await;
    // As etcd's are: whole seconds, and it notices their end late.
    let kind = Kind {
        shortest: Duration::from_secs(1),
        late: ms(3000),
        ..QUORUM
    };
    holds(&mixed.store, kind).await;
}

#[tokio::test]
async fn one_of_each_and_any_may_be_lost_and_comes_back() {
    let mut mixed = Mixed::start().await;
    let store = mixed.store.clone();
    let act = async |act| match act {
        Act::Kill(0) => mixed.redis.kill(),
        Act::Kill(_) => mixed.postgres.kill(),
        Act::Restart(0) => mixed.redis.restart().await,
        Act::Restart(_) => mixed.postgres.restart().await,
    };
    one_member_may_be_lost(&store, ms(2000), act).await;
}

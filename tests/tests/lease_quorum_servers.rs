//! A majority of stores that are real servers: three of one kind, and one of each.
#![cfg(unix)]

use std::sync::Arc;
use std::time::Duration;

use murphy_lease::{
    EtcdStore, FileStore, LeaseReply, LeaseRequest, MemoryStore, PostgresStore, QuorumStore,
    RedisStore,
};
use tests::lease::{Act, BoxStore, Kind, QUORUM, boxed, holds, one_member_may_be_lost};
use tests::ms;
use tests::servers::{Etcd, Postgres, Redis};
use tokio::sync::Mutex;
use tower::{BoxError, Service, ServiceExt, service_fn};

async fn redis(server: &Redis) -> BoxStore {
    let url = format!("redis://{}", server.address());
    in_turn(RedisStore::connect(&url).await.unwrap())
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

/// One request after another: a member that is slow is asked for more before it has done what the majority did, and what overtakes
/// the rest there is seen in what the quorum answers.
fn in_turn<S>(store: S) -> BoxStore
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    let turn = Arc::new(Mutex::new(()));
    boxed(service_fn(move |request| {
        let (turn, store) = (Arc::clone(&turn), store.clone());
        async move {
            let _turn = turn.lock().await;
            store.oneshot(request).await.map_err(Into::into)
        }
    }))
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
        let etcd_store = EtcdStore::connect(&[etcd.url()]).await.unwrap();
        let members = [
            ("redis", self::redis(&redis).await),
            ("postgres", in_turn(table)),
            ("etcd", in_turn(etcd_store)),
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

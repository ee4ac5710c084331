//! The conformance suite on our locks, over real servers.
#![cfg(unix)]

use std::time::Duration;

use tests::conformance::{Etcd, Postgres, Redis, keeps_all};

const TTL: Duration = Duration::from_millis(1500);

/// In whole seconds.
const OF_ETCD: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_redis_all_promises_are_kept() {
    keeps_all(Redis::start(TTL).await, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql_all_promises_are_kept() {
    keeps_all(Postgres::start(TTL).await, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_etcd_all_promises_are_kept() {
    keeps_all(Etcd::start(OF_ETCD).await, &[]).await;
}

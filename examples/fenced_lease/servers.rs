//! Leases in real servers: those that are there, and those that are started for the time.

use std::any::Any;

use anyhow::{Result, bail};
use murphy_lease::{EtcdStore, PostgresStore, RedisStore};
use tests::servers::{Etcd, Postgres, Redis};

use crate::stores::{Store, boxed};

/// The server at this URL. In PostgreSQL the table is made, where it is not there yet.
pub(crate) async fn connect(kind: &str, url: &str) -> Result<Store> {
    Ok(match kind {
        "redis" => boxed(RedisStore::connect(url).await?),
        "postgres" => {
            let store = PostgresStore::connect(url).await?;
            store.migrate().await?;
            boxed(store)
        }
        _ => boxed(EtcdStore::connect(&[url.replacen("etcd:", "http:", 1)]).await?),
    })
}

/// A server of its own on loopback: its URL, and what it ends with.
pub(crate) async fn start(kind: &str) -> Result<(String, Box<dyn Any>)> {
    match kind {
        "redis" => {
            let server = Redis::start().await;
            Ok((format!("redis://{}", server.address()), Box::new(server)))
        }
        "postgres" => {
            let server = Postgres::start().await;
            Ok((server.url(), Box::new(server)))
        }
        "etcd" => {
            let server = Etcd::start().await;
            Ok((format!("etcd://{}", server.address()), Box::new(server)))
        }
        other => bail!("nobody knows how to start `{other}`"),
    }
}

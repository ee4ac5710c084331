//! Ours over the stores that are servers.

use std::net::SocketAddr;
use std::time::Duration;

use murphy_lease::conformance::{BoxError, Rig, Unable, Wire};
use murphy_lease::{EtcdStore, PostgresStore, RedisStore};
use tokio::sync::Mutex;
use tokio_postgres::NoTls;

use super::{Ours, named, shared};
use crate::servers;

/// A Redis that writes to disk before it answers.
#[derive(Debug)]
pub struct Redis {
    server: shared::Redis,
    ttl: Duration,
}

impl Redis {
    /// A new one. Its leases are that long.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(ttl: Duration) -> Self {
        let server = shared::Redis::start().await;
        Self { server, ttl }
    }
}

impl Rig for Redis {
    type Client = Ours;

    fn name(&self) -> String {
        named("Redis")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        let store = RedisStore::connect(&format!("redis://{address}")).await?;
        Ok(Ours::over(store))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.server.wipe().await
    }

    async fn restart(&self) -> Result<(), Unable> {
        self.server.restart().await;
        Ok(())
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// An etcd of one node.
#[derive(Debug)]
pub struct Etcd {
    server: shared::Etcd,
    ttl: Duration,
}

impl Etcd {
    /// A new one. Its leases are that long.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(ttl: Duration) -> Self {
        let server = shared::Etcd::start().await;
        Self { server, ttl }
    }
}

impl Rig for Etcd {
    type Client = Ours;

    fn name(&self) -> String {
        named("etcd")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        let store = EtcdStore::connect(&[format!("http://{address}")]).await?;
        Ok(Ours::over(store))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.server.wipe().await
    }

    async fn restart(&self) -> Result<(), Unable> {
        self.server.restart().await;
        Ok(())
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// A PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    address: SocketAddr,
    server: Mutex<servers::Postgres>,
    ttl: Duration,
}

impl Postgres {
    /// A new one. Its leases are that long.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(ttl: Duration) -> Self {
        let server = servers::Postgres::durable().await;
        let store = PostgresStore::connect(&server.url())
            .await
            .expect("it answers");
        store.migrate().await.expect("a table");
        Self {
            address: server.address(),
            server: Mutex::new(server),
            ttl,
        }
    }
}

impl Rig for Postgres {
    type Client = Ours;

    fn name(&self) -> String {
        named("PostgreSQL")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let address = wire.proxy(self.address).await?;
        let url = format!("postgres://postgres@{address}/postgres");
        Ok(Ours::over(PostgresStore::connect(&url).await?))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        let url = self.server.lock().await.url();
        let connected = tokio_postgres::connect(&url, NoTls).await;
        let (client, connection) = connected.map_err(|_| Unable("it did not connect"))?;
        let driver = tokio::spawn(connection);
        let wiped = client.batch_execute("TRUNCATE murphy_lease").await;
        driver.abort();
        wiped.map_err(|_| Unable("its table could not be emptied"))
    }

    async fn restart(&self) -> Result<(), Unable> {
        let mut server = self.server.lock().await;
        server.kill();
        server.restart().await;
        Ok(())
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

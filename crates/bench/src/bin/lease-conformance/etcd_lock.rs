//! etcd's own lock, as the example of `etcd-client` shows it: a lease is granted, and the lock is bound to it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use etcd_client::LockOptions;
use murphy_lease::conformance::{BoxError, Client, Offer, Rig, Unable, Wire};
use tokio::time::timeout;

use crate::servers::Etcd;
use crate::versions;

pub(crate) struct EtcdLock {
    server: Etcd,
    ttl: Duration,
}

pub(crate) struct Driver(etcd_client::Client);

pub(crate) struct Held {
    key: Vec<u8>,
    lease: i64,
    /// Of the answer: it is above that of any holder before.
    revision: i64,
}

impl EtcdLock {
    pub(crate) async fn start(ttl: Duration) -> anyhow::Result<Self> {
        let server = Etcd::start().await?;
        Ok(Self { server, ttl })
    }
}

impl Rig for EtcdLock {
    type Client = Driver;

    fn name(&self) -> String {
        format!("etcd lock API, {}", versions::named("etcd-client"))
    }

    async fn connect(&self, wire: Wire) -> Result<Driver, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        let client = etcd_client::Client::connect([address.to_string()], None).await?;
        Ok(Driver(client))
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.server.wipe().await
    }

    async fn restart(&self) -> Result<(), Unable> {
        self.server.restart().await
    }

    /// Its keep-alives are sent by hand.
    fn renews(&self) -> bool {
        false
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl Client for Driver {
    type Held = Held;

    /// The call waits for ever: its user ends it.
    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Held, BoxError> {
        let seconds = i64::try_from(ttl.as_secs())?;
        let acquired = async {
            let granted = self.0.lease_client().grant(seconds, None).await?;
            let options = LockOptions::new().with_lease(granted.id());
            let answer = self.0.lock_client().lock(lock, Some(options)).await?;
            Ok::<_, etcd_client::Error>(Held {
                key: answer.key().to_vec(),
                lease: granted.id(),
                revision: answer.header().map_or(0, |header| header.revision()),
            })
        };
        Ok(timeout(patience, acquired).await??)
    }

    async fn release(&self, held: Held) -> Result<(), BoxError> {
        self.0.lock_client().unlock(held.key).await?;
        self.0.lease_client().revoke(held.lease).await?;
        Ok(())
    }

    fn token(&self, held: &Held) -> Offer<Result<u128, BoxError>> {
        Offer::Says(u128::try_from(held.revision).map_err(Into::into))
    }

    fn believes(&self, _: &Held) -> Offer<bool> {
        Offer::Nothing
    }

    fn lost(&self, _: &Held) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        None
    }
}

//! `ash-lock` in etcd, as its README shows it: a guard that is renewed, and a token that is refused once a renewal failed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ash_lock::{Error, EtcdBackend, LockClient, LockConfig, LockGuard};
use murphy_lease::conformance::{BoxError, Client, Offer, Rig, Unable, Wire};
use tokio::time::timeout;

use crate::versions;
use tests::conformance::shared::Etcd;

pub(crate) struct AshLock {
    server: Etcd,
    ttl: Duration,
}

pub(crate) struct Locks(LockClient);

impl AshLock {
    pub(crate) async fn start(ttl: Duration) -> Self {
        let server = Etcd::start().await;
        Self { server, ttl }
    }
}

impl Rig for AshLock {
    type Client = Locks;

    fn name(&self) -> String {
        versions::named("ash-lock")
    }

    async fn connect(&self, wire: Wire) -> Result<Locks, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        let backend = EtcdBackend::connect([address.to_string()], None).await?;
        let config = LockConfig {
            default_ttl: self.ttl,
            watchdog_interval: self.ttl / 3,
            ..LockConfig::default()
        };
        let client = LockClient::connect_with(config, Arc::new(backend)).await?;
        Ok(Locks(client))
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

impl Client for Locks {
    type Held = LockGuard;

    /// It waits for a ttl: who has more patience asks again, and who has less ends the wait.
    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<LockGuard, BoxError> {
        let acquired = async {
            loop {
                let builder = self.0.lock(lock).await.with_ttl(ttl);
                match builder.acquire().await {
                    Err(Error::Timeout { .. }) => {}
                    ended => return ended,
                }
            }
        };
        Ok(timeout(patience, acquired).await??)
    }

    async fn release(&self, held: LockGuard) -> Result<(), BoxError> {
        Ok(held.unlock().await?)
    }

    fn token(&self, held: &LockGuard) -> Offer<Result<u128, BoxError>> {
        let token = held.fencing_token();
        Offer::Says(token.map(u128::from).map_err(Into::into))
    }

    /// What it knows of a loss it says by the token.
    fn believes(&self, held: &LockGuard) -> Offer<bool> {
        Offer::Says(held.fencing_token().is_ok())
    }

    fn lost(&self, _: &LockGuard) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        None
    }
}

//! `distributed-lock-redis`, as its README shows it: `acquire` with a timeout, and a watch that tells of a loss.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use distributed_lock_core::{DistributedLock as _, LockError, LockHandle, LockProvider};
use distributed_lock_redis::{RedisLockHandle, RedisLockProvider};
use murphy_lease::conformance::{BoxError, Client, Offer, Rig, Unable, Wire};
use tokio::time::{Instant, sleep};

use crate::versions;
use tests::conformance::shared::Redis;

pub(crate) struct DistributedLock {
    server: Redis,
    ttl: Duration,
}

pub(crate) struct Provider(RedisLockProvider);

impl DistributedLock {
    pub(crate) async fn start(ttl: Duration) -> Self {
        let server = Redis::start().await;
        Self { server, ttl }
    }
}

impl Rig for DistributedLock {
    type Client = Provider;

    fn name(&self) -> String {
        versions::named("distributed-lock-redis")
    }

    /// Extended at a third of its expiry and valid for nine tenths of it, as by its defaults.
    async fn connect(&self, wire: Wire) -> Result<Provider, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        let provider = RedisLockProvider::builder()
            .url(format!("redis://{address}"))
            .expiry(self.ttl)
            .extension_cadence(self.ttl / 3)
            .min_validity(self.ttl * 9 / 10);
        Ok(Provider(provider.build().await?))
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

impl Client for Provider {
    type Held = RedisLockHandle;

    /// Over one server it does not wait for a holder, whatever its timeout is: its user asks again.
    async fn acquire(
        &self,
        lock: &str,
        _: Duration,
        patience: Duration,
    ) -> Result<RedisLockHandle, BoxError> {
        let lock = self.0.create_lock(lock);
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match lock.acquire(Some(left)).await {
                Err(LockError::Timeout(_)) if Instant::now() < end => {}
                ended => return Ok(ended?),
            }
            sleep(left.min(Duration::from_millis(20))).await;
        }
    }

    async fn release(&self, held: RedisLockHandle) -> Result<(), BoxError> {
        Ok(held.release().await?)
    }

    fn token(&self, _: &RedisLockHandle) -> Offer<Result<u128, BoxError>> {
        Offer::Nothing
    }

    fn believes(&self, held: &RedisLockHandle) -> Offer<bool> {
        Offer::Says(!*held.lost_token().borrow())
    }

    fn lost(&self, held: &RedisLockHandle) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let mut lost = held.lost_token().clone();
        Some(Box::pin(async move {
            // Released or dropped, it says nothing any more.
            if lost.wait_for(|lost| *lost).await.is_err() {
                std::future::pending().await
            }
        }))
    }
}

//! `rslock`, as its README shows it: `acquire`, which waits for ever, and `release`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use murphy_lease::conformance::{BoxError, Client, Offer, Rig, Unable, Wire};
use rslock::{LockGuard, LockManager};
use tokio::time::{Instant, timeout};

use crate::versions;
use tests::conformance::shared::Redis;

pub(crate) struct Rslock {
    server: Redis,
    ttl: Duration,
}

pub(crate) struct Manager(LockManager);

pub(crate) struct Held {
    guard: LockGuard,
    /// By the validity that it gives.
    until: Instant,
}

impl Rslock {
    pub(crate) async fn start(ttl: Duration) -> Self {
        let server = Redis::start().await;
        Self { server, ttl }
    }
}

impl Rig for Rslock {
    type Client = Manager;

    fn name(&self) -> String {
        versions::named("rslock")
    }

    async fn connect(&self, wire: Wire) -> Result<Manager, BoxError> {
        let address = wire.proxy(self.server.address).await?;
        Ok(Manager(LockManager::new(vec![format!(
            "redis://{address}"
        )])))
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.server.wipe().await
    }

    async fn restart(&self) -> Result<(), Unable> {
        self.server.restart().await;
        Ok(())
    }

    /// There is `extend`, to be called by hand.
    fn renews(&self) -> bool {
        false
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl Client for Manager {
    type Held = Held;

    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Held, BoxError> {
        let guard = timeout(patience, self.0.acquire(lock, ttl)).await??;
        let valid = u64::try_from(guard.lock.validity_time)?;
        let until = Instant::now() + Duration::from_millis(valid);
        Ok(Held { guard, until })
    }

    async fn release(&self, held: Held) -> Result<(), BoxError> {
        held.guard.release().await;
        Ok(())
    }

    fn token(&self, _: &Held) -> Offer<Result<u128, BoxError>> {
        Offer::Nothing
    }

    fn believes(&self, held: &Held) -> Offer<bool> {
        Offer::Says(Instant::now() < held.until)
    }

    fn lost(&self, _: &Held) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        None
    }
}

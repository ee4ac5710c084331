//! etcd's own lock by `etcd-client`, as its examples show it: a lease is granted and kept alive, and the lock is bound to it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use etcd_client::{LeaseClient, LockOptions};
use murphy_lease::conformance::{BoxError, Client, Offer, Rig, Unable, Wire};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::versions;
use tests::conformance::shared::Etcd;

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
    is_alive: watch::Receiver<bool>,
    /// Ends when it is dropped.
    keeper: JoinSet<()>,
}

impl EtcdLock {
    pub(crate) async fn start(ttl: Duration) -> Self {
        let server = Etcd::start().await;
        Self { server, ttl }
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
        self.server.restart().await;
        Ok(())
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl Client for Driver {
    type Held = Held;

    /// The call waits for ever: its user ends it. The lease is kept alive while it waits, too.
    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Held, BoxError> {
        let seconds = i64::try_from(ttl.as_secs())?;
        let acquired = async {
            let granted = self.0.lease_client().grant(seconds, None).await?;
            let lease = granted.id();
            let (alive, is_alive) = watch::channel(true);
            let (leases, mut keeper) = (self.0.lease_client(), JoinSet::new());
            keeper.spawn(async move {
                let _ = keep_alive(leases, lease, ttl / 3).await;
                alive.send_replace(false);
            });
            let options = LockOptions::new().with_lease(lease);
            let answer = self.0.lock_client().lock(lock, Some(options)).await?;
            Ok::<_, etcd_client::Error>(Held {
                key: answer.key().to_vec(),
                lease,
                revision: answer.header().map_or(0, |header| header.revision()),
                is_alive,
                keeper,
            })
        };
        Ok(timeout(patience, acquired).await??)
    }

    async fn release(&self, held: Held) -> Result<(), BoxError> {
        drop(held.keeper);
        self.0.lock_client().unlock(held.key).await?;
        self.0.lease_client().revoke(held.lease).await?;
        Ok(())
    }

    fn token(&self, held: &Held) -> Offer<Result<u128, BoxError>> {
        Offer::Says(u128::try_from(held.revision).map_err(Into::into))
    }

    /// As its keep-alives say.
    fn believes(&self, held: &Held) -> Offer<bool> {
        Offer::Says(*held.is_alive.borrow())
    }

    fn lost(&self, held: &Held) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let mut is_alive = held.is_alive.clone();
        Some(Box::pin(async move {
            // Released or dropped, it says nothing any more.
            if is_alive.wait_for(|alive| !alive).await.is_err() {
                std::future::pending().await
            }
        }))
    }
}

/// Until the lease is over, or an error.
async fn keep_alive(
    mut leases: LeaseClient,
    lease: i64,
    each: Duration,
) -> Result<(), etcd_client::Error> {
    let (mut keeper, mut answers) = leases.keep_alive(lease).await?;
    loop {
        keeper.keep_alive().await?;
        match answers.message().await? {
            Some(answer) if answer.ttl() > 0 => sleep(each).await,
            _ => return Ok(()),
        }
    }
}

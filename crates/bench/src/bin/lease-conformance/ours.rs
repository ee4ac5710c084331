//! Ours, over each store.

mod embedded;
mod served;

pub(crate) use embedded::{File, Memory, Quorum};
pub(crate) use served::{Etcd, Postgres, Redis};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use murphy_lease::conformance::{BoxError, Client, Offer};
use murphy_lease::{Lease, LeaseReply, LeaseRequest, LeaseStore, Locks, Ttl};
use tower::ServiceExt;
use tower::util::BoxCloneService;

type Store = BoxCloneService<LeaseRequest, LeaseReply, BoxError>;

/// A program that holds our client.
pub(crate) struct Ours(Locks<Store>);

impl Ours {
    fn over<S: LeaseStore<Error: Into<BoxError>>>(store: S) -> Self {
        let store = store.map_err(Into::into);
        Self(Locks::new(BoxCloneService::new(store)))
    }
}

fn named(store: &str) -> String {
    format!("murphy, {store}")
}

impl Client for Ours {
    type Held = Lease;

    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Lease, BoxError> {
        let lease = self.0.acquire(lock).ttl(Ttl::try_new(ttl)?);
        Ok(lease.deadline(patience).await?)
    }

    async fn release(&self, held: Lease) -> Result<(), BoxError> {
        Ok(held.release().await?)
    }

    fn token(&self, held: &Lease) -> Offer<Result<u128, BoxError>> {
        let rank = held.token().map(|token| token.rank());
        let number = rank.map(|rank| u128::from(rank.era) << 64 | u128::from(rank.seq));
        Offer::Says(number.map_err(Into::into))
    }

    fn believes(&self, held: &Lease) -> Offer<bool> {
        Offer::Says(!held.remaining().is_zero())
    }

    fn lost(&self, held: &Lease) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let held = held.held();
        Some(Box::pin(async move {
            held.lost().await;
        }))
    }
}

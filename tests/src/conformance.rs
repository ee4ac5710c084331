//! Our locks as the conformance suite wants them, over each store; and servers that a rig wipes and restarts.

mod embedded;
#[cfg(all(unix, feature = "servers"))]
mod served;
#[cfg(all(unix, feature = "servers"))]
pub mod shared;
#[cfg(unix)]
mod socket;

pub use embedded::{File, Memory, Quorum};
#[cfg(all(unix, feature = "servers"))]
pub use served::{Etcd, Postgres, Redis};
#[cfg(unix)]
pub use socket::Socket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::clock::{Drift, SkewedClock};
use murphy_lease::conformance::{BoxError, Client, Offer, Promise, Rig, Verdict, examine};
use murphy_lease::{Lease, LeaseReply, LeaseRequest, LeaseStore, Locks, Ttl};
use tower::ServiceExt;
use tower::util::BoxCloneService;

type Store = BoxCloneService<LeaseRequest, LeaseReply, BoxError>;

/// A program that holds our client.
#[derive(Debug)]
pub struct Ours(Locks<Store>);

impl Ours {
    fn over<S: LeaseStore<Error: Into<BoxError>>>(store: S) -> Self {
        let store = store.map_err(Into::into);
        Self(Locks::new(BoxCloneService::new(store)))
    }

    /// By a clock of half the rate, which it knows.
    fn slow(self) -> Self {
        let half = |sign: f64| Drift::ppm(sign * 500_000.0).expect("a rate");
        let clock = SkewedClock::new().drift(half(-1.0));
        Self(self.0.clock(Arc::new(clock)).drift(half(1.0)))
    }
}

/// Puts a rig to the test: it keeps every promise but those that it cannot be made to break.
///
/// # Panics
///
/// Where it does not.
pub async fn keeps_all<R: Rig>(rig: R, but: &[Promise]) {
    let report = examine(rig).await;
    for (promise, verdict) in report.verdicts() {
        let as_wanted = match verdict {
            Verdict::Unable(_) => but.contains(promise),
            verdict => *verdict == Verdict::Kept,
        };
        assert!(as_wanted, "{report}");
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

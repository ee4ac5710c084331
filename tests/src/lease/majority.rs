//! [`one_member_may_be_lost`]: what a quorum of stores promises beside the contract, whatever its members are.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use murphy_lease::{LeaseReply, LeaseRequest, Rank};
use tokio::time::sleep;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

use super::ask::{Ask, granted, held};
use super::contract::Kind;
use crate::ms;

/// Any store: members of one quorum are of one type.
pub type BoxStore = BoxCloneSyncService<LeaseRequest, LeaseReply, BoxError>;

/// A quorum whose members keep to short leases. It has no queue.
pub const QUORUM: Kind = Kind {
    shortest: ms(300),
    late: ms(100),
    waits: false,
    is_fair: false,
    catches_up: true,
};

/// What is to be done to a member.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// It ends, and whoever asks it is refused.
    Kill(usize),
    /// It is started where it was.
    Restart(usize),
}

/// A store as one of any.
pub fn boxed<S>(store: S) -> BoxStore
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    BoxStore::new(store.map_err(Into::into))
}

/// Killed, one costs nobody anything; back again, it has the lease that runs by its next renewal, so that then another may be killed.
///
/// # Panics
///
/// If a lease is lost, or another gets it, or ranks do not rise.
pub async fn one_member_may_be_lost<S>(store: &S, ttl: Duration, mut act: impl AsyncFnMut(Act))
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let lock = Ask::of(store, "orders");
    let first = granted(&lock.acquire(1, ttl).await);
    keep(&lock, 1, (first.rank, ttl), act(Act::Kill(0))).await;
    assert_eq!(held(&lock.acquire(2, ttl).await).rank, first.rank);
    assert!(lock.release(1).await);
    let second = lock.have(2, ttl).await;
    assert!(second.rank > first.rank);
    // It was not there when this was granted.
    keep(&lock, 2, (second.rank, ttl), act(Act::Restart(0))).await;
    keep(&lock, 2, (second.rank, ttl), act(Act::Kill(1))).await;
    assert_eq!(held(&lock.acquire(3, ttl).await).rank, second.rank);
    keep(&lock, 2, (second.rank, ttl), act(Act::Restart(1))).await;
    assert!(lock.release(2).await);
    let third = lock.have(3, ttl).await;
    assert!(third.rank > second.rank);
}

/// Renews while that is done, and for twice as long as the lease is from then on. No answer is no loss.
async fn keep<S>(
    lock: &Ask<S>,
    nonce: u128,
    (rank, ttl): (Rank, Duration),
    done: impl Future<Output = ()>,
) where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let ends = async {
        done.await;
        sleep(ttl * 2).await;
    };
    let renewing = async {
        loop {
            let reply = lock.say(lock.renewal(nonce, rank, ttl)).await;
            let is_kept = matches!(reply, Ok(LeaseReply::Renewed { .. }) | Err(_));
            assert!(is_kept, "{reply:?}");
            sleep(ttl / 10).await;
        }
    };
    select(pin!(renewing), pin!(ends)).await;
}

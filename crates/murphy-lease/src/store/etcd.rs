//! [`EtcdStore`]: leases in etcd.

mod answer;
mod keys;
mod leases;
mod link;
mod own;
mod place;
mod queue;
mod state;
mod take;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use murphy_core::clock::BootClock;
use murphy_core::{BadKnob, Clock};
use tokio::sync::Semaphore;
use tower_service::Service;

use self::leases::Leases;
use self::link::Link;
use self::own::WATCHES;
use self::place::Places;
use self::state::Era;
use super::error::{ConnectError, Patience, StoreError};
use crate::{LeaseReply, LeaseRequest};

/// Leases in etcd. All clones share a connection.
///
/// Each holder has a key of its own, on a lease of etcd's: the first that was made holds the lock, and the number of its
/// grant is the revision at which it was made, which etcd raises with every change and never lowers, unless it is
/// restored from a snapshot: then raise the [`era`](Self::era). An acquire that nobody is in the way of is one
/// transaction, on a lease that was used before if one still runs, else on a new one, which is one more.
///
/// etcd's leases are whole seconds, and not shorter than one and a half times its election timeout (2 s by default): a
/// shorter one is rounded up, and the grant says so. A renewal is answered from the key and not from the lease alone, for
/// etcd has been known to renew leases that it had revoked; one that asks for longer than the lease is costs a commit.
///
/// A request that waits (`Acquire::wait`) queues: first come, first served. It watches the key before its own, and its
/// own, which is gone if its lease ends.
///
/// When it has waited for as long as it would, its place is kept for a second by a task of the runtime in which it was asked for, at
/// most 1024 of them a store; if its turn comes meanwhile it leaves the line, and who asks again begins at the end of it. Whatever
/// is dropped with its runtime, killed, or cut off from etcd, leaves its place to the lease: when its turn comes, others wait for
/// as long as that still runs.
///
/// [`Claim::Exactly`](crate::Claim::Exactly) takes one more round trip, and makes ballots of a lock's ranks for good: a
/// key of its own keeps the highest for ever, and nobody queues there. All else leaves nothing behind but the era.
///
/// Each grant makes a key and each release deletes it; etcd keeps the names until it is compacted, and looks through those
/// of a lock at each acquire: a thousand grants of a lock since the last compaction make an acquire of it some 0.1 ms slower. Let it
/// compact by itself (`--auto-compaction-retention`): without that, which is its default, that grows without a bound. A watch
/// whose place was compacted away begins anew.
///
/// # After a restart
///
/// etcd keeps all of it: leases, keys, revisions and the era. But it does not know how long it was away: once it has a leader
/// again, after a restart as after a failover, each lease runs for its *whole* ttl once more, and an election timeout (1 s) on top.
/// A holder that lives renews, if etcd is back in time; it counts from its own requests, so that it is over for it long before etcd
/// grants it to another. One that is gone stands in the way for that much longer: with a lease of 2 s and etcd away for 4 s, the next
/// grant came 4.0 s after it was back. Who waits in line keeps its place by a lease as well. A member that lost its data joins anew; a
/// cluster that lost it begins with low revisions: raise the [`era`](Self::era).
///
/// # Building
///
/// To build it takes `protoc` and the well-known protobuf types (Debian: `protobuf-compiler`, `libprotobuf-dev`).
///
/// A holder can [watch](crate::Watch) its own key: `Locks::new(store.clone()).watch(store)`.
///
/// A connection on which nothing arrives is given up after eight seconds (etcd would take offence at being asked for a sign of life
/// more often), and dialled anew before that where calls waited in vain for half the [`timeout`](Self::timeout), and none
/// was answered meanwhile. Of several endpoints one that is silent among others that answer takes the eight seconds.
///
/// # Cancel safety
///
/// A call that is dropped may have been carried out: ask again under its nonce, or release by it. One that waits and is
/// dropped leaves the queue, in the background.
#[derive(Clone)]
pub struct EtcdStore {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<Link>,
    /// Room for those who watch their own keys.
    watches: Arc<Semaphore>,
    prefix: String,
    era: u32,
    patience: Patience,
    leases: Leases,
    /// Of those that wait, and of those that have for as long as they would.
    places: Places,
    /// The era that is recorded, as far as we know: each transaction checks.
    known: Mutex<Option<Era>>,
    /// The highest revision that we saw: the next is above it.
    revision: AtomicI64,
}

impl EtcdStore {
    /// The cluster with these endpoints, without TLS: `http://host:port`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where one is no address, or does not begin with `http://`, and where nobody answers within five seconds.
    pub async fn connect<E: AsRef<str>>(endpoints: &[E]) -> Result<Self, ConnectError> {
        endpoints.iter().try_for_each(|e| plain(e.as_ref()))?;
        let options = ConnectOptions::new()
            .with_connect_timeout(Duration::from_secs(2))
            // A connection on which nothing arrives is given up. Who asks more often than each five seconds is taken for
            // a nuisance by etcd, and cut off.
            .with_keep_alive(Duration::from_secs(6), Duration::from_secs(2));
        let client = Client::connect(endpoints, Some(options)).await;
        let endpoints = endpoints.iter().map(|e| e.as_ref().to_owned()).collect();
        let client = client.map_err(|e| no_address(e.into()))?;
        let store = Self::over(Link::new(client, endpoints));
        let unreachable = |source| ConnectError::Unreachable {
            server: "etcd",
            source,
        };
        let mut kv = store.shared.link.client().kv_client();
        let asked = kv.get("murphy-lease/era", None);
        let told = tokio::time::timeout(Duration::from_secs(5), asked).await;
        told.map_err(|e| unreachable(e.into()))?
            .map_err(|e| unreachable(e.into()))?;
        Ok(store)
    }

    /// Over a client of your own: with TLS, or a password. It is not dialled anew: give it a keep-alive, or a connection on which
    /// nothing arrives is kept for minutes.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self::over(Link::new(client, Vec::new()))
    }

    fn over(link: Link) -> Self {
        let shared = Arc::new(Shared {
            link: Arc::new(link),
            watches: Arc::new(Semaphore::new(WATCHES)),
            prefix: "murphy-lease/".into(),
            era: 0,
            patience: Patience::DEFAULT,
            leases: Leases::on(Arc::new(BootClock::new())),
            places: Places::default(),
            known: Mutex::new(None),
            revision: AtomicI64::new(0),
        });
        Self { shared }
    }

    /// What the names of its keys begin with; `murphy-lease/` unless set.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        let prefix = prefix.into();
        self.with(|shared| Shared { prefix, ..shared })
    }

    /// The era of what it grants; 0 unless set. Raise it when revisions could fall: after a restore from a snapshot, for
    /// all that use this cluster. It is recorded there, and where a higher one is, that is kept.
    #[must_use]
    pub fn era(self, era: u32) -> Self {
        self.with(|shared| Shared { era, ..shared })
    }

    /// By which clock it counts what is left of etcd's leases; [`BootClock`] unless set, which counts what the
    /// machine slept.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        let leases = Leases::on(clock);
        self.with(|shared| Shared { leases, ..shared })
    }

    /// For how long an answer is waited for; 2 s unless set. What a request waits for its turn is not counted.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] below 1 ms or above an hour.
    pub fn timeout(self, timeout: Duration) -> Result<Self, BadKnob> {
        let patience = Patience::try_new(timeout)?;
        Ok(self.with(|shared| Shared { patience, ..shared }))
    }

    /// Another store, which begins without leases.
    fn with(self, change: impl FnOnce(Shared) -> Shared) -> Self {
        let Shared {
            link,
            watches,
            prefix,
            era,
            patience,
            leases,
            ..
        } = &*self.shared;
        let shared = change(Shared {
            link: Arc::clone(link),
            watches: Arc::clone(watches),
            prefix: prefix.clone(),
            era: *era,
            patience: *patience,
            leases: leases.emptied(),
            places: Places::default(),
            known: Mutex::new(None),
            revision: AtomicI64::new(0),
        });
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl Service<LeaseRequest> for EtcdStore {
    type Response = LeaseReply;
    type Error = StoreError;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, StoreError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(shared.answer(request))
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore")
            .field("prefix", &self.shared.prefix)
            .field("era", &self.shared.era)
            .finish_non_exhaustive()
    }
}

/// The driver adds what is missing by itself: then a typing error is an address, too.
fn plain(endpoint: &str) -> Result<(), ConnectError> {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("http") => Ok(()),
        Some("https") => Err(no_address(
            format!(
                "`{endpoint}` is with TLS, which takes `EtcdStore::new` and a client that has it"
            )
            .into(),
        )),
        _ => Err(no_address(
            format!("`{endpoint}` does not begin with `http://`").into(),
        )),
    }
}

fn no_address(source: Box<dyn std::error::Error + Send + Sync>) -> ConnectError {
    ConnectError::BadAddress {
        server: "etcd",
        source,
        example: "http://127.0.0.1:2379",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endpoint_without_http_is_refused_before_anybody_is_asked() {
        for (endpoint, said) in [
            (
                "127.0.0.1:2379",
                "not an address of etcd: `127.0.0.1:2379` does not begin with `http://`: write `http://127.0.0.1:2379`",
            ),
            (
                "https://etcd:2379",
                "not an address of etcd: `https://etcd:2379` is with TLS, which takes `EtcdStore::new` and a client that has it: write `http://127.0.0.1:2379`",
            ),
            (
                "etcd://etcd:2379",
                "not an address of etcd: `etcd://etcd:2379` does not begin with `http://`: write `http://127.0.0.1:2379`",
            ),
        ] {
            let endpoints = ["http://127.0.0.1:9", endpoint];
            let error = EtcdStore::connect(&endpoints).await.unwrap_err();
            assert!(matches!(error, ConnectError::BadAddress { .. }), "{error}");
            assert_eq!(error.to_string(), said);
        }
    }
}

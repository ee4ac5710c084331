//! [`EtcdStore`]: leases in etcd.

mod keys;
mod leases;
mod queue;
mod state;
mod take;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, DeleteOptions, KeyValue, PutOptions, Txn, TxnOp,
    TxnOpResponse, TxnResponse,
};
use murphy_core::clock::BootClock;
use murphy_core::{BadKnob, Clock};
use tower_service::Service;

use self::keys::{Keys, rank_of_key};
use self::leases::{Kept, Leases};
use self::state::{Era, State, read};
use super::error::{ConnectError, Patience, StoreError};
use crate::{Acquire, Holder, LeaseReply, LeaseRequest, Nonce, Renew};

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
/// [`Claim::Exactly`](crate::Claim::Exactly) takes one more round trip, and makes ballots of a lock's ranks for good: a
/// key of its own keeps the highest for ever, and nobody queues there. All else leaves nothing behind but the era.
///
/// To build it takes `protoc` and the well-known protobuf types (Debian: `protobuf-compiler`, `libprotobuf-dev`).
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
    client: Client,
    prefix: String,
    era: u32,
    patience: Patience,
    leases: Leases,
    /// The era that is recorded, as far as we know: each transaction checks.
    known: Mutex<Option<Era>>,
    /// The highest revision that we saw: the next is above it.
    revision: AtomicI64,
}

/// How often an acquire is repeated whose transaction found something changed.
const REPEATS: usize = 20;

impl EtcdStore {
    /// The cluster with these endpoints, without TLS: `http://host:port`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where one is no address, and where nobody answers within five seconds.
    pub async fn connect<E: AsRef<str>>(endpoints: &[E]) -> Result<Self, ConnectError> {
        let options = ConnectOptions::new()
            .with_connect_timeout(Duration::from_secs(2))
            // A connection on which nothing arrives is given up.
            .with_keep_alive(Duration::from_secs(1), Duration::from_secs(1));
        let client = Client::connect(endpoints, Some(options)).await;
        let client = client.map_err(|e| ConnectError::BadAddress {
            server: "etcd",
            source: e.into(),
            example: "http://127.0.0.1:2379",
        })?;
        let store = Self::new(client);
        let unreachable = |source| ConnectError::Unreachable {
            server: "etcd",
            source,
        };
        let mut kv = store.shared.client.kv_client();
        let asked = kv.get("murphy-lease/era", None);
        let told = tokio::time::timeout(Duration::from_secs(5), asked).await;
        told.map_err(|e| unreachable(e.into()))?
            .map_err(|e| unreachable(e.into()))?;
        Ok(store)
    }

    /// Over a client of your own: with TLS, or a password. Give it a keep-alive, or a connection on which nothing
    /// arrives is kept for minutes.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let shared = Arc::new(Shared {
            client,
            prefix: "murphy-lease/".into(),
            era: 0,
            patience: Patience::DEFAULT,
            leases: Leases::on(Arc::new(BootClock::new())),
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
            client,
            prefix,
            era,
            patience,
            leases,
            ..
        } = &*self.shared;
        let shared = change(Shared {
            client: client.clone(),
            prefix: prefix.clone(),
            era: *era,
            patience: *patience,
            leases: leases.fresh(),
            known: Mutex::new(None),
            revision: AtomicI64::new(0),
        });
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl Shared {
    async fn answer(self: &Arc<Self>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        let keys = Keys::of(&self.prefix, request.lock());
        let verb = request.verb();
        match request {
            LeaseRequest::Acquire(acquire) => self.acquire(&keys, &acquire).await,
            LeaseRequest::Renew(renew) => self.bound(verb, self.renew(&keys, &renew)).await,
            LeaseRequest::Release { nonce, .. } => {
                self.bound(verb, self.release(&keys, nonce)).await
            }
            LeaseRequest::Observe { .. } => self.bound(verb, self.observe(&keys)).await,
        }
    }

    async fn bound<T>(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.patience.bound(verb, work).await
    }

    async fn txn(&self, verb: &'static str, txn: Txn) -> Result<TxnResponse, StoreError> {
        let reply = self.client.kv_client().txn(txn).await;
        reply.map_err(|e| StoreError::failed(verb, e))
    }

    /// A transaction that puts on this lease; `None` if that has ended.
    async fn commit(
        &self,
        verb: &'static str,
        lease: Kept,
        txn: Txn,
    ) -> Result<Option<TxnResponse>, StoreError> {
        match self.client.kv_client().txn(txn).await {
            Ok(reply) => Ok(Some(reply)),
            Err(e) if is_ended(&e) => {
                self.leases.forget(lease.id);
                Ok(None)
            }
            Err(e) => {
                self.leases.forget(lease.id);
                Err(StoreError::failed(verb, e))
            }
        }
    }

    async fn lease(&self, asked: &Acquire) -> Result<Kept, StoreError> {
        let mut client = self.client.lease_client();
        let lease = self.leases.take(&mut client, asked.ttl.get()).await;
        lease.map_err(|e| StoreError::failed("acquire", e))
    }

    /// Ends a lease, and with it what hangs on it.
    async fn leave(&self, lease: Kept) -> Result<(), StoreError> {
        self.leases.forget(lease.id);
        match self.client.lease_client().revoke(lease.id).await {
            Err(e) if !is_ended(&e) => Err(StoreError::failed("acquire", e)),
            _ => Ok(()),
        }
    }

    async fn state(&self, verb: &'static str, keys: &Keys) -> Result<State, StoreError> {
        let reply = self.txn(verb, Txn::new().and_then(read(keys))).await?;
        let state = State::from(verb, &reply)?;
        self.seen(state.revision);
        Ok(state)
    }

    fn seen(&self, revision: i64) {
        self.revision.fetch_max(revision, Relaxed);
    }

    fn know(&self, era: Era) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(era);
    }

    /// Who holds it, and for how long: up to a second longer than it is, for etcd tells whole seconds, rounded down, and
    /// takes a while to end a lease.
    async fn holder(&self, key: &KeyValue) -> Result<Holder, StoreError> {
        let mut client = self.client.lease_client();
        let lease = self.leases.find(&mut client, key.lease()).await;
        let lease = lease.map_err(|e| StoreError::failed("acquire", e))?;
        let left = lease.map_or(Duration::ZERO, |lease| self.leases.left(&lease));
        Ok(Holder {
            rank: rank_of_key(key).unwrap_or_default(),
            remaining: left + Duration::from_secs(1),
        })
    }

    async fn renew(&self, keys: &Keys, asked: &Renew) -> Result<LeaseReply, StoreError> {
        let verb = "renew";
        let before = self.state(verb, keys).await?;
        let renewed = match before.holds(keys, asked.nonce, asked.rank) {
            Some(key) => self.renewed(key, asked.ttl.get()).await?,
            None => None,
        };
        // The lease alone is no proof.
        let after = self.state(verb, keys).await?;
        match renewed.filter(|_| after.holds(keys, asked.nonce, asked.rank).is_some()) {
            Some(lease) => {
                let ttl = self.leases.left(&lease);
                Ok(LeaseReply::Renewed { ttl })
            }
            None => {
                let high = after.high(self.era);
                Ok(LeaseReply::NotHolder { high })
            }
        }
    }

    /// The lease of that key begins anew; one that is too short is exchanged for a longer one. `None` if it has ended.
    async fn renewed(&self, key: &KeyValue, ttl: Duration) -> Result<Option<Kept>, StoreError> {
        let failed = |e| StoreError::failed("renew", e);
        let mut client = self.client.lease_client();
        let lease = self.leases.find(&mut client, key.lease()).await;
        let Some(lease) = lease.map_err(failed)? else {
            return Ok(None);
        };
        if lease.ttl < ttl {
            let longer = self.leases.take(&mut client, ttl).await.map_err(failed)?;
            let reply = self.commit("renew", longer, moved(key, longer)).await?;
            self.leases.forget(lease.id);
            return Ok(reply.filter(TxnResponse::succeeded).map(|_| longer));
        }
        match self.leases.keep_alive(&mut client, lease).await {
            Ok(fresh) => Ok(Some(fresh)),
            Err(e) if is_ended(&e) => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }

    async fn release(&self, keys: &Keys, nonce: Nonce) -> Result<LeaseReply, StoreError> {
        let own = keys.own(nonce);
        let is_there = Compare::create_revision(own.clone(), CompareOp::Greater, 0);
        let [queue, ..] = read(keys);
        let delete = TxnOp::delete(own.clone(), Some(DeleteOptions::new().with_prev_key()));
        let txn = Txn::new().when([is_there]).and_then([queue, delete]);
        let reply = self.txn("release", txn).await?;
        let mut was_held = false;
        for op in reply.op_responses() {
            match op {
                TxnOpResponse::Get(queue) => {
                    let holder = queue.kvs().first();
                    was_held = holder.is_some_and(|key| key.key() == own.as_bytes());
                }
                TxnOpResponse::Delete(deleted) => {
                    let leases = deleted.prev_kvs().iter().map(KeyValue::lease);
                    leases.for_each(|lease| self.leases.give_back(lease));
                }
                _ => {}
            }
        }
        Ok(LeaseReply::Released { was_held })
    }

    async fn observe(&self, keys: &Keys) -> Result<LeaseReply, StoreError> {
        let state = self.state("observe", keys).await?;
        let high = state.high(self.era);
        let holder = match state.holder() {
            Some(key) => Some(self.holder(key).await?),
            None => None,
        };
        Ok(LeaseReply::Observed { high, holder })
    }
}

/// The same key on another lease, if nothing came between: where it was made stays, and so does its rank.
fn moved(key: &KeyValue, lease: Kept) -> Txn {
    let ours = Compare::mod_revision(key.key(), CompareOp::Equal, key.mod_revision());
    let options = PutOptions::new().with_lease(lease.id);
    let put = TxnOp::put(key.key(), key.value(), Some(options));
    Txn::new().when([ours]).and_then([put])
}

/// That lease has ended.
fn is_ended(error: &etcd_client::Error) -> bool {
    match error {
        etcd_client::Error::LeaseKeepAliveError(_) => true,
        // `tonic::Code::NotFound`, without a dependency on tonic.
        etcd_client::Error::GRpcStatus(status) => i32::from(status.code()) == 5,
        _ => false,
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
        Box::pin(async move { shared.answer(request).await })
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

//! What is answered to each request, from its transactions.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, DeleteOptions, DeleteResponse, GetOptions, KeyValue, PutOptions, SortOrder,
    SortTarget, Txn, TxnOp, TxnResponse,
};

use pin_project::pin_project;

use super::super::error::{Bounded, StoreError};
use super::Shared;
use super::keys::{Keys, rank_of_key};
use super::leases::Kept;
use super::link::Asked;
use super::place::Place;
use super::state::{Era, State, read};
use crate::{Acquire, Holder, LeaseReply, LeaseRequest, Nonce, Renew};

/// How often an acquire is repeated whose transaction found something changed.
pub(super) const REPEATS: usize = 20;

impl Shared {
    /// What most requests do not come to has room of its own: a future is copied to where it is polled, and each request is one.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: LeaseRequest,
    ) -> Result<LeaseReply, StoreError> {
        let keys = Keys::of(&self.prefix, request.lock());
        let verb = request.verb();
        match request {
            LeaseRequest::Acquire(acquire) => self.acquire(&keys, &acquire).await,
            LeaseRequest::Renew(renew) => {
                Box::pin(self.bound(verb, self.renew(&keys, &renew))).await
            }
            LeaseRequest::Release { nonce, .. } => {
                self.bound(verb, self.release(&keys, nonce)).await
            }
            LeaseRequest::Observe { .. } => Box::pin(self.bound(verb, self.observe(&keys))).await,
        }
    }

    /// Waits no longer for it than for an answer, and has the link know of that.
    pub(super) fn bound<T, F>(&self, verb: &'static str, work: F) -> Heard<F>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        Heard {
            work: self.patience.bound(verb, work),
            asked: Some(self.link.ask(self.patience.get())),
        }
    }

    pub(super) async fn txn(
        &self,
        verb: &'static str,
        txn: Txn,
    ) -> Result<TxnResponse, StoreError> {
        let reply = self.link.client().kv_client().txn(txn).await;
        reply.map_err(|e| StoreError::failed(verb, e))
    }

    /// A transaction that puts on this lease; `None` if that has ended.
    pub(super) async fn commit(
        &self,
        verb: &'static str,
        lease: Kept,
        txn: Txn,
    ) -> Result<Option<TxnResponse>, StoreError> {
        match self.link.client().kv_client().txn(txn).await {
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

    pub(super) async fn lease(&self, asked: &Acquire) -> Result<Kept, StoreError> {
        if let Some(spare) = self.leases.fresh(asked.ttl.get()) {
            return Ok(spare);
        }
        let mut client = self.link.client().lease_client();
        let lease = Box::pin(self.leases.take(&mut client, asked.ttl.get())).await;
        lease.map_err(|e| StoreError::failed("acquire", e))
    }

    /// Ends a lease, and with it what hangs on it.
    pub(super) async fn leave(&self, lease: Kept) -> Result<(), StoreError> {
        self.leases.forget(lease.id);
        match self.link.client().lease_client().revoke(lease.id).await {
            Err(e) if !is_ended(&e) => Err(StoreError::failed("acquire", e)),
            _ => Ok(()),
        }
    }

    pub(super) async fn state(&self, verb: &'static str, keys: &Keys) -> Result<State, StoreError> {
        self.state_by(verb, read(keys)).await
    }

    pub(super) async fn state_by(
        &self,
        verb: &'static str,
        read: [TxnOp; 3],
    ) -> Result<State, StoreError> {
        let reply = self.txn(verb, Txn::new().and_then(read)).await?;
        let state = State::from(verb, &reply)?;
        self.seen(state.revision);
        Ok(state)
    }

    pub(super) fn seen(&self, revision: i64) {
        self.revision.fetch_max(revision, Relaxed);
    }

    pub(super) fn know(&self, era: Era) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(era);
    }

    /// Who holds it, and for how long: up to a second longer than it is, for etcd tells whole seconds, rounded down, and
    /// takes a while to end a lease.
    pub(super) async fn holder(&self, key: &KeyValue) -> Result<Holder, StoreError> {
        let mut client = self.link.client().lease_client();
        let lease = self.leases.find(&mut client, key.lease()).await;
        let lease = lease.map_err(|e| StoreError::failed("acquire", e))?;
        let left = lease.map_or(Duration::ZERO, |lease| self.leases.left(&lease));
        Ok(Holder {
            rank: rank_of_key(key).unwrap_or_default(),
            remaining: left + Duration::from_secs(1),
        })
    }

    pub(super) async fn renew(&self, keys: &Keys, asked: &Renew) -> Result<LeaseReply, StoreError> {
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
    pub(super) async fn renewed(
        &self,
        key: &KeyValue,
        ttl: Duration,
    ) -> Result<Option<Kept>, StoreError> {
        let failed = |e| StoreError::failed("renew", e);
        let mut client = self.link.client().lease_client();
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

    pub(super) async fn release(
        self: &Arc<Self>,
        keys: &Keys,
        nonce: Nonce,
    ) -> Result<LeaseReply, StoreError> {
        let own = keys.own(nonce);
        // If its turn comes in a place that is kept, nobody heard of it. Dropped in the end, it leaves.
        let kept = Place::again(self, &own);
        let options = DeleteOptions::new().with_prev_key();
        let deleted = self.link.client().kv_client();
        let deleted = { deleted }.delete(own.clone(), Some(options)).await;
        let deleted = deleted.map_err(|e| StoreError::failed("release", e))?;
        let Some(key) = deleted.prev_kvs().first() else {
            return Ok(LeaseReply::Released { was_held: false });
        };
        let was_held = match (&kept, self.leases.give_back(key.lease())) {
            (Some(_), _) => false,
            // One that is in use is a holder's: whose waits has a lease of no other use.
            (None, true) => true,
            (None, false) => Box::pin(self.was_first(keys, &own, &deleted)).await?,
        };
        Ok(LeaseReply::Released { was_held })
    }

    /// Whether a key held the lock when it was deleted. To look before would cost each release what this one alone does: the more, the
    /// more names of the lock's etcd has not forgotten.
    async fn was_first(
        &self,
        keys: &Keys,
        own: &str,
        deleted: &DeleteResponse,
    ) -> Result<bool, StoreError> {
        let header = deleted.header();
        let before = header.map_or(0, |header| header.revision() - 1);
        let first = GetOptions::new().with_prefix().with_revision(before);
        let first = first.with_sort(SortTarget::Create, SortOrder::Ascend);
        let mut client = self.link.client().kv_client();
        let first = client
            .get(keys.queue.clone(), Some(first.with_limit(1)))
            .await;
        let first = first.map_err(|e| StoreError::failed("release", e))?;
        Ok(first
            .kvs()
            .first()
            .is_some_and(|key| key.key() == own.as_bytes()))
    }

    pub(super) async fn observe(&self, keys: &Keys) -> Result<LeaseReply, StoreError> {
        let state = self.state("observe", keys).await?;
        let high = state.high(self.era);
        let holder = match state.holder() {
            Some(key) => Some(self.holder(key).await?),
            None => None,
        };
        Ok(LeaseReply::Observed { high, holder })
    }
}

/// Work that is waited for. By hand, for each request is one: an `async fn` keeps what it awaits twice.
#[pin_project]
pub(super) struct Heard<F> {
    #[pin]
    work: Bounded<F>,
    asked: Option<Asked>,
}

impl<T, F: Future<Output = Result<T, StoreError>>> Future for Heard<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = ready!(this.work.poll(cx));
        if let Some(asked) = this.asked.take()
            && !matches!(result, Err(StoreError::Elapsed { .. }))
        {
            asked.answered();
        }
        Poll::Ready(result)
    }
}

/// The same key on another lease, if nothing came between: where it was made stays, and so does its rank.
pub(super) fn moved(key: &KeyValue, lease: Kept) -> Txn {
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

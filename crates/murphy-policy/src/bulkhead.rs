//! Middleware that lets so many calls through at once, and the others wait, if waiting is of use.
//!
//! A slow peer holds the calls that it has; a bulkhead keeps it from holding all that the process
//! can make. Calls beyond the limit wait in a bounded queue. A call is shed at once where the queue
//! is full, or where its deadline ([`Scope::deadline`](murphy_core::Scope::deadline)) would pass
//! before its turn is likely; it leaves the queue when its deadline passes there.
//!
//! ```text
//!        ┌─ a place is free ─────────────────────────────▶ Inside ── reply, drop ──▶ place is free
//! call ──┼─ the queue is not full ──▶ Waiting ── turn ──▶ Readying ──▲
//!        │                              └── deadline, displaced ──▶ Shed
//!        └─ it is full, or too slow ──────────────────────────────▶ Shed
//! ```
//!
//! * Its turn is judged by the turns that were given since somebody waits. Before there were two,
//!   nothing is known, and whoever has a deadline waits.
//! * First come, first served, and nobody overtakes the queue; or the
//!   [newest first](BulkheadLayer::newest_first), which in an overload serves some in time instead
//!   of all too late.
//! * With [`by`](BulkheadLayer::by), each key has places of its own, so that one tenant or one host
//!   does not take those of all.
//! * A place is held from before the inner call until its future is done or dropped, whatever it
//!   ends with. A reply's body is not covered.
//! * What was shed was never sent: layers above do not hold it against the peer, and repeating it
//!   costs no budget ([`Kind::Withheld`](crate::Kind::Withheld)).
//! * Readiness is the inner service's. An instance that was readied and has to wait is let go, since
//!   it may hold what others need; when its turn has come, another is readied, inside. Hence
//!   `S: Clone`.
//!
//! The queue holds its limit and no more, a few words and a box for each that waits. A call that
//! need not wait takes a short lock twice, allocates nothing and reads no clock.
//!
//! # Events
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `bulkhead.shed` | debug | a call was shed | `site`, `why` |
//!
//! Counter, by `site`: `murphy_policy_bulkhead_shed_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, BulkheadLayer, Shed, bulkhead::Why, find};
//! use std::future::pending;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let service = ServiceBuilder::new()
//!     .layer(BulkheadLayer::new(1)?.queue(0))
//!     .service(service_fn(|_: &str| pending::<Result<(), BoxError>>()));
//! let stuck = tokio::spawn(service.clone().oneshot("hello"));
//! tokio::task::yield_now().await;
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert_eq!(find::<Shed>(&*error).unwrap().why(), Why::Full { waiting: 0 });
//! # stuck.abort();
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

mod drain;
mod error;
mod future;
pub(crate) mod gate;
mod layer;
mod line;
mod partition;
pub(crate) mod passage;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

pub use self::error::{BulkheadError, Shed, Why};
pub use self::future::ResponseFuture;
pub use self::layer::BulkheadLayer;
use self::partition::Gates;
pub use self::partition::{ByKey, Partition, Whole};
use self::passage::Gated;
use crate::surface::{Boxed, Surface};

/// Lets so many calls through at once. See the [module](self).
pub struct Bulkhead<S, K = Whole, M = Boxed> {
    gated: Gated<S>,
    partition: K,
    gates: Arc<Gates>,
    site: Arc<str>,
    surface: PhantomData<M>,
}

impl<S, K, M> Bulkhead<S, K, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.gated.inner
    }

    /// The service within, without its bulkhead.
    pub fn into_inner(self) -> S {
        self.gated.inner
    }

    /// How many calls hold a place now, of this and of all services that share them, under
    /// whatever key.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.gates.counts().0
    }

    /// How many calls wait now, under whatever key.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.gates.counts().1
    }
}

impl<S: Clone, K: Clone, M> Clone for Bulkhead<S, K, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            gated: self.gated.clone(),
            partition: self.partition.clone(),
            gates: Arc::clone(&self.gates),
            site: Arc::clone(&self.site),
            surface: PhantomData,
        }
    }
}

impl<S: fmt::Debug, K, M> fmt::Debug for Bulkhead<S, K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("inner", self.inner())
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl<S, K, M, Req> Service<Req> for Bulkhead<S, K, M>
where
    S: Service<Req> + Clone,
    K: Partition<Req>,
    M: Surface<Shed, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.gated.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let passage = match self.partition.key(&request) {
            None => self.gated.call(request),
            Some(key) => self.gated.call_through(&self.gates.of(key), request),
        };
        ResponseFuture::new(passage, Arc::clone(&self.site))
    }
}

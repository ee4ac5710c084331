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
//! * A place is held from before the inner call until its future is done or dropped, whatever it
//!   ends with. A reply's body is not covered.
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
mod line;
pub(crate) mod passage;

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

pub use self::error::{BulkheadError, Shed, Why};
pub use self::future::ResponseFuture;
use self::gate::Gate;
use self::passage::Gated;
use crate::BadKnob;
use crate::surface::{Boxed, Surface, Typed};

/// Puts a [`Bulkhead`] around a service.
///
/// All services that one layer makes, and clones of the layer, share its places. A setter makes
/// new ones.
#[derive(Debug)]
pub struct BulkheadLayer<M = Boxed> {
    places: u32,
    queue: u32,
    newest_first: bool,
    gate: Arc<Gate>,
    site: Arc<str>,
    surface: PhantomData<M>,
}

impl BulkheadLayer {
    /// At most `places` calls at once, at least 1, and as many that wait.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where there would be none: `bulkhead.places = 0: use 1 or more`
    #[doc(alias = "max_concurrent")]
    pub fn new(places: u32) -> Result<Self, BadKnob> {
        if places == 0 {
            return Err(BadKnob::new("bulkhead.places", places, "use 1 or more"));
        }
        Ok(Self {
            places,
            queue: places,
            newest_first: false,
            gate: Gate::new(places, places, false),
            site: "bulkhead".into(),
            surface: PhantomData,
        })
    }
}

impl<M> BulkheadLayer<M> {
    /// At most `waiting` calls wait; as many as there are places unless set. 0 sheds whatever
    /// finds no place.
    #[must_use]
    #[doc(alias = "max_wait")]
    pub fn queue(mut self, waiting: u32) -> Self {
        self.queue = waiting;
        self.renewed()
    }

    /// The newest that waits is next, and a full queue sheds its oldest.
    ///
    /// Under an overload that lasts, the oldest have the least time left: who is served in order is
    /// served late. Without one, hardly anybody waits, and the order does not matter.
    #[must_use]
    #[doc(alias = "lifo")]
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self.renewed()
    }

    /// Names the bulkhead in errors and events; `bulkhead` unless set.
    #[must_use]
    pub fn named(mut self, site: impl Into<Arc<str>>) -> Self {
        self.site = site.into();
        self
    }

    /// Errors are [`BulkheadError<S::Error>`](BulkheadError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub fn typed(self) -> BulkheadLayer<Typed> {
        BulkheadLayer {
            places: self.places,
            queue: self.queue,
            newest_first: self.newest_first,
            gate: self.gate,
            site: self.site,
            surface: PhantomData,
        }
    }

    fn renewed(mut self) -> Self {
        self.gate = Gate::new(self.places, self.queue, self.newest_first);
        self
    }
}

impl<M> Clone for BulkheadLayer<M> {
    fn clone(&self) -> Self {
        Self {
            gate: Arc::clone(&self.gate),
            site: Arc::clone(&self.site),
            ..*self
        }
    }
}

impl<S, M> Layer<S> for BulkheadLayer<M> {
    type Service = Bulkhead<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Bulkhead {
            gated: Gated {
                inner,
                gate: Arc::clone(&self.gate),
            },
            site: Arc::clone(&self.site),
            surface: PhantomData,
        }
    }
}

/// Lets so many calls through at once. See the [module](self).
#[derive(Debug)]
pub struct Bulkhead<S, M = Boxed> {
    gated: Gated<S>,
    site: Arc<str>,
    surface: PhantomData<M>,
}

impl<S, M> Bulkhead<S, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.gated.inner
    }

    /// The service within, without its bulkhead.
    pub fn into_inner(self) -> S {
        self.gated.inner
    }

    /// How many calls hold a place now, of this and of all services that share them.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.gated.gate.counts().0
    }

    /// How many calls wait now.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.gated.gate.counts().2
    }
}

impl<S: Clone, M> Clone for Bulkhead<S, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            gated: self.gated.clone(),
            site: Arc::clone(&self.site),
            surface: PhantomData,
        }
    }
}

impl<S, M, Req> Service<Req> for Bulkhead<S, M>
where
    S: Service<Req> + Clone,
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
        ResponseFuture::new(self.gated.call(request), Arc::clone(&self.site))
    }
}

//! Middleware that finds out how many calls at once a peer can bear, from what its replies take.
//!
//! A peer works on so many calls at once; whatever is sent beyond that waits at the peer, where
//! nobody can shed it. An adaptive limit measures replies and moves the limit: [`Gradient`] and
//! [`LeastRtt`] follow the latency, [`Aimd`] failures and a latency that is too much. Calls beyond
//! the limit are shed at once ([`Limited`]), or wait in a bounded [queue](ConcurrencyLayer::queue)
//! with the rules of a [bulkhead](crate::bulkhead), whose gate this is.
//!
//! | | follows | settles | for |
//! |---|---|---|---|
//! | [`Gradient`] | latency against its own long mean | nowhere: creeps up under endless load | peers whose replies vary |
//! | [`LeastRtt`] | latency against the least of late | 5 % above the capacity, give or take as much | peers whose replies vary little |
//! | [`Aimd`] | failures, and latency above a timeout | a saw's teeth below that | peers whose limit is a number |
//!
//! Calls are gathered in rounds of ten, of calls that began since the limit was last looked at. So
//! it moves about once a round trip, and each step is judged by calls that were made under it. A
//! call that was dropped counts as a reply of its age if replies are faster than that. The limit
//! does not grow while less than half of it is in use.
//!
//! It is told apart by time alone whether the peer is loaded or the network is slow, and it shares
//! the peer with callers that it does not know: those who measure politely give way to those who
//! do not.
//!
//! A call looks at the clock twice and takes three short locks. Readiness, permits and queue are as
//! in [`bulkhead`](crate::bulkhead); hence `S: Clone`.
//!
//! # Events
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `concurrency.limited` | debug | a call was shed | `site`, `limit`, `why` |
//! | `concurrency.limit` | debug | the limit moved | `site`, `from`, `to` |
//!
//! Counters, by `site`: `murphy_policy_concurrency_limited_total`,
//! `murphy_policy_concurrency_limit_changes_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::concurrency::{Aimd, ConcurrencyLayer};
//! use murphy_policy::{BoxError, Limited, find};
//! use std::future::pending;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let service = ServiceBuilder::new()
//!     .layer(ConcurrencyLayer::new(Aimd::new().between(1, 100)?.initial(1)))
//!     .service(service_fn(|_: &str| pending::<Result<(), BoxError>>()));
//! let stuck = tokio::spawn(service.clone().oneshot("hello"));
//! tokio::task::yield_now().await;
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert_eq!(find::<Limited>(&*error).unwrap().limit(), 1);
//! # stuck.abort();
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

mod core;
mod error;
mod future;
mod layer;
mod limit;
mod measured;
mod round;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use self::core::Core;
pub use self::error::{ConcurrencyError, Limited};
pub use self::future::ResponseFuture;
pub use self::layer::ConcurrencyLayer;
pub use self::limit::{Aimd, Gradient, LeastRtt, Limit, Round};
use self::measured::Measured;
use crate::bulkhead::passage::Gated;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Classify};

/// Lets as many calls through at once as the peer can bear. See the [module](self).
pub struct Concurrency<S, C = AnyError, M = Boxed> {
    gated: Gated<Measured<S, C>>,
    surface: PhantomData<M>,
}

/// What judges an outcome, and what is done about it.
struct Judge<C> {
    classify: C,
    core: Arc<Core>,
}

impl<S, C, M> Concurrency<S, C, M> {
    fn new(inner: S, judge: Arc<Judge<C>>) -> Self {
        let gate = Arc::clone(&judge.core.gate);
        let inner = Measured { inner, judge };
        Self {
            gated: Gated { inner, gate },
            surface: PhantomData,
        }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.gated.inner.inner
    }

    /// The service within, without its limit.
    pub fn into_inner(self) -> S {
        self.gated.inner.inner
    }

    /// How many calls are let through at once now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.gated.inner.judge.core.limit()
    }

    /// How many calls are inside now, of this and of all services that share the limit. More than
    /// the limit for a while after that fell.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.gated.gate.counts().0
    }
}

impl<S: Clone, C, M> Clone for Concurrency<S, C, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            gated: self.gated.clone(),
            surface: PhantomData,
        }
    }
}

impl<S: fmt::Debug, C, M> fmt::Debug for Concurrency<S, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency")
            .field("inner", self.inner())
            .field("core", &self.gated.inner.judge.core)
            .finish_non_exhaustive()
    }
}

impl<S, C, M, Req> Service<Req> for Concurrency<S, C, M>
where
    S: Service<Req> + Clone,
    C: Classify<Req, S::Response, S::Error>,
    M: Surface<Limited, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, C, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.gated.inner.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let judge = Arc::clone(&self.gated.inner.judge);
        ResponseFuture::new(self.gated.call(request), judge)
    }
}

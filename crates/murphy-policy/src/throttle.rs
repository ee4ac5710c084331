//! Middleware that rejects calls here which the peer would reject there.
//!
//! A peer that has too much to do spends what it has on rejections. A client-side throttle keeps
//! count of what it asked for and what was accepted over the last two minutes, and rejects a call
//! at once with the chance `max(0, (requests − K·accepts) / (requests + 1))`: nothing while the peer
//! accepts one of K, nearly everything while it accepts nothing. Some calls always go out, so that
//! it notices by itself when the peer accepts more (Google, *Site Reliability Engineering*, ch. 21,
//! "Client-Side Throttling").
//!
//! * Requests are counted when they are made, with those that were rejected here; accepts when the
//!   reply is there. A call that was dropped was not accepted. One that was refused beneath, by a
//!   [`Bulkhead`](crate::Bulkhead) or a [`Breaker`](crate::Breaker), was never made: its request is
//!   taken back.
//! * Below ten requests in the window nothing is rejected.
//! * Nothing is queued and nothing waits: it sheds load that retries and callers bring, it does not
//!   shape it. It counts the calls of this process only.
//!
//! A call looks at the clock twice and takes no lock; the window is 16 slices, whatever the traffic
//! and however long nobody called. A readied instance whose call is rejected is let go and a clone
//! takes its place; hence `S: Clone`.
//!
//! # Events
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `throttle.rejected` | debug | a call was rejected | `site`, `chance` |
//! | `flow.bad_seed` | warn | `MURPHY_SEED` is no number | `error` |
//!
//! Counter, by `site`: `murphy_policy_throttle_rejected_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, ThrottleLayer, Throttled, find};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let service = ServiceBuilder::new()
//!     .layer(ThrottleLayer::new().seed(1))
//!     .service(service_fn(async |_: &str| Err::<(), BoxError>("no room".into())));
//! let mut sent = 0;
//! for _ in 0..1000 {
//!     let error = service.clone().oneshot("hello").await.unwrap_err();
//!     sent += u32::from(find::<Throttled>(&*error).is_none());
//! }
//! assert!((10..30).contains(&sent)); // ten before it knew, and then the odd one
//! # });
//! ```

pub(crate) mod chance;
mod core;
mod decide;
mod error;
mod future;
mod layer;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use tower_service::Service;

use self::core::Core;
pub use self::error::{ThrottleError, Throttled};
pub use self::future::ResponseFuture;
pub use self::layer::ThrottleLayer;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Classify};

/// Rejects what the peer would reject. See the [module](self).
pub struct Throttle<S, C = AnyError, M = Boxed> {
    inner: S,
    judge: Arc<Judge<C>>,
    surface: PhantomData<M>,
}

/// What judges an outcome, and where it is counted.
pub(super) struct Judge<C> {
    classify: C,
    core: Arc<Core>,
}

impl<S, C, M> Throttle<S, C, M> {
    fn new(inner: S, classify: C, core: Arc<Core>) -> Self {
        Self::with(inner, Arc::new(Judge { classify, core }))
    }

    const fn with(inner: S, judge: Arc<Judge<C>>) -> Self {
        Self {
            inner,
            judge,
            surface: PhantomData,
        }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its throttle.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// How likely a call would be rejected now: 0.0, or up to nearly 1.0.
    #[must_use]
    pub fn chance(&self) -> f64 {
        self.judge.core.chance(Instant::now())
    }
}

impl<S: Clone, C, M> Clone for Throttle<S, C, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self::with(self.inner.clone(), Arc::clone(&self.judge))
    }
}

impl<S: fmt::Debug, C, M> fmt::Debug for Throttle<S, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("inner", &self.inner)
            .field("core", &self.judge.core)
            .finish_non_exhaustive()
    }
}

impl<S, C, M, Req> Service<Req> for Throttle<S, C, M>
where
    S: Service<Req> + Clone,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    M: Surface<Throttled, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, C, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let asked = match self.judge.core.admit() {
            Ok(asked) => asked,
            Err(throttled) => {
                // Lets go of the readied instance, which may hold a permit.
                self.inner = self.inner.clone();
                return ResponseFuture::rejected(throttled);
            }
        };
        let seen = self.judge.classify.see(&request);
        let inner = self.inner.call(request);
        ResponseFuture::running(inner, Arc::clone(&self.judge), seen, asked)
    }
}

//! Middleware that repeats what failed, within reason.
//!
//! Three hooks decide, each alone: [`Classify`] (is it a failure worth repeating?), [`Replay`]
//! (what is sent again?) and [`Pace`] (how long until then?). Attempts, a [`Budget`] and the
//! caller's deadline ([`Scope::deadline`](murphy_core::Scope::deadline)) bound them: a retry whose
//! wait would pass the deadline fails at once and says so.
//!
//! ```text
//! First ── success, terminal ──▶ done ◀── success, terminal, no more ── Calling ◀─┐
//!   └── worth repeating ──▶ Waiting ──▶ Readying ── permit, send ─────────┼───────┘
//!                              ▲           └── no permit, no time ──▶ RetryError
//!                              └────────────── worth repeating ───────────┘
//! ```
//!
//! The first attempt goes through the instance that was readied for it, each further one readies
//! its own; an inner service that fails to become ready ends the call. The permit is taken after
//! readiness, so that a call dropped while it waits costs the budget nothing. A reply that was a
//! failure is let go before the wait, since it may hold the connection that the next attempt needs.
//! It does not bound the time of an attempt: put a [`Timeout`](crate::Timeout) beneath. It cannot
//! know whether repeating is *safe*: [`Once`], or a [`Replay`] that declines, says so.
//!
//! While all goes well a call costs a clone of the service and of the request, a shared counter's
//! load, and no allocation, clock or timer; a call that retries allocates once.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{Backoff, BoxError, RetryError, RetryLayer, find};
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let unjittered = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
//! let service = ServiceBuilder::new()
//!     .layer(RetryLayer::new().attempts(3)?.pace(unjittered)) // waits 1 s and 2 s
//!     .service(service_fn(async |_: &str| Err::<(), BoxError>("refused".into())));
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert_eq!(error.to_string(), "gave up after attempt 3; last: refused");
//! assert!(matches!(find(&*error), Some(RetryError::<BoxError>::Exhausted { attempts: 3, .. })));
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

mod backoff;
mod classify;
mod decide;
mod error;
pub(crate) mod event;
mod fund;
mod future;
mod hints;
mod io;
mod judge;
mod later;
mod layer;
mod pace;
mod policy;
mod replay;
mod session;
mod stamp;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

pub use self::backoff::Backoff;
pub use self::classify::{AnyError, Attempt, Classify, Kind, Verdict};
#[cfg(feature = "tower")]
pub(crate) use self::decide::Stop;
pub use self::error::RetryError;
pub use self::fund::Funded;
pub use self::future::ResponseFuture;
pub use self::hints::Hints;
pub use self::io::IoClassify;
#[cfg(feature = "http")]
pub(crate) use self::io::{cause, of_error};
pub(crate) use self::judge::judge;
pub use self::layer::RetryLayer;
pub use self::pace::{Pace, Step};
pub(crate) use self::policy::Policy;
pub use self::replay::{CloneReplay, Factory, Once, Replay, Restore};
pub(crate) use self::session::left;
#[cfg(feature = "tower")]
pub(crate) use self::session::{Decision, Session};
pub use self::stamp::{Stamp, Stamped};
#[cfg(doc)]
use crate::Budget;
use crate::surface::{Boxed, Surface};

/// Repeats calls that failed. See the [module](self).
///
/// The inner service must be `Clone`: a clone stays in the call's future for later attempts.
pub struct Retry<S, C = AnyError, R = CloneReplay, P = Backoff, M = Boxed> {
    inner: S,
    policy: Arc<Policy<C, R, P>>,
    surface: PhantomData<M>,
}

impl<S, C, R, P, M> Retry<S, C, R, P, M> {
    fn new(inner: S, policy: Arc<Policy<C, R, P>>) -> Self {
        Self {
            inner,
            policy,
            surface: PhantomData,
        }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its retries.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, C, R, P, M> Clone for Retry<S, C, R, P, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.policy))
    }
}

impl<S: fmt::Debug, C, R, P, M> fmt::Debug for Retry<S, C, R, P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("site", &self.policy.site)
            .field("attempts", &self.policy.attempts)
            .field("budget", &self.policy.budget)
            .finish_non_exhaustive()
    }
}

impl<S, C, R, P, M, Req> Service<Req> for Retry<S, C, R, P, M>
where
    S: Service<Req> + Clone,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
    P: Pace,
    M: Surface<RetryError<S::Error>, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, C, R, P, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let classify = &self.policy.classify;
        let begun = match classify.budget(&request) {
            None => self.policy.budget.begin(),
            Some(own) => own.begin_own(),
        };
        let seen = classify.see(&request);
        let (request, saved) = self.policy.replay.split(request, &self.policy.first());
        // The readied instance makes this call; the clone readies itself for later ones.
        let spare = saved.map(|saved| (self.inner.clone(), saved));
        let policy = Arc::clone(&self.policy);
        let first = self.inner.call(request);
        ResponseFuture::new(first, spare, seen, begun, policy)
    }
}

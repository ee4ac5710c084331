//! Middleware that ends an attempt which takes too long.
//!
//! The inner future is polled first, in place; a reply that is there when the time is up still
//! wins. The timer is lazy: it is made at the first poll that pends, and counts from there. An
//! inner service that is ready costs no timer and reads no clock. The time spent in `poll_ready`
//! is not covered: that, and the caller's own deadline, are [`Deadline`](crate::Deadline)'s.
//!
//! ```text
//! Polled ── pends ──▶ Armed ── time is up ──▶ Elapsed, the inner future is dropped with ours
//!   └── answers ──▶ done ◀── answers ──┘
//! ```
//!
//! What ended is the wait, not the work: the peer may still carry the request out.
//!
//! Calls that may take equally long wait in line, in one queue for each thread, runtime and
//! timeout, and one timer of tokio's wakes those that are due: to wait costs a clock reading and
//! two short locks. The queue holds as many places of 40 bytes as ever waited at once since it was
//! last empty (up to twice that while it grows). Its timer stays armed when the last call leaves,
//! for at most one timeout: a paused clock that moves to the next timer can stop there. A thread
//! remembers 32 queues; a program with more fixed timeouts than that makes some anew, and those that
//! are forgotten end with the last call in them.
//!
//! A timeout that differs from call to call has a timer for each, and is cut to what is left of the
//! caller's deadline, `min(timeout, left)`: [`by`](TimeoutLayer::by) the request,
//! [`by_attempt`](TimeoutLayer::by_attempt), [`adaptive`](TimeoutLayer::adaptive),
//! [`within_deadline`](TimeoutLayer::within_deadline). The fixed one does not look at the deadline,
//! which would cost each call a task-local: the [`Deadline`](crate::Deadline) that set it ends the
//! call as well. [`Elapsed::bound`] says which of them it was.
//!
//! | event | level | when | fields |
//! |---|---|---|---|
//! | `timeout.elapsed` | debug | an attempt outlived its timeout | `timeout`, `bound` |
//! | `timeout.bad_header` | debug | a header was no number of milliseconds, and ignored | `header`, `values` |
//! | `timeout.body_idle` | debug | a body brought no frame in time | `leg`, `allowed` |
//! | `timeout.body_overdue` | debug | a body was not over in time | `leg`, `allowed` |
//!
//! Counters (feature `metrics`): `murphy_policy_timeout_bad_header_total`, by the header's name;
//! `murphy_policy_timeout_body_idle_total` and `murphy_policy_timeout_body_overdue_total`, by leg.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, Elapsed, TimeoutLayer, find};
//! use std::{future::pending, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let silent = service_fn(|_: &str| pending::<Result<(), BoxError>>());
//! let service = ServiceBuilder::new()
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!     .service(silent);
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert_eq!(find::<Elapsed>(&*error).unwrap().timeout(), Duration::from_secs(1));
//! # });
//! ```

mod adaptive;
#[cfg(feature = "http")]
mod body;
mod by;
mod error;
mod fifo;
mod future;
mod histogram;
mod layer;
mod limit;
mod quantile;
mod queue;
mod round_trip;
mod slept;
#[cfg(feature = "http")]
mod wire;

use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_service::Service;

pub use self::adaptive::{Adaptive, Estimate, Learning};
#[cfg(feature = "http")]
pub use self::body::{
    BodyError, BodyTimeout, BodyTimeoutLayer, Idle, Overdue, Replies, ReplyFuture, Requests,
    Stalled, TimedBody,
};
pub use self::by::{By, ByAttempt, Within};
pub use self::error::{Bound, Elapsed, TimeoutError};
pub use self::future::ResponseFuture;
pub use self::layer::TimeoutLayer;
pub(crate) use self::limit::sealed::Sealed;
pub use self::limit::{Fixed, Limit, Queued, Wait};
pub use self::quantile::Quantile;
pub use self::round_trip::RoundTrip;
pub use self::slept::{Slept, Watch};
#[cfg(feature = "http")]
pub use self::wire::{ByWire, RequestTimeout};
use crate::surface::{Boxed, Surface};

/// Thirty years.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Ends a call with [`Elapsed`] when it takes too long. See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Timeout<S, L = Fixed, M = Boxed> {
    inner: S,
    limit: L,
    surface: PhantomData<M>,
}

impl<S, L, M> Timeout<S, L, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its timeout.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, L, M, Req> Service<Req> for Timeout<S, L, M>
where
    S: Service<Req>,
    L: Limit<Req>,
    M: Surface<Elapsed, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, L::Wait, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let wait = self.limit.begin(&request);
        ResponseFuture::new(self.inner.call(request), wait)
    }
}

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

mod error;
mod future;

use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

pub use self::error::{Elapsed, TimeoutError};
pub use self::future::ResponseFuture;
use crate::surface::{Boxed, Surface, Typed};

/// Thirty years.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Puts a [`Timeout`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer<M = Boxed> {
    timeout: Duration,
    surface: PhantomData<M>,
}

impl TimeoutLayer {
    /// At most `timeout` for each call, from its first poll that pends.
    ///
    /// tokio's timers are whole milliseconds and round up. [`Duration::ZERO`] ends whatever is
    /// not ready at once; more than thirty years count as thirty.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        // Where tokio cuts as well: done here, it need not be done for each call.
        let endless = timeout.as_secs() > FAR_FUTURE.as_secs();
        Self {
            timeout: if endless { FAR_FUTURE } else { timeout },
            surface: PhantomData,
        }
    }

    /// Errors are [`TimeoutError<S::Error>`](TimeoutError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub const fn typed(self) -> TimeoutLayer<Typed> {
        TimeoutLayer {
            timeout: self.timeout,
            surface: PhantomData,
        }
    }
}

impl<M> TimeoutLayer<M> {
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl<S, M> Layer<S> for TimeoutLayer<M> {
    type Service = Timeout<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Timeout {
            inner,
            timeout: self.timeout,
            surface: PhantomData,
        }
    }
}

/// Ends a call with [`Elapsed`] when it takes too long. See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Timeout<S, M = Boxed> {
    inner: S,
    timeout: Duration,
    surface: PhantomData<M>,
}

impl<S, M> Timeout<S, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its timeout.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, M, Req> Service<Req> for Timeout<S, M>
where
    S: Service<Req>,
    M: Surface<Elapsed, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        ResponseFuture::new(self.inner.call(request), self.timeout)
    }
}

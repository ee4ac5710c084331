//! [`SendDeadline`]: tells the peer what is left.

use std::task::{Context, Poll};

use http::{HeaderName, Request};
use murphy_core::Scope;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::header::{HEADER, Header};

/// Writes what is left of the caller's deadline on each request.
///
/// Beneath a [`Retry`](crate::Retry), so that each attempt says what is left then. A timeout
/// between the two is not told. Rounds down: the peer never believes that it has more; the time on
/// the wire is not subtracted. A request that says already that there is less keeps that, and one
/// whose caller has no deadline is left as it is, which costs a task-local; a deadline costs a clock
/// reading and an allocation.
///
/// # Examples
///
/// ```
/// use murphy_policy::deadline::SendDeadlineLayer;
/// use murphy_policy::{DeadlineLayer, RetryLayer};
/// use std::time::Duration;
/// use tower::ServiceBuilder;
///
/// let client = ServiceBuilder::new()
///     .layer(DeadlineLayer::new(Duration::from_secs(5)))
///     .layer(RetryLayer::new())
///     .layer(SendDeadlineLayer::new());
/// ```
#[derive(Clone, Debug)]
pub struct SendDeadlineLayer {
    header: Header,
}

impl SendDeadlineLayer {
    /// In milliseconds, in [`HEADER`]: what is more than 99,999,999 (27 hours) is that.
    #[must_use]
    pub const fn new() -> Self {
        Self::header(HEADER)
    }

    /// In milliseconds, in a header of another name.
    #[must_use]
    pub const fn header(name: HeaderName) -> Self {
        Self {
            header: Header::Millis(name),
        }
    }

    /// In gRPC's `grpc-timeout`, in the finest unit that holds it in eight digits.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub const fn grpc() -> Self {
        Self {
            header: Header::Grpc,
        }
    }
}

impl Default for SendDeadlineLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for SendDeadlineLayer {
    type Service = SendDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SendDeadline {
            inner,
            header: self.header.clone(),
        }
    }
}

/// Writes what is left of the caller's deadline on each request. See [`SendDeadlineLayer`].
#[derive(Clone, Debug)]
pub struct SendDeadline<S> {
    inner: S,
    header: Header,
}

impl<S> SendDeadline<S> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, which tells nothing.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for SendDeadline<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(deadline) = Scope::current().deadline() {
            let left = deadline.saturating_duration_since(Instant::now());
            self.header.write(request.headers_mut(), left);
        }
        self.inner.call(request)
    }
}

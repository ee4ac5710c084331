//! [`ServerDeadline`]: work that nobody waits for is not begun.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response};
use murphy_core::Scope;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::ROUNDING;
use super::header::{HEADER, Header};
use super::serve::{Rules, ServeFuture};
use crate::millis::Hostile;
use crate::{TARGET, metered};

/// Takes the deadline that a request brings along, and holds the handler to it.
///
/// ```text
/// Readying ── ready ──▶ Running ── answers ──▶ done
///    └── time is up ──┬───┘ (unless it may finish)
///                     ▼
///          504, or grpc-status: 4
/// ```
///
/// The deadline counts from when the request gets here, and is in the scope of the handler, so that
/// the calls it makes send what is left further on. The service beneath readies itself while the
/// request waits: what it takes in a queue counts, and a request whose time is up by then is never
/// handed to it. So this layer is always ready; whatever bounds what a server takes on belongs
/// above it, and time that was spent there does not count. A [`Bulkhead`](crate::Bulkhead) that is to
/// shed by deadline belongs beneath it, where it finds one.
///
/// It reads [`HEADER`] and, with the `grpc` feature, `grpc-timeout`; the earlier holds. Whoever
/// sends them may mean harm. A value is one to eight digits, `grpc-timeout`'s with one of the units
/// `H`, `M`, `S`, `m`, `u`, `n`; one with a sign, a blank, more digits, another unit or none, or a
/// second value, is as good as missing, counted and told (`deadline.bad_header`). Zero is a
/// deadline that has passed.
///
/// The answer when time is up: 504 (Gateway Timeout), or, to a request of a `content-type` that
/// begins with `application/grpc` (feature `grpc`), `grpc-status: 4` in trailers only; the body is
/// `Default`, and [`Expired`](super::Expired) is in the extensions.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use http::{Request, Response};
/// use murphy_policy::deadline::{HEADER, ServerDeadlineLayer};
/// use std::{convert::Infallible, future::pending, time::Duration};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// let service = ServiceBuilder::new()
///     .layer(ServerDeadlineLayer::new(Duration::from_secs(30)))
///     .service(service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>()));
/// let request = Request::get("/").header(HEADER, "1500").body(()).unwrap();
/// assert_eq!(service.oneshot(request).await.unwrap().status(), 504);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct ServerDeadlineLayer {
    most: Duration,
    header: Header,
    rules: Rules,
}

impl ServerDeadlineLayer {
    /// At most `most` for each request, whatever it asks for, and if it asks for nothing;
    /// [`Duration::MAX`] leaves it to the requests.
    #[must_use]
    pub const fn new(most: Duration) -> Self {
        Self {
            most,
            header: Header::Millis(HEADER),
            rules: Rules {
                cuts: true,
                site: Cow::Borrowed("server"),
            },
        }
    }

    /// Reads milliseconds from a header of another name.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = Header::Millis(name);
        self
    }

    /// Lets a handler finish that runs when its time is up. What has not begun is still dropped.
    #[must_use]
    pub const fn let_finish(mut self) -> Self {
        self.rules.cuts = false;
        self
    }

    /// Names the server in events and counters; `server` unless set.
    #[must_use]
    pub fn named(mut self, site: impl Into<Cow<'static, str>>) -> Self {
        self.rules.site = site.into();
        self
    }
}

impl<S> Layer<S> for ServerDeadlineLayer {
    type Service = ServerDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerDeadline {
            inner,
            layer: self.clone(),
        }
    }
}

/// Holds a handler to the deadline that its request brings along. See [`ServerDeadlineLayer`].
#[derive(Clone, Debug)]
pub struct ServerDeadline<S> {
    inner: S,
    layer: ServerDeadlineLayer,
}

impl<S> ServerDeadline<S> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its deadline.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl ServerDeadlineLayer {
    /// How long this request may take.
    fn allowed(&self, headers: &HeaderMap) -> Duration {
        let allowed = self.most.min(self.read(&self.header, headers));
        #[cfg(feature = "grpc")]
        let allowed = allowed.min(self.read(&Header::Grpc, headers));
        allowed
    }

    fn read(&self, header: &Header, headers: &HeaderMap) -> Duration {
        match header.read(headers) {
            Ok(said) => said.unwrap_or(Duration::MAX),
            Err(Hostile) => {
                hostile(&self.rules.site, header.name());
                Duration::MAX
            }
        }
    }
}

#[cold]
fn hostile(site: &str, header: &HeaderName) {
    metered::count("murphy_policy_deadline_bad_header_total", site);
    tracing::debug!(
        name: "deadline.bad_header", target: TARGET,
        site, header = header.as_str(), "a deadline that is none was ignored",
    );
}

impl<S, B, R> Service<Request<B>> for ServerDeadline<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ServeFuture<S, B>;

    /// At once: the request waits, not the server.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (allowed, now) = (self.layer.allowed(request.headers()), Instant::now());
        let ends = now.checked_add(allowed);
        let ends = ends.filter(|ends| ends.checked_add(ROUNDING).is_some());
        let scope = Scope::current();
        let scope = ends.map_or(scope, |ends| scope.with_deadline(ends));
        ServeFuture::new(self.inner.clone(), request, scope, now, &self.layer.rules)
    }
}

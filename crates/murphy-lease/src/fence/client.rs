//! [`FencedLayer`]: calls carry the token of a lease, and end with it.

use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

pub use self::error::FencedError;
pub use self::future::FencedFuture;
use super::{AttachToken, Proof};

mod error;
mod future;

/// Puts a [`Fenced`] around a client: each call is checked against the lease, carries its token, and ends with it.
///
/// ```text
/// call ── valid? ── stamp ──▶ inner ── answers ──▶ its reply
///           └── no ──▶ Lost      └── the lease is lost first ──▶ Lost, and the inner future is dropped
/// ```
///
/// The lease is looked at when a call is made, and again each time that its future is polled, so that a future that lay
/// about does not begin its work without it. It belongs inside a retry, so that each attempt is checked, and outside
/// of whatever delays: what is sent with a valid lease can still arrive late, and only the resource can refuse it then.
///
/// Over a call that answers at once it costs two readings of the lease's clock, and no allocation of its own.
#[derive(Clone, Copy, Debug)]
pub struct FencedLayer<P, A> {
    proof: P,
    attach: A,
    least: Duration,
}

/// A client whose calls carry a token. Made by [`FencedLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Fenced<S, P, A> {
    inner: S,
    layer: FencedLayer<P, A>,
}

impl<P: Proof, A> FencedLayer<P, A> {
    /// With the token of `proof`, attached by `attach`.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_lease::FencingToken;
    /// use murphy_lease::fence::{FencedLayer, Proof};
    ///
    /// struct Write { fence: u64, value: &'static str }
    ///
    /// fn layer<P: Proof>(lease: P) -> FencedLayer<P, impl Fn(&FencingToken, &mut Write)> {
    ///     FencedLayer::with(lease, |token: &FencingToken, write: &mut Write| {
    ///         write.fence = token.rank().seq;
    ///     })
    /// }
    /// ```
    #[must_use]
    pub const fn with(proof: P, attach: A) -> Self {
        let least = Duration::ZERO;
        Self {
            proof,
            attach,
            least,
        }
    }

    /// No call is made with less than this left of the lease: [`FencedError::Short`]. Nothing by default; the request's
    /// timeout, where the resource has no fence and the holder's own clock is all there is. Costs one more reading of it.
    #[must_use]
    pub const fn at_least(mut self, least: Duration) -> Self {
        self.least = least;
        self
    }
}

#[cfg(feature = "http")]
impl<P: Proof> FencedLayer<P, super::Headers> {
    /// With the token of `proof` in the header [`FENCING_TOKEN`](super::FENCING_TOKEN) of HTTP requests. With the `http`
    /// feature.
    #[must_use]
    pub fn new(proof: P) -> Self {
        Self::with(proof, super::Headers::new())
    }
}

impl<S, P: Clone, A: Clone> Layer<S> for FencedLayer<P, A> {
    type Service = Fenced<S, P, A>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        Fenced { inner, layer }
    }
}

impl<S, P, A> Fenced<S, P, A> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without the lease.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, A, Req> Service<Req> for Fenced<S, P, A>
where
    S: Service<Req>,
    P: Proof,
    A: AttachToken<Req>,
{
    type Response = S::Response;
    type Error = FencedError<S::Error>;
    type Future = FencedFuture<S::Future, P, S::Response, S::Error>;

    /// Fails once the lease is known to be lost, so that a load balancer drops the client.
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Some(lost) = self.layer.proof.known_lost() {
            return Poll::Ready(Err(FencedError::Lost(lost)));
        }
        self.inner.poll_ready(cx).map_err(FencedError::Inner)
    }

    #[inline]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let FencedLayer {
            proof,
            attach,
            least,
        } = &self.layer;
        let token = match proof.token() {
            Ok(token) => token,
            Err(lost) => return FencedFuture::failed(FencedError::Lost(lost)),
        };
        if !least.is_zero() {
            let (remaining, least) = (proof.remaining(), *least);
            if remaining < least {
                let short = FencedError::Short { remaining, least };
                return FencedFuture::failed(short);
            }
        }
        attach.attach(token, &mut request);
        FencedFuture::new(self.inner.call(request), proof.clone())
    }
}

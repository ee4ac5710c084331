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
/// about does not begin its work without it. Over a call that answers at once it costs two readings of the lease's clock,
/// and no allocation of its own.
///
/// # Where it belongs
///
/// * *Inside a retry*: each attempt is checked, and a lost lease ends the call.
/// * *Outside of a breaker*, a throttle and a limit, whose calls then end with the lease, unjudged. Beneath them it does no
///   harm: their errors being boxed, a lost lease is neither a failure nor a success of the peer.
/// * *Outside of whatever delays*: what is sent with a valid lease can still arrive late, and only the resource can refuse
///   it then.
///
/// In a `Stack` of `murphy-policy` it goes in by `.other("Fenced", ..)`. Policies look for a lost lease in a `BoxError`, and a
/// [`FencedError`] is none. Beneath `Stack::http()` and its like a timeout lies between, which boxes. *Directly* beneath a retry, a
/// hedge, a breaker or a throttle it takes a `tower::util::MapErrLayer::new(BoxError::from)` around it: or else a lost lease
/// is one more attempt in vain, and a failure of the peer.
///
/// # Examples
///
/// Over HTTP, with the `http` feature; any tower client will do:
///
#[cfg_attr(feature = "http", doc = "```")]
#[cfg_attr(not(feature = "http"), doc = "```ignore")]
/// use http::{Request, Response, StatusCode};
/// use murphy_lease::fence::{FENCING_TOKEN, FencedLayer, FencingOp};
/// use murphy_lease::{Locks, MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let client = service_fn(async |request: Request<String>| {
///     assert!(request.headers().contains_key(FENCING_TOKEN));
///     Ok::<_, std::io::Error>(Response::new("done"))
/// });
/// let lease = Locks::new(MemoryStore::new()).acquire("accounts/alice").await?;
/// let fenced = FencedLayer::new(lease.held()).layer(client);
///
/// let mut write = Request::put("/accounts/alice").body("100".to_owned()).unwrap();
/// write.extensions_mut().insert(FencingOp(1));
/// // 412 is an `Ok` too: another holder has been there.
/// assert_eq!(fenced.oneshot(write).await?.status(), StatusCode::OK);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
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
    /// With the token of `proof`, attached by `attach`: whatever the requests are.
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

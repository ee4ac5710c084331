//! [`FenceGuardLayer`]: a server admits no stale request.
//!
//! ```text
//! request ── no token ──▶ 428    ── not one token ──▶ 400    ── forged, or from the future ──▶ 403
//!    └── a token ── serialise: stale ──▶ 412    its turn ──▶ inner
//!                └─ pass through ────────────────────────▶ inner, with the token in the request's extensions
//! ```

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use murphy_core::{Clock, TokioClock};
use tower_layer::Layer;

pub use self::denied::Denied;
use self::lines::{Bounds, Lines};
pub use self::pass::PassFuture;
pub use self::serial::SerialFuture;
use super::{FencingOp, Horizon, headers};
use crate::FencingToken;

mod denied;
mod lines;
mod pass;
mod place;
mod serial;

/// Admits requests by the token in their header [`FENCING_TOKEN`](super::FENCING_TOKEN).
///
/// Two modes, and neither replaces a store that checks for itself where the resource has several servers, or outlives them:
///
/// * [`serialize`](Self::serialize): the layer remembers each resource's [`Fence`](super::Fence), and lets one request at a
///   time through for each. Right for *one* server that owns its resources; another instance knows nothing of these
///   fences, and a restart forgets them.
/// * [`pass_through`](Self::pass_through): the token is parsed and put into the request's extensions, and the handler makes its
///   write conditional on it: with a [`FencedStore`](super::FencedStore), or [`SqlFence`](super::SqlFence).
///
/// A check in a layer with the write in the handler behind it would be the textbook's check-then-write: hence the turns.
///
/// # What is refused
///
/// | | HTTP | gRPC (feature `grpc`) | header |
/// |---|---|---|---|
/// | no token | 428 | 9 (`FAILED_PRECONDITION`) | |
/// | stale, or of a rank that another had | 412 | 9 (`FAILED_PRECONDITION`) | `fencing-token-current: era=0;seq=34` |
/// | of another lock than the resource's | 412 | 9 (`FAILED_PRECONDITION`) | |
/// | a read before the holder has sealed: only a store says so | 412 | 9 (`FAILED_PRECONDITION`) | |
/// | an operation's number that did not rise: begun, see below | 409 | 6 (`ALREADY_EXISTS`) | `fencing-op-last: 7` |
/// | no token's text, or two headers of it | 400 | 3 (`INVALID_ARGUMENT`) | |
/// | not signed, forged, from the future | 403 | 7 (`PERMISSION_DENIED`) | |
/// | too many resources, or requests in line | 503 | 14 (`UNAVAILABLE`) | `retry-after: 1` |
///
/// The body is empty; [`Denied`] is in the response's extensions. The rank is all that is told: a nonce never is. When passing
/// through, it is the handler that says what its store has [`Refused`](super::Refused), and
/// [`Refused::response`](super::Refused::response) is the same answer.
///
/// # What a number says
///
/// When serialising, the number of an operation ([`FencingOp`]) is used up when its handler is called, whatever comes of it:
/// a 500, an error, a panic. For a number is there against doing it twice, and nobody but the handler knows what it did.
/// So a 409 with `fencing-op-last` equal to the number says that it *was begun*: it is still under way, or may have been done.
/// With a higher one it says nothing; see [`Fence`](super::Fence), Operations.
///
/// A handler that knows better, such as one that is overloaded and wrote nothing, puts [`NothingDone`] into the extensions of
/// its response: then the number is free, and the same operation may come again.
///
/// When passing through, the layer looks at no number: it is for the handler's store, where equal means done.
///
/// # Examples
///
/// ```
/// use murphy_lease::fence::FenceGuardLayer;
///
/// // Whatever the method: the read with which a new holder begins seals the resource.
/// let guard = FenceGuardLayer::serialize(|request| request.uri.path().to_owned());
/// // axum: `Router::new().route("/accounts/{id}", get(read).put(write)).route_layer(guard)`
/// # let _ = guard;
/// ```
#[derive(Clone)]
pub struct FenceGuardLayer<M> {
    rules: Arc<Rules>,
    mode: M,
}

/// In the extensions of a response: its handler did nothing. Then a [serialising](FenceGuardLayer::serialize) guard frees the
/// operation's number, and the same may be tried again.
///
/// Only for a handler, or a layer around it, that *knows*: a number that is freed after the work has begun lets it be done twice.
/// It has to reach the guard: a layer between that makes a response of its own leaves it out, and the number stays used up.
/// The guard takes it out of the response.
///
/// In axum: `(StatusCode::SERVICE_UNAVAILABLE, Extension(NothingDone))`.
///
/// # Examples
///
/// ```
/// use http::{Response, StatusCode};
/// use murphy_lease::fence::NothingDone;
///
/// let mut busy = Response::new(());
/// *busy.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
/// busy.extensions_mut().insert(NothingDone);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NothingDone;

/// One request at a time for each resource. See [`FenceGuardLayer::serialize`].
#[derive(Clone)]
pub struct Serialize {
    key: Arc<dyn Fn(&Parts) -> String + Send + Sync>,
    bounds: Bounds,
    /// Made when the layer is first used: knobs come before.
    lines: Arc<std::sync::OnceLock<Arc<Lines>>>,
}

/// The handler decides. See [`FenceGuardLayer::pass_through`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough {
    _private: (),
}

/// A service behind a [`FenceGuardLayer`].
#[derive(Clone)]
pub struct FenceGuard<S, M> {
    inner: S,
    rules: Arc<Rules>,
    mode: M,
}

/// What tokens are believed.
#[derive(Clone)]
pub(super) struct Rules {
    #[cfg(feature = "sign")]
    signer: Option<super::Signer>,
    horizon: Option<Horizon>,
    clock: Arc<dyn Clock>,
}

impl FenceGuardLayer<Serialize> {
    /// One request at a time for each resource, in the order in which they come; `key` says which resource a request is
    /// about, of up to [`MAX_RESOURCE`](super::MAX_RESOURCE) bytes.
    ///
    /// The token is seen when the request comes: from then on, those of lower rank that wait are refused, and so are those
    /// that come. What already runs is waited for. A request whose caller leaves while its handler runs keeps its turn: the
    /// handler goes on in a task of its own, one at most for a resource, and needs a timeout of its own if it can hang.
    /// A turn lasts until the head of the response, not to the end of a streamed body.
    ///
    /// Readiness is not passed on: a request readies its own clone of the service when its turn comes, so that none in
    /// line holds a permit. All services that this layer and its clones make share the fences.
    #[must_use]
    pub fn serialize(key: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        let mode = Serialize {
            key: Arc::new(key),
            bounds: Bounds::default(),
            lines: Arc::default(),
        };
        let rules = Arc::default();
        Self { rules, mode }
    }

    /// Fences of so many resources; 65,536 by default. One more is refused with 503, for a fence that is forgotten
    /// protects nothing; or see [`forgetting`](Self::forgetting). A fence costs about 200 bytes.
    #[must_use]
    pub fn resources(self, most: usize) -> Self {
        self.bounded(|bounds| bounds.resources = most)
    }

    /// So many requests wait for each resource; 64 by default. One more is refused with 503, unless its token outranks some that
    /// wait: those are refused instead.
    #[must_use]
    pub fn queue(self, longest: usize) -> Self {
        self.bounded(|bounds| bounds.queue = longest)
    }

    /// At the bound, forgets half of the resources that nobody uses, those of the lowest ranks, and remembers only the
    /// highest rank among them: no resource that is new admits a token as low as that, *whatever its lock*.
    ///
    /// For ranks that rise with time, as our stores' do: then it refuses the holders alone that were granted
    /// their leases before some resource was used last that is now forgotten. With plain counters it would refuse young locks
    /// for ever. Off by default.
    #[must_use]
    pub fn forgetting(self) -> Self {
        self.bounded(|bounds| bounds.forgets = true)
    }

    /// From here on, with fences of its own.
    fn bounded(mut self, change: impl FnOnce(&mut Bounds)) -> Self {
        change(&mut self.mode.bounds);
        self.mode.lines = Arc::default();
        self
    }
}

impl FenceGuardLayer<PassThrough> {
    /// Refuses what has no token, and leaves the rest to the handler: it finds the [`FencingToken`] in the
    /// request's extensions, and the operation's number as [`FencingOp`].
    ///
    /// The layer remembers nothing: a stale token gets as far as the handler's conditional write, and what that says the
    /// handler makes an answer of with [`Refused::response`](super::Refused::response), or `grpc_response`.
    #[must_use]
    pub fn pass_through() -> Self {
        let (rules, mode) = Default::default();
        Self { rules, mode }
    }
}

impl<M> FenceGuardLayer<M> {
    /// Believes signed tokens alone. With the `sign` feature.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn signed(self, signer: super::Signer) -> Self {
        self.ruled(|rules| rules.signer = Some(signer))
    }

    /// No token from beyond this. Off by default.
    #[must_use]
    pub fn horizon(self, horizon: Horizon) -> Self {
        self.ruled(|rules| rules.horizon = Some(horizon))
    }

    /// The clock of the [`horizon`](Self::horizon); tokio's by default.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.ruled(|rules| rules.clock = clock)
    }

    fn ruled(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

impl<S, M: Clone> Layer<S> for FenceGuardLayer<M> {
    type Service = FenceGuard<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        FenceGuard {
            inner,
            rules: Arc::clone(&self.rules),
            mode: self.mode.clone(),
        }
    }
}

impl<S, M> FenceGuard<S, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, which admits anybody.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl Serialize {
    fn lines(&self) -> &Arc<Lines> {
        self.lines.get_or_init(|| Arc::new(Lines::new(self.bounds)))
    }
}

impl Rules {
    /// The token and the operation's number that a request carries.
    pub(super) fn read(
        &self,
        headers: &HeaderMap,
    ) -> Result<(FencingToken, Option<FencingOp>), Denied> {
        let text = headers::text(headers)?;
        let token = self.token(text)?;
        if let Some(horizon) = &self.horizon {
            horizon
                .check(&token, self.clock.wall())
                .map_err(Denied::Refused)?;
        }
        Ok((token, headers::op(headers)?))
    }

    #[cfg(feature = "sign")]
    fn token(&self, text: &str) -> Result<FencingToken, Denied> {
        match &self.signer {
            Some(signer) => signer.verify(text).map_err(|_| Denied::Forged),
            None => text.parse().map_err(|_| Denied::Malformed),
        }
    }

    #[cfg(not(feature = "sign"))]
    fn token(&self, text: &str) -> Result<FencingToken, Denied> {
        text.parse().map_err(|_| Denied::Malformed)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            #[cfg(feature = "sign")]
            signer: None,
            horizon: None,
            clock: Arc::new(TokioClock),
        }
    }
}

impl<M> fmt::Debug for FenceGuardLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FenceGuardLayer")
            .field("horizon", &self.rules.horizon)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, M> fmt::Debug for FenceGuard<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FenceGuard")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Serialize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serialize")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

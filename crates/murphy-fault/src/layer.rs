//! [`FaultLayer`]: puts a site into a stack.

use std::sync::Arc;

use murphy_core::{Draw, Key, Seed};
use tower_layer::Layer;

use crate::Fault;
use crate::abilities::{Abilities, ByClone, Can, Offers, Sizes, Sometimes};
use crate::carry::{Inline, OnLocal};
use crate::chaos::{Chaos, TimeLimit};
use crate::ledger::Ledger;
use crate::marker::Marker;
use crate::plan::Plan;
use crate::refuse;
use crate::seat::Seat;
use crate::service::FaultService;
use crate::site::Site;

/// Lets the calls of a stack pass a [`Site`].
///
/// From [`Site::layer`], or, with one fault of its own, from [`FaultLayer::new`]. It changes no
/// type of the stack: response and error are the service's. By itself it can delay, lose and
/// reorder; each setter teaches it one thing more, so that a plan can ask for it.
///
/// The service must be `Clone`: a call that is delayed on the wire gives the instance that was
/// readied for it back at once, and readies another one when it arrives.
///
/// # Examples
///
/// ```
/// use murphy_core::Seed;
/// use murphy_fault::Chaos;
/// use tower::{service_fn, BoxError, ServiceBuilder};
///
/// let chaos = Chaos::new(Seed::new(42));
/// let layer = chaos
///     .site("api->payments")
///     .layer()
///     .keyed_by(|order: &u64| *order)
///     .duplicating()
///     .refusing_boxed();
/// let stack = ServiceBuilder::new()
///     .layer(layer)
///     .service(service_fn(|order: u64| async move { Ok::<u64, BoxError>(order) }));
/// # let _ = tower::ServiceExt::oneshot(stack, 1);
/// ```
#[derive(Clone, Debug)]
pub struct FaultLayer<A = Abilities> {
    site: Site,
    abilities: A,
}

impl FaultLayer {
    /// A layer with one fault, at a private site that is armed at once and for ever, under the
    /// seed in `MURPHY_SEED` or a fresh one ([`seeded`](Self::seeded) takes one).
    ///
    /// A `MURPHY_SEED` that is no seed is reported on standard error, and a fresh one is used.
    #[must_use]
    pub fn new(site: &str, fault: Fault) -> Self {
        let seed = Seed::resolve(None).unwrap_or_else(|e| {
            let fresh = Seed::fresh();
            eprintln!("murphy: {e}; using the fresh seed {fresh}");
            fresh
        });
        Self::seeded(seed, site, fault)
    }

    /// As [`new`](Self::new), under this seed.
    #[must_use]
    pub fn seeded(seed: Seed, site: &str, fault: Fault) -> Self {
        let chaos = Chaos::new(seed);
        let handle = chaos.site(site);
        // It cannot be refused: one fault at a site that is there, and nothing built yet.
        match chaos.arm(&Plan::new().with(site, fault), TimeLimit::None) {
            Ok(armed) => armed.keep(),
            Err(e) => unreachable!("a private plan is right: {e}"),
        }
        handle.layer()
    }

    pub(crate) fn at(site: Site) -> Self {
        Self {
            site,
            abilities: Abilities::default(),
        }
    }
}

impl<A> FaultLayer<A> {
    /// The site.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The ledger of the run that is on at the site, or of the last one.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        self.site.ledger()
    }
}

/// The same abilities but one, and so another type.
macro_rules! swap {
    ($layer:ident, $field:ident: $value:expr; $($kept:ident)*) => {
        FaultLayer {
            site: $layer.site,
            abilities: Abilities { $field: $value, $($kept: $layer.abilities.$kept),* },
        }
    };
}

impl<K, M, C, R, Q, P, J, X, W, Z> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, W, Z>> {
    /// Tells the key of a request: an order number, a trace id. Calls with one key share their
    /// fate under any schedule; without this, the key is that of the caller's
    /// [`Scope`](murphy_core::Scope), else the call is positional.
    ///
    /// Write the closure's argument type, since the layer does not know it yet:
    /// `.keyed_by(|order: &Order| order.id)`; of borrowed text, make the key there:
    /// `.keyed_by(|order: &Order| Key::from(order.sku.as_str()))`.
    #[must_use]
    pub fn keyed_by<Req, T, F>(
        self,
        key: F,
    ) -> FaultLayer<Abilities<Can<F>, M, C, R, Q, P, J, X, W, Z>>
    where
        F: Fn(&Req) -> T,
        T: Into<Key>,
    {
        swap!(self, key: Can::new(key); words copy refuse requests replies failure carry wire sizes)
    }

    /// As [`keyed_by`](Self::keyed_by), where only some requests have a key: a header that may be
    /// missing. The others have that of the caller's scope, else they are positional.
    #[must_use]
    pub fn keyed_if<Req, F>(
        self,
        key: F,
    ) -> FaultLayer<Abilities<Sometimes<F>, M, C, R, Q, P, J, X, W, Z>>
    where
        F: Fn(&Req) -> Option<Key>,
    {
        swap!(self, key: Sometimes(Can::new(key)); words copy refuse requests replies failure carry wire sizes)
    }

    /// Teaches the site the words that plans narrow faults by: is this request a `"charge"`?
    #[must_use]
    #[doc(alias = "predicate")]
    pub fn matching<Req, F>(self, is: F) -> FaultLayer<Abilities<K, Can<F>, C, R, Q, P, J, X, W, Z>>
    where
        F: Fn(&Req, &str) -> bool,
    {
        swap!(self, words: Can::new(is); key copy refuse requests replies failure carry wire sizes)
    }

    /// Lets requests be duplicated, by `Clone`.
    #[must_use]
    pub fn duplicating(self) -> FaultLayer<Abilities<K, M, ByClone, R, Q, P, J, X, W, Z>> {
        swap!(self, copy: ByClone; key words refuse requests replies failure carry wire sizes)
    }

    /// Lets requests be duplicated, by a function. Where it makes no copy, none arrives.
    #[must_use]
    pub fn duplicating_with<Req, F>(
        self,
        copy: F,
    ) -> FaultLayer<Abilities<K, M, Can<F>, R, Q, P, J, X, W, Z>>
    where
        F: Fn(&Req) -> Option<Req>,
    {
        swap!(self, copy: Can::new(copy); key words refuse requests replies failure carry wire sizes)
    }

    /// Lets calls be refused: makes the error or the response that a refused caller gets. Keep
    /// the marker in it where you can ([`refuse`](crate::refuse) has ready-made ones).
    ///
    /// Where neither response nor error can be made (`hyper::Error` cannot), put a `map_err`
    /// or `map_response` beneath the layer that turns it into something that can.
    ///
    /// For boxed errors and HTTP responses take [`refusing_boxed`](Self::refusing_boxed) or
    /// `refusing_http` (feature `http`): with a closure that names a `BoxError`,
    /// `tokio::spawn(async move { stack.oneshot(request).await })` may be refused with "one type is
    /// more general than the other" (rust-lang/rust#110338). A call made outside
    /// (`tokio::spawn(stack.oneshot(request))`) or a `BoxCloneService` has no such trouble.
    #[must_use]
    pub fn refusing<Out, F>(
        self,
        refuse: F,
    ) -> FaultLayer<Abilities<K, M, C, Can<F>, Q, P, J, X, W, Z>>
    where
        F: Fn(&Marker) -> Out,
    {
        swap!(self, refuse: Can::new(refuse); key words copy requests replies failure carry wire sizes)
    }

    /// Lets calls be refused with the marker as a boxed error, as in most tower stacks.
    #[must_use]
    pub fn refusing_boxed(self) -> FaultLayer<Abilities<K, M, C, refuse::Boxed, Q, P, J, X, W, Z>> {
        swap!(self, refuse: refuse::Boxed; key words copy requests replies failure carry wire sizes)
    }

    /// Lets calls be refused with a response of this status, an empty body, and the marker in its
    /// extensions. For any body that has a default.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn refusing_http(
        self,
        status: http::StatusCode,
    ) -> FaultLayer<Abilities<K, M, C, refuse::Http, Q, P, J, X, W, Z>> {
        swap!(self, refuse: refuse::Http(status); key words copy requests replies failure carry wire sizes)
    }

    /// Lets the layer speak a protocol.
    #[cfg(feature = "http")]
    pub(crate) fn wired<T>(self, wire: T) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, T, Z>> {
        swap!(self, wire: wire; key words copy refuse requests replies failure carry sizes)
    }

    /// Lets requests be corrupted: changes the message as the draw tells it to.
    #[must_use]
    #[doc(alias = "corrupt")]
    pub fn altering_requests<Req, F>(
        self,
        alter: F,
    ) -> FaultLayer<Abilities<K, M, C, R, Can<F>, P, J, X, W, Z>>
    where
        F: Fn(&mut Req, Draw),
    {
        swap!(self, requests: Can::new(alter); key words copy refuse replies failure carry wire sizes)
    }

    /// Lets replies lie: changes the response as the draw tells it to. An error stays as it is.
    #[must_use]
    #[doc(alias = "lie")]
    pub fn altering_replies<Res, F>(
        self,
        alter: F,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, Can<F>, J, X, W, Z>>
    where
        F: Fn(&mut Res, Draw),
    {
        swap!(self, replies: Can::new(alter); key words copy refuse requests failure carry wire sizes)
    }

    /// Tells which responses are failures, for halt conditions. Every `Err` is one anyway.
    #[must_use]
    pub fn failing_on<Res, F>(
        self,
        failed: F,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, P, Can<F>, X, W, Z>>
    where
        F: Fn(&Res) -> bool,
    {
        swap!(self, failure: Can::new(failed); key words copy refuse requests replies carry wire sizes)
    }

    /// For services that are not `Send`: what outlives its caller goes to the current `LocalSet`.
    /// A caller that is dropped outside of one takes its work with it.
    #[must_use]
    pub fn local(self) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, OnLocal, W, Z>> {
        swap!(self, carry: OnLocal; key words copy refuse requests replies failure wire sizes)
    }

    /// For services and requests that borrow: nothing outlives its caller. So a lost reply is
    /// worked on only as long as the caller waits, and copies end with it.
    #[must_use]
    pub fn inline(self) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, Inline, W, Z>> {
        swap!(self, carry: Inline; key words copy refuse requests replies failure wire sizes)
    }

    /// Tells how many bytes requests and replies are, for links whose rate is of bytes.
    #[must_use]
    pub fn sizing<Req, Res, F, G>(
        self,
        request: F,
        reply: G,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, W, Sizes<F, G>>>
    where
        F: Fn(&Req) -> u64,
        G: Fn(&Res) -> u64,
    {
        let sizes = Sizes(Can::new(request), Can::new(reply));
        swap!(self, sizes: sizes; key words copy refuse requests replies failure carry wire)
    }
}

impl<S: Clone, A: Clone + Offers> Layer<S> for FaultLayer<A> {
    type Service = FaultService<S, A>;

    fn layer(&self, inner: S) -> FaultService<S, A> {
        self.site.core.offer(A::OFFERED);
        FaultService::new(
            inner,
            Seat::new(Arc::clone(&self.site.core)),
            Arc::new(self.abilities.clone()),
        )
    }
}

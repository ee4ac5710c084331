//! [`IdempotencyKeyLayer`]: one key for a call and all its attempts.

use std::borrow::Cow;
use std::fmt;
use std::task::{Context, Poll};

use murphy_core::Seed;
use tower_layer::Layer;
use tower_service::Service;

use super::IdempotencyKey;
use super::mint::Mint;
use crate::stack::{Describe, Part};

/// Names each call, once for all its attempts.
///
/// Goes outside of [`Hedge`](crate::Hedge) and [`Retry`](crate::Retry): what they send again is a
/// copy that carries the key. Beneath them each attempt would be an operation of its own; a
/// [`Stack`](crate::Stack) refuses that.
///
/// Two calls never share a key, also under one caller's key. The keys of a process come from
/// entropy of its own; with `MURPHY_SEED` they are the same in each run, so a server that
/// remembers the last run takes this one's calls for repeats, and processes that share the seed
/// need names that differ ([`named`](Self::named)). The n-th call under a key in the
/// [`Scope`](murphy_core::Scope) has the same one whatever the schedule; that is remembered of the
/// first 16,384 keys, and the calls of further ones are counted together.
///
/// # Examples
///
/// ```
/// use murphy_policy::idempotency::{IdempotencyKey, IdempotencyKeyLayer};
/// use murphy_policy::{RetryLayer, Stack};
///
/// struct Charge { cents: u32, key: Option<IdempotencyKey> }
/// let name = |charge: &mut Charge, key| charge.key = Some(key);
/// let stack = Stack::new()
///     .layer(IdempotencyKeyLayer::with(name))
///     .layer(RetryLayer::new());
/// # let _ = stack;
/// ```
#[derive(Clone)]
#[doc(alias = "idempotent")]
pub struct IdempotencyKeyLayer<W> {
    write: W,
    mint: Mint,
    site: Cow<'static, str>,
}

/// Puts a key on a request. A closure `Fn(&mut Req, IdempotencyKey)` is one, for every request.
pub trait WriteKey<Req> {
    /// Whether this request needs a key. One that has its own does not.
    fn wants(&self, request: &Req) -> bool;

    /// Called once for each call that wants one.
    fn write(&self, request: &mut Req, key: IdempotencyKey);
}

impl<F: Fn(&mut Req, IdempotencyKey), Req> WriteKey<Req> for F {
    fn wants(&self, _: &Req) -> bool {
        true
    }

    fn write(&self, request: &mut Req, key: IdempotencyKey) {
        self(request, key);
    }
}

impl<W> IdempotencyKeyLayer<W> {
    /// Keys are put on requests by `write`.
    #[must_use]
    pub fn with(write: W) -> Self {
        let site = Cow::Borrowed("idempotency");
        let mint = Mint::from_environment(&site);
        Self { write, mint, site }
    }

    #[cfg(feature = "http")]
    pub(super) fn map(mut self, set: impl FnOnce(&mut W)) -> Self {
        set(&mut self.write);
        self
    }

    /// Names the layer: layers and processes that share a seed and a name make the same keys.
    #[must_use]
    pub fn named(mut self, site: impl Into<Cow<'static, str>>) -> Self {
        self.site = site.into();
        self.mint = self.mint.renamed(&self.site);
        self
    }

    /// Draws keys from `seed`: for tests. Another layer with this seed and name draws the same.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.mint = Mint::seeded(seed, &self.site);
        self
    }
}

impl<W> Describe for IdempotencyKeyLayer<W> {
    fn describe(&self) -> Part {
        Part::IdempotencyKey
    }
}

impl<W> fmt::Debug for IdempotencyKeyLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKeyLayer")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl<S, W: Clone> Layer<S> for IdempotencyKeyLayer<W> {
    type Service = NameCalls<S, W>;

    fn layer(&self, inner: S) -> NameCalls<S, W> {
        NameCalls {
            inner,
            write: self.write.clone(),
            mint: self.mint.clone(),
        }
    }
}

/// Names each call. See [`IdempotencyKeyLayer`].
#[derive(Clone)]
pub struct NameCalls<S, W> {
    inner: S,
    write: W,
    mint: Mint,
}

impl<S, W> NameCalls<S, W> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, whose calls have no name.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Service<Req>, W: WriteKey<Req>, Req> Service<Req> for NameCalls<S, W> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> S::Future {
        if self.write.wants(&request) {
            self.write.write(&mut request, self.mint.next());
        }
        self.inner.call(request)
    }
}

impl<S: fmt::Debug, W> fmt::Debug for NameCalls<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameCalls")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

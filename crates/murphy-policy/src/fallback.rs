//! Middleware that answers in the place of what failed.
//!
//! Outermost of all, above the [`Deadline`](crate::Deadline): a call whose time is up can still be
//! answered, and the time that the answer takes is nobody's deadline but the caller's own. Bound it:
//! a value takes none, a service can have a [`Timeout`](crate::Timeout) of its own.
//!
//! ```text
//! Calling ── success ──▶ done
//!    └── failure ──▶ Answering ── an answer ──▶ done, told from the real thing
//!                        └── none ──▶ FallbackError, with the first failure in it
//! ```
//!
//! A [`Classify`] says what a failure is: every `Err`, unless another is set; whatever is no
//! [`Verdict::Success`](crate::Verdict::Success). What is passed on then is passed on as it is. The
//! answer is made of what was [saved](FallbackLayer::saving) of the request, and of what failed: a
//! closure's, a value, another service's. A service beneath that fails to become ready is not
//! stood in for: that ends the service, not a call.
//!
//! While all goes well a call costs what is saved of its request, and a reference count.
//!
//! | event | level | when | fields |
//! |---|---|---|---|
//! | `fallback.used` | warn | a call failed, and is answered in another way | `site`, `of` |
//! | `fallback.failed` | warn | that failed as well | `site`, `error` |
//!
//! Counters (feature `metrics`), by layer: `murphy_policy_fallback_used_total`,
//! `murphy_policy_fallback_failed_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, DeadlineLayer, FallbackCause, FallbackLayer};
//! use std::{future::pending, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let remembered = |user: &String, _: &FallbackCause<String, BoxError>| {
//!     let reply = format!("what we knew of {user}");
//!     async { Ok::<_, BoxError>(reply) }
//! };
//! let service = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(remembered).saving(|user: &&str| user.to_string()))
//!     .layer(DeadlineLayer::new(Duration::from_secs(5)))
//!     .service(service_fn(|_: &str| pending::<Result<String, BoxError>>()));
//! assert_eq!(service.oneshot("ada").await.unwrap(), "what we knew of ada");
//! # });
//! ```

mod answer;
mod error;
mod future;
mod layer;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

pub use self::answer::{Answer, Other, OtherFuture, Value};
#[cfg(feature = "http")]
pub use self::answer::{FromFallback, Marked};
pub use self::answer::{Mark, Nothing, Save, Unmarked, Whole};
pub use self::error::{FallbackCause, FallbackError};
pub use self::future::ResponseFuture;
pub use self::layer::FallbackLayer;
use crate::retry::{AnyError, Classify};
use crate::surface::{Boxed, Surface};

/// What one layer's services share.
struct Policy<A, K, C, T> {
    answer: A,
    save: K,
    classify: C,
    mark: T,
    site: std::borrow::Cow<'static, str>,
}

/// Answers in the place of what failed. See the [module](self).
pub struct Fallback<S, A, K = Nothing, C = AnyError, T = Unmarked, M = Boxed> {
    inner: S,
    policy: Arc<Policy<A, K, C, T>>,
    surface: PhantomData<M>,
}

impl<S, A, K, C, T, M> Fallback<S, A, K, C, T, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, for which nobody stands in.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, A, K, C, T, M> Clone for Fallback<S, A, K, C, T, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: Arc::clone(&self.policy),
            surface: PhantomData,
        }
    }
}

impl<S: fmt::Debug, A, K, C, T, M> fmt::Debug for Fallback<S, A, K, C, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("inner", &self.inner)
            .field("site", &self.policy.site)
            .finish_non_exhaustive()
    }
}

impl<S, A, K, C, T, M, Req> Service<Req> for Fallback<S, A, K, C, T, M>
where
    S: Service<Req>,
    K: Save<Req>,
    A: Answer<K::Saved, S::Response, S::Error>,
    C: Classify<Req, S::Response, S::Error>,
    T: Mark<S::Response>,
    M: Surface<FallbackError<S::Error>, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, A, K, C, T, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        let saved = policy.save.save(&request);
        let seen = policy.classify.see(&request);
        ResponseFuture::new(self.inner.call(request), saved, seen, policy)
    }
}

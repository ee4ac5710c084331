//! [`FallbackLayer`]: the knobs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

use super::{Fallback, Nothing, Other, Policy, Unmarked, Value, Whole};
use crate::retry::AnyError;
use crate::surface::{Boxed, Typed};

/// Puts a [`Fallback`] around a service.
pub struct FallbackLayer<A, K = Nothing, C = AnyError, T = Unmarked, M = Boxed> {
    policy: Arc<Policy<A, K, C, T>>,
    surface: PhantomData<M>,
}

impl<A> FallbackLayer<A> {
    /// Answers every `Err` with `answer`: an [`Answer`](super::Answer), such as a closure.
    #[must_use]
    pub fn new(answer: A) -> Self {
        Self::build(answer, Nothing)
    }
}

impl<R> FallbackLayer<Value<R>> {
    /// Answers every `Err` with a clone of `reply`.
    #[must_use]
    pub fn value(reply: R) -> Self {
        Self::new(Value(reply))
    }
}

impl<S> FallbackLayer<Other<S>, Whole> {
    /// Answers every `Err` with what a clone of `service` answers to a clone of the request; to
    /// what [`saving`](FallbackLayer::saving) makes of it, where that is set.
    #[must_use]
    pub fn service(service: S) -> Self {
        Self::build(Other(service), Whole)
    }
}

impl<A, K> FallbackLayer<A, K> {
    fn build(answer: A, save: K) -> Self {
        Self {
            policy: Arc::new(Policy {
                answer,
                save,
                classify: AnyError,
                mark: Unmarked,
                site: Cow::Borrowed("fallback"),
            }),
            surface: PhantomData,
        }
    }
}

impl<A: Clone, K: Clone, C: Clone, T: Clone, M> FallbackLayer<A, K, C, T, M> {
    /// Keeps of each request what the answer needs: a [`Save`](super::Save), such as a closure
    /// `|request: &Req| -> T`; nothing unless set.
    #[must_use]
    pub fn saving<N>(self, save: N) -> FallbackLayer<A, N, C, T, M> {
        self.swap(|old| Policy {
            save,
            answer: old.answer,
            classify: old.classify,
            mark: old.mark,
            site: old.site,
        })
    }

    /// Judges outcomes: a [`Classify`](crate::Classify), such as the one of a
    /// [`Retry`](crate::Retry) beneath. What is no [`Verdict::Success`](crate::Verdict::Success) is
    /// answered by the fallback, the attempt is always the first of one.
    #[must_use]
    #[doc(alias = "predicate")]
    pub fn classify<N>(self, classify: N) -> FallbackLayer<A, K, N, T, M> {
        self.swap(|old| Policy {
            classify,
            answer: old.answer,
            save: old.save,
            mark: old.mark,
            site: old.site,
        })
    }

    /// Puts [`FromFallback`](super::FromFallback) into the extensions of the `http::Response`s that
    /// it answers with. With the `http` feature.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn marked(self) -> FallbackLayer<A, K, C, super::Marked, M> {
        self.swap(|old| Policy {
            mark: super::Marked,
            answer: old.answer,
            save: old.save,
            classify: old.classify,
            site: old.site,
        })
    }

    /// Names the layer in events and counters; `fallback` unless set.
    #[must_use]
    pub fn named(self, site: impl Into<Cow<'static, str>>) -> Self {
        let site = site.into();
        self.swap(|old| Policy { site, ..old })
    }

    /// Errors are [`FallbackError<S::Error>`](super::FallbackError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub fn typed(self) -> FallbackLayer<A, K, C, T, Typed> {
        self.swap(|old| old)
    }

    fn swap<A2, K2, C2, T2, M2>(
        self,
        f: impl FnOnce(Policy<A, K, C, T>) -> Policy<A2, K2, C2, T2>,
    ) -> FallbackLayer<A2, K2, C2, T2, M2> {
        let policy = Arc::try_unwrap(self.policy).unwrap_or_else(|shared| Policy {
            answer: shared.answer.clone(),
            save: shared.save.clone(),
            classify: shared.classify.clone(),
            mark: shared.mark.clone(),
            site: shared.site.clone(),
        });
        FallbackLayer {
            policy: Arc::new(f(policy)),
            surface: PhantomData,
        }
    }
}

impl<S, A, K, C, T, M> Layer<S> for FallbackLayer<A, K, C, T, M> {
    type Service = Fallback<S, A, K, C, T, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback {
            inner,
            policy: Arc::clone(&self.policy),
            surface: PhantomData,
        }
    }
}

impl<A, K, C, T, M> Clone for FallbackLayer<A, K, C, T, M> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            surface: PhantomData,
        }
    }
}

impl<A, K, C, T, M> fmt::Debug for FallbackLayer<A, K, C, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer")
            .field("site", &self.policy.site)
            .finish_non_exhaustive()
    }
}

//! [`ConcurrencyLayer`]: the knobs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

use super::core::{Control, Core};
use super::limit::Limit;
use super::{Concurrency, Judge};
use crate::AnyError;
use crate::surface::{Boxed, Typed};

/// Puts a [`Concurrency`] around a service.
///
/// All services that one layer makes, and clones of the layer, share one limit.
///
/// # Examples
///
/// ```
/// use murphy_policy::ConcurrencyLayer;
/// use murphy_policy::concurrency::Gradient;
///
/// let layer = ConcurrencyLayer::new(Gradient::new().between(5, 100)?)
///     .queue(20)
///     .named("api->payments");
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct ConcurrencyLayer<C = AnyError, M = Boxed> {
    classify: C,
    queue: u32,
    core: Arc<Core>,
    surface: PhantomData<M>,
}

impl ConcurrencyLayer {
    /// As many calls at once as `limit` says: [`Gradient`](super::Gradient),
    /// [`LeastRtt`](super::LeastRtt), [`Aimd`](super::Aimd) or another. Nothing waits.
    #[must_use]
    pub fn new(limit: impl Limit + Send + 'static) -> Self {
        let site = Arc::from("concurrency");
        Self {
            classify: AnyError,
            queue: 0,
            core: Arc::new(Core::new(Control::new(limit), 0, site)),
            surface: PhantomData,
        }
    }
}

impl<C, M> ConcurrencyLayer<C, M> {
    /// At most `waiting` calls wait for their turn, as before a [bulkhead](crate::bulkhead); none
    /// unless set. The wait is not part of what is measured.
    #[must_use]
    pub fn queue(self, waiting: u32) -> Self {
        let site = Arc::clone(&self.core.site);
        self.renewed(waiting, site)
    }

    /// Names the limit in errors and events; `concurrency` unless set.
    #[must_use]
    pub fn named(self, site: impl Into<Arc<str>>) -> Self {
        let queue = self.queue;
        self.renewed(queue, site.into())
    }

    /// Judges outcomes: a [`Classify`](crate::Classify), such as a closure. What succeeded or is
    /// terminal is measured; anything else is a failure, which is not, and which
    /// [`Round::dropped`](super::Round::dropped) tells the limit; what is
    /// [withheld](crate::Kind::Withheld), or [ended](crate::Kind::Ended) here, is nothing. Here the classifier alone says
    /// which: the default takes every error for a failure, [`IoClassify`](crate::IoClassify) looks into it. It is asked about attempt 1 of 1.
    #[must_use]
    pub fn classify<T>(self, classify: T) -> ConcurrencyLayer<T, M> {
        ConcurrencyLayer {
            classify,
            queue: self.queue,
            core: self.core,
            surface: PhantomData,
        }
    }

    /// Errors are [`ConcurrencyError<S::Error>`](super::ConcurrencyError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub fn typed(self) -> ConcurrencyLayer<C, Typed> {
        ConcurrencyLayer {
            classify: self.classify,
            queue: self.queue,
            core: self.core,
            surface: PhantomData,
        }
    }

    pub(crate) const fn waiting(&self) -> u32 {
        self.queue
    }

    fn renewed(mut self, queue: u32, site: Arc<str>) -> Self {
        self.queue = queue;
        self.core = Arc::new(Core::new(self.core.control(), queue, site));
        self
    }
}

impl<S, C: Clone, M> Layer<S> for ConcurrencyLayer<C, M> {
    type Service = Concurrency<S, C, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let judge = Judge {
            classify: self.classify.clone(),
            core: Arc::clone(&self.core),
        };
        Concurrency::new(inner, Arc::new(judge))
    }
}

impl<C: Clone, M> Clone for ConcurrencyLayer<C, M> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            queue: self.queue,
            core: Arc::clone(&self.core),
            surface: PhantomData,
        }
    }
}

impl<C, M> fmt::Debug for ConcurrencyLayer<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLayer")
            .field("core", &self.core)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

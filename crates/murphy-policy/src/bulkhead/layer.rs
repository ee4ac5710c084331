//! [`BulkheadLayer`]: the knobs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

#[cfg(doc)]
use super::BulkheadError;
use super::partition::{Gates, Shape};
use super::passage::Gated;
use super::{Bulkhead, ByKey, Whole};
use crate::BadKnob;
use crate::surface::{Boxed, Typed};

/// Puts a [`Bulkhead`] around a service.
///
/// All services that one layer makes, and clones of the layer, share its places. A setter makes
/// new ones.
///
/// # Examples
///
/// ```
/// use murphy_core::Key;
/// use murphy_policy::BulkheadLayer;
///
/// struct Request { tenant: u64 }
///
/// let layer = BulkheadLayer::new(10)?
///     .queue(20)
///     .by(|request: &Request| Key::new(request.tenant))
///     .named("api->payments");
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct BulkheadLayer<K = Whole, M = Boxed> {
    shape: Shape,
    partition: K,
    gates: Arc<Gates>,
    site: Arc<str>,
    surface: PhantomData<M>,
}

impl BulkheadLayer {
    /// How many keys have places of their own unless [`partitions`](Self::partitions) says
    /// otherwise.
    pub const DEFAULT_PARTITIONS: u32 = 100;

    /// At most `places` calls at once, at least 1, and as many that wait.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where there would be none: `bulkhead.places = 0: use 1 or more`
    #[doc(alias = "max_concurrent")]
    pub fn new(places: u32) -> Result<Self, BadKnob> {
        if places == 0 {
            return Err(BadKnob::new("bulkhead.places", places, "use 1 or more"));
        }
        let shape = Shape {
            places,
            queue: places,
            newest_first: false,
            partitions: Self::DEFAULT_PARTITIONS,
        };
        Ok(Self {
            shape,
            partition: Whole,
            gates: Gates::new(shape),
            site: "bulkhead".into(),
            surface: PhantomData,
        })
    }
}

impl<K, M> BulkheadLayer<K, M> {
    /// At most `waiting` calls wait; as many as there are places unless set. 0 sheds whatever
    /// finds no place.
    #[must_use]
    #[doc(alias = "max_wait")]
    pub fn queue(mut self, waiting: u32) -> Self {
        self.shape.queue = waiting;
        self.renewed()
    }

    /// The newest that waits is next, and a full queue sheds its oldest.
    ///
    /// Under an overload that lasts, the oldest have the least time left: who is served in order is
    /// served late. Without one, hardly anybody waits, and the order does not matter.
    #[must_use]
    #[doc(alias = "lifo")]
    pub fn newest_first(mut self) -> Self {
        self.shape.newest_first = true;
        self.renewed()
    }

    /// Gives each key places and a queue of its own, as many as were asked for. A call then takes
    /// one more short lock, and one whose key has no other call under way may allocate.
    #[must_use]
    #[doc(alias = "partition")]
    pub fn by<F>(self, key: F) -> BulkheadLayer<ByKey<F>, M> {
        BulkheadLayer {
            shape: self.shape,
            partition: ByKey(key),
            gates: Gates::new(self.shape),
            site: self.site,
            surface: PhantomData,
        }
    }

    /// At most so many keys have places of their own at once; 100 unless set. Keys without a call
    /// make room for others; those that find none share the places of one more.
    #[must_use]
    pub fn partitions(mut self, most: u32) -> Self {
        self.shape.partitions = most;
        self.renewed()
    }

    /// Names the bulkhead in errors and events; `bulkhead` unless set.
    #[must_use]
    pub fn named(mut self, site: impl Into<Arc<str>>) -> Self {
        self.site = site.into();
        self
    }

    /// Errors are [`BulkheadError<S::Error>`](BulkheadError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub fn typed(self) -> BulkheadLayer<K, Typed> {
        BulkheadLayer {
            shape: self.shape,
            partition: self.partition,
            gates: self.gates,
            site: self.site,
            surface: PhantomData,
        }
    }

    pub(crate) const fn waiting(&self) -> u32 {
        self.shape.queue
    }

    fn renewed(mut self) -> Self {
        self.gates = Gates::new(self.shape);
        self
    }
}

impl<K: Clone, M> Clone for BulkheadLayer<K, M> {
    fn clone(&self) -> Self {
        Self {
            shape: self.shape,
            partition: self.partition.clone(),
            gates: Arc::clone(&self.gates),
            site: Arc::clone(&self.site),
            surface: PhantomData,
        }
    }
}

impl<K, M> fmt::Debug for BulkheadLayer<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadLayer")
            .field("site", &self.site)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl<S, K: Clone, M> Layer<S> for BulkheadLayer<K, M> {
    type Service = Bulkhead<S, K, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let gate = Arc::clone(self.gates.rest());
        Bulkhead {
            gated: Gated { inner, gate },
            partition: self.partition.clone(),
            gates: Arc::clone(&self.gates),
            site: Arc::clone(&self.site),
            surface: PhantomData,
        }
    }
}

//! Layers by the names that people look for: each is a [`FaultLayer`] with one fault in it.

mod partition;

use murphy_core::{Distribution, Probability};
use tower_layer::Layer;

use crate::abilities::{Abilities, ByClone, Cannot};
use crate::service::FaultService;
use crate::{Fault, FaultLayer};

pub use partition::PartitionLayer;

/// Delays requests on the wire.
///
/// # Examples
///
/// ```
/// use murphy_core::{Distribution, Probability};
/// use murphy_fault::LatencyLayer;
/// use std::time::Duration;
///
/// let layer = LatencyLayer::new(
///     "api->payments",
///     Distribution::exponential(Duration::from_millis(20)),
///     Probability::ALWAYS,
/// );
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
pub struct LatencyLayer(FaultLayer);

/// Loses requests, or replies. Loss is silence: have a timeout above it.
#[derive(Clone, Debug)]
#[doc(alias = "drop")]
#[doc(alias = "loss")]
pub struct DropLayer(FaultLayer);

/// Delivers requests twice.
#[derive(Clone, Debug)]
pub struct DuplicateLayer(FaultLayer<Abilities<Cannot, Cannot, ByClone>>);

impl LatencyLayer {
    /// Delays a share `p` of the requests at `site` by a time from `by`.
    #[must_use]
    pub fn new(site: &str, by: Distribution, p: Probability) -> Self {
        Self(FaultLayer::new(site, Fault::latency(by, p)))
    }
}

impl DropLayer {
    /// Loses a share `p` of the requests at `site`: the service never hears of them.
    #[must_use]
    pub fn requests(site: &str, p: Probability) -> Self {
        Self(FaultLayer::new(site, Fault::lost_request(p)))
    }

    /// Loses a share `p` of the replies at `site`: the service did the work.
    #[must_use]
    pub fn replies(site: &str, p: Probability) -> Self {
        Self(FaultLayer::new(site, Fault::lost_reply(p)))
    }
}

impl DuplicateLayer {
    /// Delivers a share `p` of the requests at `site` once more, a time from `after` later.
    #[must_use]
    pub fn new(site: &str, after: Distribution, p: Probability) -> Self {
        Self(FaultLayer::new(site, Fault::duplicate(after, p)).duplicating())
    }
}

macro_rules! door {
    ($($door:ident => $abilities:ty;)*) => {$(
        impl $door {
            /// The fault layer that it is, for more abilities, or for its ledger.
            #[must_use]
            pub fn into_inner(self) -> FaultLayer<$abilities> {
                self.0
            }
        }

        impl<S: Clone> Layer<S> for $door {
            type Service = FaultService<S, $abilities>;

            fn layer(&self, inner: S) -> Self::Service {
                self.0.layer(inner)
            }
        }
    )*};
}

door! {
    LatencyLayer => Abilities;
    DropLayer => Abilities;
    DuplicateLayer => Abilities<Cannot, Cannot, ByClone>;
}

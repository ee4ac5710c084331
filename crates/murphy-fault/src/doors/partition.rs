//! [`PartitionLayer`]: one link, and the verbs that cut it.

use std::sync::Arc;

use murphy_core::Seed;
use tower_layer::Layer;

use crate::FaultLayer;
use crate::chaos::{Chaos, TimeLimit};
use crate::ledger::Ledger;
use crate::network::{Cut, Network, NetworkError};
use crate::plan::Plan;
use crate::service::FaultService;

/// Partitions a caller from its service, when it is told to. A cut is silence: have a timeout above
/// it.
///
/// It is the link `from->to` of a private [`Network`] that is armed at once and for ever. A handle:
/// keep a clone of what goes into the stack. For more than two nodes, shapes, holds and time limits,
/// use [`Chaos::network`](crate::Chaos::network).
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_fault::PartitionLayer;
/// use std::{convert::Infallible, time::Duration};
/// use tokio::time::timeout;
/// use tower::{service_fn, ServiceBuilder, ServiceExt};
///
/// let link = PartitionLayer::try_new("api", "payments")?;
/// let payments = ServiceBuilder::new()
///     .layer(link.clone())
///     .service(service_fn(|order: u64| async move { Ok::<_, Infallible>(order) }));
///
/// let cut = link.cut()?;
/// let silence = timeout(Duration::from_secs(5), payments.clone().oneshot(17)).await;
/// assert!(silence.is_err());
///
/// drop(cut); // heals
/// assert_eq!(payments.oneshot(17).await, Ok(17));
/// # Ok::<(), murphy_fault::NetworkError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "split brain")]
pub struct PartitionLayer {
    layer: FaultLayer,
    network: Network,
    from: Arc<str>,
    to: Arc<str>,
}

impl PartitionLayer {
    /// The link from a caller to its service, by their names. It is whole.
    ///
    /// # Errors
    ///
    /// [`NetworkError::BadName`], and [`NetworkError::InTwoGroups`] if both have the same name.
    pub fn try_new(from: &str, to: &str) -> Result<Self, NetworkError> {
        // The seed says nothing here: a partition leaves nothing to chance.
        let chaos = Chaos::new(Seed::new(0));
        let network = chaos.network();
        network.nodes([from, to])?;
        if from == to {
            let node = from.to_owned();
            return Err(NetworkError::InTwoGroups { node });
        }
        let layer = network.link(from, to)?.layer();
        // It cannot be refused: no faults, no time limit, and nobody else knows of it.
        match chaos.arm(&Plan::new(), TimeLimit::None) {
            Ok(armed) => armed.keep(),
            Err(e) => unreachable!("a private plan is right: {e}"),
        }
        Ok(Self {
            layer,
            network,
            from: from.into(),
            to: to.into(),
        })
    }

    /// Cuts both ways: requests are lost, and so are the replies to those that are there already.
    ///
    /// # Errors
    ///
    /// [`NetworkError::TooMany`] at 1,024 cuts at one time.
    pub fn cut(&self) -> Result<Cut, NetworkError> {
        self.network.partition([&self.from], [&self.to])
    }

    /// Cuts the way there: the service never hears of a request.
    ///
    /// # Errors
    ///
    /// As [`cut`](Self::cut).
    pub fn cut_requests(&self) -> Result<Cut, NetworkError> {
        self.network.partition_oneway([&self.from], [&self.to])
    }

    /// Cuts the way back: the service does the work, and the caller does not hear of it.
    ///
    /// # Errors
    ///
    /// As [`cut`](Self::cut).
    #[doc(alias = "asymmetric partition")]
    pub fn cut_replies(&self) -> Result<Cut, NetworkError> {
        self.network.partition_oneway([&self.to], [&self.from])
    }

    /// Heals all cuts, whoever has their guards.
    pub fn heal(&self) {
        self.network.repair();
    }

    /// What was cut, and who felt it.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        self.layer.ledger()
    }

    /// The fault layer that it is, for more abilities. The link is cut by a clone of this one.
    #[must_use]
    pub fn into_inner(self) -> FaultLayer {
        self.layer
    }
}

impl<S: Clone> Layer<S> for PartitionLayer {
    type Service = FaultService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.layer.layer(inner)
    }
}

//! [`ReloadLayer`]: layers that are exchanged while their services are at work.
//!
//! A call that is under way keeps the layers with which it began; the next one goes through the new
//! ones. What a layer knows (a budget, a breaker's state) goes with it, unless the new one is given the
//! same.
//!
//! A call pays one load for it, and after an exchange one rebuilding a service.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, Elapsed, TimeoutLayer, find, reload::ReloadLayer};
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! let (layer, handle) = ReloadLayer::new(TimeoutLayer::new(Duration::from_secs(1)));
//! let slow = service_fn(async |(): ()| Ok::<_, BoxError>(tokio::time::sleep(Duration::from_secs(2)).await));
//! let service = layer.layer(slow);
//! assert!(service.clone().oneshot(()).await.is_err());
//! handle.swap(TimeoutLayer::new(Duration::from_secs(5)));
//! assert!(service.oneshot(()).await.is_ok());
//! # });
//! ```

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

/// Puts layers around a service that its [`ReloadHandle`] can exchange for others of their type,
/// such as those that a `config::Config` makes (feature `serde`).
pub struct ReloadLayer<L>(Arc<Shared<L>>);

/// Exchanges the layers of all services of one [`ReloadLayer`].
pub struct ReloadHandle<L>(Arc<Shared<L>>);

/// A service within layers that can be exchanged. Made by [`ReloadLayer`].
pub struct Reload<S, L: Layer<S>> {
    inner: S,
    built: L::Service,
    version: u64,
    shared: Arc<Shared<L>>,
}

struct Shared<L> {
    /// Rises with each exchange.
    version: AtomicU64,
    layers: Mutex<L>,
}

impl<L> ReloadLayer<L> {
    /// These layers, until others are there.
    #[must_use]
    pub fn new(layers: L) -> (Self, ReloadHandle<L>) {
        let shared = Arc::new(Shared {
            version: AtomicU64::new(0),
            layers: Mutex::new(layers),
        });
        (Self(Arc::clone(&shared)), ReloadHandle(shared))
    }
}

impl<L> ReloadHandle<L> {
    /// Exchanges them, and returns those that were.
    pub fn swap(&self, layers: L) -> L {
        let mut current = self.0.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, layers);
        // Under the lock, so that nobody notes the old layers under the new number.
        self.0.version.fetch_add(1, Relaxed);
        old
    }

    /// How often they were exchanged.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version.load(Relaxed)
    }
}

impl<L> Shared<L> {
    fn build<S>(&self, inner: S) -> (L::Service, u64)
    where
        L: Layer<S>,
    {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        (layers.layer(inner), self.version.load(Relaxed))
    }
}

impl<S: Clone, L: Layer<S>> Layer<S> for ReloadLayer<L> {
    type Service = Reload<S, L>;

    fn layer(&self, inner: S) -> Reload<S, L> {
        let (built, version) = self.0.build(inner.clone());
        Reload {
            inner,
            built,
            version,
            shared: Arc::clone(&self.0),
        }
    }
}

impl<S, L, Req> Service<Req> for Reload<S, L>
where
    S: Clone,
    L: Layer<S>,
    L::Service: Service<Req>,
{
    type Response = <L::Service as Service<Req>>::Response;
    type Error = <L::Service as Service<Req>>::Error;
    type Future = <L::Service as Service<Req>>::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.shared.version.load(Relaxed) != self.version {
            (self.built, self.version) = self.shared.build(self.inner.clone());
        }
        self.built.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        self.built.call(request)
    }
}

impl<S: Clone, L: Layer<S>> Clone for Reload<S, L>
where
    L::Service: Clone,
{
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            built: self.built.clone(),
            version: self.version,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<L> Clone for ReloadLayer<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Clone for ReloadHandle<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: fmt::Debug, L: Layer<S>> fmt::Debug for Reload<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("inner", &self.inner)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<L> fmt::Debug for ReloadLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadLayer").finish_non_exhaustive()
    }
}

impl<L> fmt::Debug for ReloadHandle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadHandle")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

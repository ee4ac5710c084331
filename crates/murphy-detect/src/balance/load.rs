//! Loads that rise with suspicion.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use murphy_core::order::NodeId;
use pin_project::pin_project;
use tower::load::Load;
use tower_service::Service;

use crate::{Adaptive, Detector, Observer};

/// Makes a service the heavier the more suspicious its node's silence is: its load times 1 + level.
///
/// So `Balance` leaves a node little by little as it falls silent, before it is suspected. For a load that is a number;
/// those of tower's own `PendingRequests` and `PeakEwma` cannot be multiplied: [`Pending`] can.
pub struct SuspicionLoad<S, N = NodeId, D: Detector = Adaptive> {
    inner: S,
    observer: Observer<N, D>,
    node: N,
}

impl<S, N, D: Detector> SuspicionLoad<S, N, D> {
    /// `inner` is at `node`.
    #[must_use]
    pub const fn new(inner: S, observer: Observer<N, D>, node: N) -> Self {
        Self {
            inner,
            observer,
            node,
        }
    }
}

impl<S, N, D> Load for SuspicionLoad<S, N, D>
where
    S: Load,
    S::Metric: Into<f64>,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    D: Detector + Send + 'static,
    D::State: Send,
{
    type Metric = f64;

    fn load(&self) -> f64 {
        let level = self.observer.level(&self.node).unwrap_or_default();
        self.inner.load().into() * (1.0 + level)
    }
}

impl<S, N, D, Req> Service<Req> for SuspicionLoad<S, N, D>
where
    S: Service<Req>,
    D: Detector,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.inner.call(request)
    }
}

/// Counts the calls that are under way: the load of an idle service is 1, so that it can be weighed.
///
/// A call counts until its future is done or dropped.
#[derive(Clone, Debug)]
pub struct Pending<S> {
    inner: S,
    calls: Arc<AtomicUsize>,
}

impl<S> Pending<S> {
    /// Counts the calls of `inner`. A clone counts with it.
    #[must_use]
    pub fn new(inner: S) -> Self {
        let calls = Arc::default();
        Self { inner, calls }
    }
}

impl<S> Load for Pending<S> {
    type Metric = f64;

    fn load(&self) -> f64 {
        (1 + self.calls.load(Relaxed)) as f64
    }
}

impl<S: Service<Req>, Req> Service<Req> for Pending<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = PendingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        PendingFuture {
            inner: self.inner.call(request),
            call: Some(Call::new(&self.calls)),
        }
    }
}

/// The future of a [`Pending`] service.
#[pin_project]
#[derive(Debug)]
pub struct PendingFuture<F> {
    #[pin]
    inner: F,
    call: Option<Call>,
}

#[derive(Debug)]
struct Call(Arc<AtomicUsize>);

impl Call {
    fn new(calls: &Arc<AtomicUsize>) -> Self {
        calls.fetch_add(1, Relaxed);
        Self(Arc::clone(calls))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl<F: Future> Future for PendingFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = this.inner.poll(cx);
        if result.is_ready() {
            *this.call = None;
        }
        result
    }
}

impl<S: Clone, N: Clone, D: Detector> Clone for SuspicionLoad<S, N, D> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            observer: self.observer.clone(),
            node: self.node.clone(),
        }
    }
}

impl<S: fmt::Debug, N: fmt::Debug, D: Detector> fmt::Debug for SuspicionLoad<S, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspicionLoad")
            .field("inner", &self.inner)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

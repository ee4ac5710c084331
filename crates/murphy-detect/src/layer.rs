//! [`HeartbeatLayer`]: replies are signs of life.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use murphy_core::order::NodeId;
use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Adaptive, Detector, Observer};

/// Tells an [`Observer`] of each reply of one node that succeeded.
///
/// A reply moves the node's deadline as a beat would, and teaches its detector nothing: calls come when they come, and say
/// nothing of the interval. It brings back whoever is suspected; who is down has to beat. A failure says
/// nothing here: what to make of it is a breaker's business.
///
/// Put it around the client of one node. By default every `Ok` is a success; where a failure comes as a reply, say which
/// ones [count](Self::counting).
pub struct HeartbeatLayer<N = NodeId, D: Detector = Adaptive, C = EveryReply> {
    observer: Observer<N, D>,
    node: N,
    counts: C,
}

/// The service of a [`HeartbeatLayer`].
pub struct HeartbeatTap<S, N, D: Detector, C = EveryReply> {
    inner: S,
    observer: Observer<N, D>,
    node: N,
    counts: C,
}

/// Which replies are a sign of life.
pub trait SignOfLife<R>: Clone {
    /// Whether this one is.
    fn counts(&self, reply: &R) -> bool;
}

/// Every one.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryReply;

impl<R> SignOfLife<R> for EveryReply {
    fn counts(&self, _: &R) -> bool {
        true
    }
}

impl<R, F: Fn(&R) -> bool + Clone> SignOfLife<R> for F {
    fn counts(&self, reply: &R) -> bool {
        self(reply)
    }
}

impl<N, D: Detector> HeartbeatLayer<N, D> {
    /// Replies are of `node`.
    #[must_use]
    pub const fn new(observer: Observer<N, D>, node: N) -> Self {
        let counts = EveryReply;
        Self {
            observer,
            node,
            counts,
        }
    }

    /// Only replies for which this holds are signs of life.
    #[must_use]
    pub fn counting<F>(self, counts: F) -> HeartbeatLayer<N, D, F> {
        HeartbeatLayer {
            observer: self.observer,
            node: self.node,
            counts,
        }
    }
}

impl<S, N: Clone, D: Detector, C: Clone> Layer<S> for HeartbeatLayer<N, D, C> {
    type Service = HeartbeatTap<S, N, D, C>;

    fn layer(&self, inner: S) -> Self::Service {
        HeartbeatTap {
            inner,
            observer: self.observer.clone(),
            node: self.node.clone(),
            counts: self.counts.clone(),
        }
    }
}

impl<S, N, D, C, Req> Service<Req> for HeartbeatTap<S, N, D, C>
where
    S: Service<Req>,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    D: Detector + Send + 'static,
    D::State: Send,
    C: SignOfLife<S::Response>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, N, D, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        ResponseFuture {
            inner: self.inner.call(request),
            observer: self.observer.clone(),
            node: self.node.clone(),
            counts: self.counts.clone(),
        }
    }
}

/// The future of a [`HeartbeatTap`].
#[pin_project]
pub struct ResponseFuture<F, N, D: Detector, C> {
    #[pin]
    inner: F,
    observer: Observer<N, D>,
    node: N,
    counts: C,
}

impl<F, N, D, C, R, E> Future for ResponseFuture<F, N, D, C>
where
    F: Future<Output = Result<R, E>>,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    D: Detector + Send + 'static,
    D::State: Send,
    C: SignOfLife<R>,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        if result.as_ref().is_ok_and(|reply| this.counts.counts(reply)) {
            this.observer.touch(this.node);
        }
        Poll::Ready(result)
    }
}

impl<N: Clone, D: Detector, C: Clone> Clone for HeartbeatLayer<N, D, C> {
    fn clone(&self) -> Self {
        Self {
            observer: self.observer.clone(),
            node: self.node.clone(),
            counts: self.counts.clone(),
        }
    }
}

impl<S: Clone, N: Clone, D: Detector, C: Clone> Clone for HeartbeatTap<S, N, D, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            observer: self.observer.clone(),
            node: self.node.clone(),
            counts: self.counts.clone(),
        }
    }
}

impl<N: fmt::Debug, D: Detector, C> fmt::Debug for HeartbeatLayer<N, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatLayer")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, N: fmt::Debug, D: Detector, C> fmt::Debug for HeartbeatTap<S, N, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatTap")
            .field("inner", &self.inner)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl<F, N: fmt::Debug, D: Detector, C> fmt::Debug for ResponseFuture<F, N, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

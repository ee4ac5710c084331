//! [`Remembering`]: keeps a copy of each true reply, beneath the fault layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use murphy_core::Key;
use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::memory::Memory;
use crate::abilities::Keying;

/// The lower layer of [`Stale::around`](crate::byzantine::Stale::around).
pub struct Remembering<M, K> {
    memory: Arc<Memory<M>>,
    key: K,
}

/// The lower service of [`Stale::around`](crate::byzantine::Stale::around).
pub struct RememberingService<S, M, K> {
    inner: S,
    memory: Arc<Memory<M>>,
    key: K,
}

/// The future of a [`RememberingService`].
///
/// # Cancel safety
///
/// Dropping it drops the call, as without us; nothing is remembered then.
#[pin_project]
pub struct RememberingFuture<F, M> {
    #[pin]
    inner: F,
    memory: Arc<Memory<M>>,
    key: Key,
}

impl<M, K> Remembering<M, K> {
    pub(super) fn new(memory: Arc<Memory<M>>, key: K) -> Self {
        Self { memory, key }
    }
}

impl<S, M, K: Clone> Layer<S> for Remembering<M, K> {
    type Service = RememberingService<S, M, K>;

    fn layer(&self, inner: S) -> Self::Service {
        RememberingService {
            inner,
            memory: Arc::clone(&self.memory),
            key: self.key.clone(),
        }
    }
}

impl<S, Req, M, K> Service<Req> for RememberingService<S, M, K>
where
    S: Service<Req, Response = M>,
    M: Clone,
    K: Keying<Req>,
{
    type Response = M;
    type Error = S::Error;
    type Future = RememberingFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        RememberingFuture {
            key: self.key.key(&request).unwrap_or(Key::new(0)),
            memory: Arc::clone(&self.memory),
            inner: self.inner.call(request),
        }
    }
}

impl<F: Future<Output = Result<M, E>>, M: Clone, E> Future for RememberingFuture<F, M> {
    type Output = Result<M, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reply = ready!(this.inner.poll(cx));
        if let Ok(reply) = &reply {
            this.memory.remember(*this.key, reply.clone());
        }
        Poll::Ready(reply)
    }
}

impl<M, K: Clone> Clone for Remembering<M, K> {
    fn clone(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            key: self.key.clone(),
        }
    }
}

impl<S: Clone, M, K: Clone> Clone for RememberingService<S, M, K> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            memory: Arc::clone(&self.memory),
            key: self.key.clone(),
        }
    }
}

impl<M, K> fmt::Debug for Remembering<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembering").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, M, K> fmt::Debug for RememberingService<S, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberingService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F, M> fmt::Debug for RememberingFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberingFuture").finish_non_exhaustive()
    }
}

//! [`Asking`]: says above the fault layer what the hook within does not hear, the request's key.

use std::task::{Context, Poll};

use murphy_core::Key;
use tokio::task::futures::TaskLocalFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::abilities::Keying;

tokio::task_local! {
    /// Whose memory is asked, and the key of the request whose reply is being polled for.
    static ASKED: (usize, Key);
}

/// The key of the call whose future is being polled, if this memory is around it. A hook runs
/// while its caller polls.
pub(super) fn asked(memory: usize) -> Option<Key> {
    let asked = ASKED.try_with(|asked| *asked).ok();
    asked.and_then(|(whose, key)| (whose == memory).then_some(key))
}

/// The upper layer of [`Stale::around`](crate::byzantine::Stale::around).
#[derive(Clone, Debug)]
pub struct Asking<K> {
    memory: usize,
    key: K,
}

/// The upper service of [`Stale::around`](crate::byzantine::Stale::around).
#[derive(Clone, Debug)]
pub struct AskingService<S, K> {
    inner: S,
    memory: usize,
    key: K,
}

/// The future of an [`AskingService`].
///
/// # Cancel safety
///
/// Dropping it drops the call, as without us.
pub type AskingFuture<F> = TaskLocalFuture<(usize, Key), F>;

impl<K> Asking<K> {
    pub(super) fn new(memory: usize, key: K) -> Self {
        Self { memory, key }
    }
}

impl<S, K: Clone> Layer<S> for Asking<K> {
    type Service = AskingService<S, K>;

    fn layer(&self, inner: S) -> Self::Service {
        AskingService {
            inner,
            memory: self.memory,
            key: self.key.clone(),
        }
    }
}

impl<S: Service<Req>, Req, K: Keying<Req>> Service<Req> for AskingService<S, K> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = AskingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let key = self.key.key(&request).unwrap_or(Key::new(0));
        ASKED.scope((self.memory, key), self.inner.call(request))
    }
}

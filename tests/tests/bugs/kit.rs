//! What the services share: calls that give up, and a lock on what a handler remembers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use murphy_chaos::Client;
use murphy_chaos::core::{Key, Scope};
use tokio::time::timeout;
use tower::Service;

/// After this most callers give up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What was answered.
pub(crate) type Answer = (StatusCode, String);

/// Posts under a key. `None`: nothing was heard within the patience, or the connection broke.
pub(crate) async fn post(
    client: &Client,
    key: impl Into<Key>,
    path: &str,
    body: impl Into<String>,
) -> Option<Answer> {
    let request = Request::post(path).body(body.into()).expect("a request");
    send(client, key, PATIENCE, request).await
}

/// Sends under a key. `None`: nothing was heard within the patience, or the connection broke.
pub(crate) async fn send(
    client: &Client,
    key: impl Into<Key>,
    patience: Duration,
    request: Request<String>,
) -> Option<Answer> {
    let mut client = client.clone();
    let call = async move {
        let (head, body) = client.call(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some((head.status, String::from_utf8_lossy(&body).into_owned()))
    };
    let scope = Scope::current().with_key(key);
    scope.enter(timeout(patience, call)).await.ok()?
}

/// What the handlers of one service remember.
#[derive(Debug, Default)]
pub(crate) struct Memory<T>(Arc<Mutex<T>>);

impl<T> Memory<T> {
    pub(crate) fn new(initial: T) -> Self {
        Self(Arc::new(Mutex::new(initial)))
    }

    /// Within one handler, and never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

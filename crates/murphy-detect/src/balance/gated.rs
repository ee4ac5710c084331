//! A service with a door before it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::TryFutureExt;
use futures_util::future::MapErr;
use tower::BoxError;
use tower::load::Load;
use tower_service::Service;

const OPEN: u8 = 0;
const SHUT: u8 = 1;
const GONE: u8 = 2;

/// Whether calls pass.
#[derive(Debug, Default)]
pub(super) struct Door {
    state: AtomicU8,
    waiting: Mutex<Option<Waker>>,
}

impl Door {
    fn set_open(&self, open: bool) {
        self.enter(if open { OPEN } else { SHUT });
    }

    /// For good: the service behind it is to be dropped.
    fn remove(&self) {
        self.enter(GONE);
    }

    fn enter(&self, state: u8) {
        // ## Gone => Gone. Nobody comes back through the same door.
        let change = |old| (old != GONE && old != state).then_some(state);
        if self.state.fetch_update(SeqCst, SeqCst, change).is_err() {
            return;
        }
        let waiting = self.lock().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        // Looked at before anybody is woken, or woken after it was looked at.
        let mut waiting = self.lock();
        match self.state.load(SeqCst) {
            OPEN => Poll::Ready(Ok(())),
            GONE => Poll::Ready(Err(Gone)),
            _ => {
                *waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The doors of all services of one endpoint that somebody still holds: the present one, and those that it replaces.
#[derive(Debug, Default)]
pub(super) struct Doors(Vec<Weak<Door>>);

impl Doors {
    /// One more, and it is open.
    pub(super) fn add(&mut self) -> Arc<Door> {
        let door = Arc::new(Door::default());
        self.0.retain(|door| door.strong_count() > 0);
        self.0.push(Arc::downgrade(&door));
        door
    }

    pub(super) fn set_open(&self, open: bool) {
        self.each(|door| door.set_open(open));
    }

    pub(super) fn remove(&self) {
        self.each(Door::remove);
    }

    fn each(&self, with: impl Fn(&Door)) {
        self.0
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|door| with(&door));
    }
}

/// The node of this endpoint was evicted, or the endpoint removed: whoever holds the service drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint is gone; drop its service")]
pub struct Gone;

/// An endpoint that is not ready while its node is suspected. Made by [`LivenessDiscover`](super::LivenessDiscover).
pub struct Gated<S> {
    inner: S,
    door: Arc<Door>,
}

impl<S> Gated<S> {
    pub(super) const fn new(inner: S, door: Arc<Door>) -> Self {
        Self { inner, door }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S, Req> Service<Req> for Gated<S>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = MapErr<S::Future, fn(S::Error) -> BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.door.poll(cx) {
            Poll::Ready(Ok(())) => self.inner.poll_ready(cx).map_err(Into::into),
            Poll::Ready(Err(gone)) => Poll::Ready(Err(gone.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.inner.call(request).map_err(Into::into)
    }
}

impl<S: Load> Load for Gated<S> {
    type Metric = S::Metric;

    fn load(&self) -> S::Metric {
        self.inner.load()
    }
}

impl<S: fmt::Debug> fmt::Debug for Gated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated")
            .field("inner", &self.inner)
            .field("door", &self.door)
            .finish()
    }
}

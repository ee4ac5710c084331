//! [`Stragglers`]: what becomes of those who have not answered when it is over.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::event;
use super::member::Call;
use crate::Set;

/// What is left of a question when it is over: decided, impossible, or given up by its caller.
pub struct Leftover<S: Service<Req>, Req> {
    pub(super) calls: Vec<(usize, Pin<Box<Call<S, Req>>>)>,
    /// Who answered yes, or may have done it, and will not answer.
    pub(super) granted: Set,
    pub(super) decided: bool,
    pub(super) site: Arc<str>,
}

impl<S: Service<Req>, Req> fmt::Debug for Leftover<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leftover")
            .field("under_way", &self.calls.len())
            .field("granted", &self.granted)
            .field("decided", &self.decided)
            .finish_non_exhaustive()
    }
}

/// What becomes of those who have not answered when it is over.
///
/// [`Cancel`], [`Detach`] or [`Compensate`](super::Compensate).
pub trait Stragglers<S: Service<Req>, Req> {
    /// Keeps what it will need of the services, and of the request, later.
    fn prepare(&mut self, replicas: &[S], request: &Req);

    /// It is over. Does not wait.
    fn settle(&mut self, left: Leftover<S, Req>);
}

/// They are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cancel;

impl<S: Service<Req>, Req> Stragglers<S, Req> for Cancel {
    #[inline]
    fn prepare(&mut self, _: &[S], _: &Req) {}

    fn settle(&mut self, left: Leftover<S, Req>) {
        drop(left);
    }
}

/// They go on in tasks of their own, so many at a time, each for so long; what comes of it is dropped.
///
/// One for which there is no room, or no runtime, is dropped, and counted.
#[derive(Clone, Debug)]
pub struct Detach {
    room: Arc<Semaphore>,
    patience: Duration,
}

impl Detach {
    /// At most `most` at a time, over all clones, each for `patience`.
    #[must_use]
    pub fn new(most: usize, patience: Duration) -> Self {
        let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { room, patience }
    }
}

impl<S, Req> Stragglers<S, Req> for Detach
where
    S: Service<Req> + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    Req: Send + 'static,
{
    fn prepare(&mut self, _: &[S], _: &Req) {}

    fn settle(&mut self, left: Leftover<S, Req>) {
        let runtime = Handle::try_current();
        for (_, call) in left.calls {
            let room = Arc::clone(&self.room).try_acquire_owned();
            let (Ok(runtime), Ok(room)) = (&runtime, room) else {
                event::no_room(&left.site);
                continue;
            };
            let patience = self.patience;
            runtime.spawn(async move {
                drop(tokio::time::timeout(patience, call).await);
                drop(room);
            });
        }
    }
}

//! Beats as calls.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::hash::Hash;
use std::task::{Context, Poll};

use murphy_core::order::NodeId;
use tower_service::Service;

use super::Observer;
use crate::{Adaptive, Detector, Heartbeat, HeartbeatAck};

/// Takes beats in, and says what became of each. Made by [`Observer::service`].
///
/// It is always ready, and answers in the call itself: nothing that is before it in a stack can make a beat wait here.
/// A beat that does not count is no error: the [verdict](HeartbeatAck::verdict) tells.
pub struct HeartbeatService<N = NodeId, D: Detector = Adaptive> {
    observer: Observer<N, D>,
}

impl<N, D: Detector> HeartbeatService<N, D> {
    pub(super) const fn new(observer: Observer<N, D>) -> Self {
        Self { observer }
    }
}

impl<N, D> Service<Heartbeat<N>> for HeartbeatService<N, D>
where
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    D: Detector + Send + 'static,
    D::State: Send,
{
    type Response = HeartbeatAck;
    type Error = Infallible;
    type Future = Ready<Result<HeartbeatAck, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, beat: Heartbeat<N>) -> Self::Future {
        ready(Ok(HeartbeatAck {
            observer: self.observer.shared.life,
            echo: beat.sent,
            verdict: self.observer.verdict(&beat),
        }))
    }
}

impl<N, D: Detector> Clone for HeartbeatService<N, D> {
    fn clone(&self) -> Self {
        Self {
            observer: self.observer.clone(),
        }
    }
}

impl<N, D: Detector> fmt::Debug for HeartbeatService<N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatService")
            .field("observer", &self.observer)
            .finish()
    }
}

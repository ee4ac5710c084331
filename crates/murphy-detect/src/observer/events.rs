//! What happens, for whoever listens.

use std::fmt;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::Event;

/// Everything that happens, in order. Made by [`Observer::events`](super::Observer::events).
pub struct Events<N>(broadcast::Receiver<Event<N>>);

/// So many events were missed, by a reader that is 4096 behind.
///
/// Nothing can be concluded from what follows alone: take a [`snapshot`](super::Observer::snapshot), and go on.
/// An event may then tell what the snapshot knew already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed; take a snapshot and go on")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

impl<N: Clone> Events<N> {
    pub(super) const fn new(receiver: broadcast::Receiver<Event<N>>) -> Self {
        Self(receiver)
    }

    /// The next event; nothing once the observer is gone.
    ///
    /// # Errors
    ///
    /// [`Lagged`] once, in the place of what was missed.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Event<N>, Lagged>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(Lagged { missed })),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event<N>, Lagged>>
    where
        N: Send + 'static,
    {
        unfold(self, async |mut events| {
            Some((events.next().await?, events))
        })
    }
}

impl<N> fmt::Debug for Events<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

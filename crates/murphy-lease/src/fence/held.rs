//! A [`Held`] is a [`Proof`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::Proof;
use crate::{FencingToken, Held, Lost};

/// Ends when a lease is lost: [`Held`]'s.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct HeldLost {
    held: Held,
    #[pin]
    over: OwnedNotified,
}

/// The handle keeps nothing alive: when the guard is dropped, or released, the calls end with it.
impl Proof for Held {
    type Lost = HeldLost;

    #[inline]
    fn token(&self) -> Result<&FencingToken, Lost> {
        self.shared.token()
    }

    fn remaining(&self) -> Duration {
        self.shared.remaining()
    }

    /// One look at a number.
    #[inline]
    fn known_lost(&self) -> Option<Lost> {
        self.shared.is_lost().then(|| self.shared.loss())
    }

    fn lost(&self) -> HeldLost {
        let over = Arc::clone(self.shared.over()).notified_owned();
        let held = self.clone();
        HeldLost { held, over }
    }
}

impl Future for HeldLost {
    type Output = Lost;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Lost> {
        let this = self.project();
        // What was lost before this was made is not told again.
        if !this.held.shared.is_lost() {
            ready!(this.over.poll(cx));
        }
        Poll::Ready(this.held.shared.loss())
    }
}

impl fmt::Debug for HeldLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLost")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

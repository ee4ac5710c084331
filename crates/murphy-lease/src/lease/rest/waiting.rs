//! [`Waiting`]: a request whose answer is waited for, at rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Due, Place, Rest, Rests};

/// The wait for a time, without a timer of its own: ends then, or with the runtime.
pub(crate) struct Waiting<'r> {
    rests: &'r Arc<Rests>,
    rest: Arc<Rest>,
    until: Instant,
    place: Option<Place>,
}

impl<'r> Waiting<'r> {
    /// Here, or in whichever runtime it is polled later.
    pub(crate) const fn new(rests: &'r Arc<Rests>, rest: Arc<Rest>, until: Instant) -> Self {
        Self {
            rests,
            rest,
            until,
            place: None,
        }
    }

    /// Whoever waits is in another runtime now: the one where he was may not run any more.
    fn follow(&mut self) {
        if let Ok(here) = Handle::try_current()
            && here.id() != self.rest.runtime.id()
        {
            self.leave();
            self.rest = self.rests.of(here);
        }
    }

    /// Where it rests, or did.
    #[cfg(test)]
    pub(super) fn at(&self) -> Option<usize> {
        self.place.map(|(at, _)| at)
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.rest.lift(place);
        }
    }
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(place) = self.place {
            if !self.rest.wakes(place, cx.waker()) {
                return Poll::Ready(());
            }
            self.follow();
        }
        if self.place.is_none() {
            let due = Due::Call(cx.waker().clone());
            let (place, call) = self.rest.lay(self.until, due);
            self.place = Some(place);
            self.rest.call(call);
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

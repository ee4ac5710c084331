//! [`Timer`]: what happens because time has passed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When one more is asked, and when nobody is waited for any more. Armed when it is polled first.
pub(super) struct Timer {
    hedge_after: Option<Duration>,
    next_hedge: Option<Instant>,
    gives_up: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Hedge,
    GiveUp,
}

impl Timer {
    /// A time beyond the clock's end never comes.
    pub(super) fn new(
        began: Instant,
        hedge_after: Option<Duration>,
        patience: Option<Duration>,
    ) -> Self {
        let after = |wait| began.checked_add(wait);
        Self {
            hedge_after,
            next_hedge: hedge_after.and_then(after),
            gives_up: patience.and_then(after),
            sleep: None,
        }
    }

    /// What it is time for; a hedge only while there is somebody left to ask.
    #[inline]
    pub(super) fn poll(&mut self, is_anybody_left: bool, cx: &mut Context<'_>) -> Poll<Due> {
        let hedge = self.next_hedge.filter(|_| is_anybody_left);
        match hedge.into_iter().chain(self.gives_up).min() {
            Some(at) => self.poll_until(at, cx),
            None => Poll::Pending,
        }
    }

    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<Due> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        ready!(sleep.as_mut().poll(cx));
        if self.gives_up.is_some_and(|end| end <= at) {
            return Poll::Ready(Due::GiveUp);
        }
        // ## One more is asked, and the next after as long again.
        let wait = self.hedge_after.unwrap_or(Duration::MAX);
        self.next_hedge = at.checked_add(wait);
        Poll::Ready(Due::Hedge)
    }
}

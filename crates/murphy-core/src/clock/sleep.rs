//! [`Sleep`]: the wait for an instant on some clock.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A wait for a deadline, from [`Clock::sleep_until`](super::Clock::sleep_until).
///
/// One type for all clocks, so that a clock can be an `Arc<dyn Clock>`; it costs one allocation,
/// and can be moved between polls.
///
/// # Cancel safety
///
/// Nothing happens when it is dropped. Whoever waits again passes the same deadline.
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep {
    wait: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Sleep {
    /// A wait that ends with this future, for a [`Clock`](super::Clock) of one's own.
    pub fn new(wait: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            wait: Box::pin(wait),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

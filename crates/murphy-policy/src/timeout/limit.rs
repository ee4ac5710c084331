//! [`Limit`]: how long a call may take, and [`Wait`]: a call that may take so long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::queue::{Ticket, Told};
use super::{Bound, Elapsed, FAR_FUTURE};

/// Says how long a call may take. Sealed: [`Fixed`] and what the setters of
/// [`TimeoutLayer`](super::TimeoutLayer) make.
pub trait Limit<Req>: sealed::Sealed {
    /// The wait of a call.
    type Wait: Wait;

    /// The wait for the reply to `request`.
    fn begin(&self, request: &Req) -> Self::Wait;
}

/// A call that may take so long. Sealed, as [`Limit`] is.
pub trait Wait: sealed::Sealed {
    /// Whether it took too long. Starts to count when it is first asked.
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed>;

    /// It did not. For those who learn.
    fn answered(self: Pin<&mut Self>, success: bool);
}

/// The same for all calls: [`TimeoutLayer::new`](super::TimeoutLayer::new).
#[derive(Clone, Copy, Debug)]
pub struct Fixed(Duration);

impl Fixed {
    pub(super) const fn new(timeout: Duration) -> Self {
        // Where tokio cuts as well: done here, it need not be done for each call.
        let endless = timeout.as_secs() > FAR_FUTURE.as_secs();
        Self(if endless { FAR_FUTURE } else { timeout })
    }

    pub(super) const fn timeout(self) -> Duration {
        self.0
    }
}

impl sealed::Sealed for Fixed {
    fn most(&self) -> Option<Duration> {
        Some(self.0)
    }
}

impl<Req> Limit<Req> for Fixed {
    type Wait = Queued;

    #[inline]
    fn begin(&self, _: &Req) -> Queued {
        Queued {
            ticket: None,
            timeout: self.0,
        }
    }
}

/// Waits in line with the calls that may take equally long.
#[derive(Debug)]
pub struct Queued {
    ticket: Option<Ticket>,
    timeout: Duration,
}

impl sealed::Sealed for Queued {}

impl Wait for Queued {
    // Out of line: an attempt that is ready at once pays nothing for it.
    #[inline(never)]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let this = self.get_mut();
        let told = match &this.ticket {
            // The next millisecond would be too late.
            None if this.timeout.is_zero() => Poll::Ready(Told::Elapsed),
            None => Poll::Ready(Told::Closed),
            Some(ticket) => ticket.poll(cx),
        };
        match told {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Told::Elapsed) => {
                this.ticket = None;
                Poll::Ready(Elapsed::by(this.timeout, Bound::Layer))
            }
            Poll::Ready(Told::Closed) => {
                // ## Polled => Armed. The only place that reads a clock.
                this.ticket = None;
                this.ticket = Some(Ticket::take(this.timeout, cx));
                Poll::Pending
            }
        }
    }

    #[inline]
    fn answered(self: Pin<&mut Self>, _: bool) {}
}

pub(super) mod sealed {
    pub trait Sealed {
        /// The longest that a call may take, if that is known beforehand.
        fn most(&self) -> Option<std::time::Duration> {
            None
        }
    }
}

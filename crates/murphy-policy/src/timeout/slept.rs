//! [`Slept`]: a wait with a timer of its own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};

use super::limit::{Wait, sealed};
use super::{Bound, Elapsed, FAR_FUTURE};
use crate::timer;

/// Waits with a timer of its own, made at the first poll that pends; never past the deadline of
/// the scope that the call was made in.
#[pin_project]
#[derive(Debug)]
pub struct Slept<W = ()> {
    #[pin]
    sleep: Option<Sleep>,
    timeout: Duration,
    bound: Bound,
    deadline: Option<Instant>,
    began: Option<Instant>,
    watch: W,
}

/// Learns from what became of calls. Sealed.
pub trait Watch: sealed::Sealed {
    /// A success after so long, if anybody asks.
    fn answered(&self, after: impl FnOnce() -> Duration);

    /// None within `given`.
    fn elapsed(&self, given: Duration);
}

impl sealed::Sealed for () {}

impl Watch for () {
    #[inline]
    fn answered(&self, _: impl FnOnce() -> Duration) {}

    #[inline]
    fn elapsed(&self, _: Duration) {}
}

impl<W> Slept<W> {
    pub(super) fn new(timeout: Duration, bound: Bound, scope: &Scope, watch: W) -> Self {
        Self {
            sleep: None,
            timeout: timeout.min(FAR_FUTURE),
            bound,
            deadline: scope.deadline(),
            began: None,
            watch,
        }
    }
}

impl<W> sealed::Sealed for Slept<W> {}

impl<W: Watch> Wait for Slept<W> {
    #[inline(never)]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let mut this = self.project();
        if this.sleep.is_none() {
            let now = Instant::now();
            let left = this.deadline.map(|at| at.saturating_duration_since(now));
            if let Some(left) = left.filter(|left| left < this.timeout) {
                (*this.timeout, *this.bound) = (left, Bound::Deadline);
            }
            *this.began = Some(now);
            if !this.timeout.is_zero() {
                // ## Polled => Armed.
                let ends = now + *this.timeout;
                this.sleep.set(Some(tokio::time::sleep_until(ends)));
            }
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(timer::poll(sleep, cx));
        }
        this.watch.elapsed(*this.timeout);
        Poll::Ready(Elapsed::by(*this.timeout, *this.bound))
    }

    #[inline]
    fn answered(self: Pin<&mut Self>, success: bool) {
        let this = self.project();
        if success {
            let began = *this.began;
            // A reply that was there at once took no time, as the timeout counts it.
            let after = || began.map_or(Duration::ZERO, |began| began.elapsed());
            this.watch.answered(after);
        }
    }
}

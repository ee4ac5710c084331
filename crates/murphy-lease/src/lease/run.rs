//! [`Guarded`]: work that ends with its lease.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::held::Held;
use crate::Lost;

/// Work that is polled while its lease is valid. Whoever awaits it drops it, and the work with it, when it is not.
#[pin_project]
pub(crate) struct Guarded<F> {
    held: Held,
    /// Wakes the task when the lease is lost.
    #[pin]
    lost: WaitForCancellationFutureOwned,
    #[pin]
    work: F,
}

impl<F> Guarded<F> {
    pub(crate) fn new(held: Held, work: F) -> Self {
        let lost = held.shared.lost().clone().cancelled_owned();
        Self { held, lost, work }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let shared = &this.held.shared;
        // ## Running => Lost, before the work is polled once more.
        if this.lost.poll(cx).is_ready() {
            return Poll::Ready(Err(shared.loss()));
        }
        shared.check()?;
        shared.progress();
        let polled = this.work.poll(cx);
        // ## Running => Lost, whatever the work came to.
        shared.check()?;
        polled.map(Ok)
    }
}

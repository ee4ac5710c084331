//! [`Guarded`]: work that ends with its lease.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::held::Held;
use crate::Lost;

/// Work that is polled while its lease is valid, and dropped when it is not.
#[pin_project]
pub(crate) struct Guarded<F> {
    held: Held,
    /// Wakes the task when the lease is lost.
    #[pin]
    lost: WaitForCancellationFutureOwned,
    #[pin]
    work: Option<F>,
}

impl<F> Guarded<F> {
    pub(crate) fn new(held: Held, work: F) -> Self {
        let lost = held.shared.lost().clone().cancelled_owned();
        let work = Some(work);
        Self { held, lost, work }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared = &this.held.shared;
        let over = this.lost.poll(cx).is_ready();
        let checked = if over {
            Err(shared.loss())
        } else {
            shared.check()
        };
        if let Err(lost) = checked {
            // ## Running => Lost. The work is dropped here, not with the future.
            this.work.set(None);
            return Poll::Ready(Err(lost));
        }
        shared.progress();
        let work = this.work.as_mut().as_pin_mut();
        let polled = work.expect("polled after it was done").poll(cx);
        match (polled, shared.check()) {
            (Poll::Pending, Ok(())) => Poll::Pending,
            (Poll::Ready(done), Ok(())) => {
                this.work.set(None);
                Poll::Ready(Ok(done))
            }
            // ## Running => Lost, whatever the work came to.
            (_, Err(lost)) => {
                this.work.set(None);
                Poll::Ready(Err(lost))
            }
        }
    }
}

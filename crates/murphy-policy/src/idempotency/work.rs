//! [`Work`]: what goes on when its caller is gone.

use std::borrow::Cow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use tokio::runtime::Handle;

use crate::{TARGET, metered};

/// Work that is polled by its caller, and handed over to a task of its own if it is dropped before
/// it is done.
pub(super) struct Work<T: Send + 'static> {
    rest: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    site: Cow<'static, str>,
}

impl<T: Send + 'static> Work<T> {
    pub(super) fn new(
        work: impl Future<Output = T> + Send + 'static,
        site: Cow<'static, str>,
    ) -> Self {
        let rest = Some(Box::pin(work) as _);
        Self { rest, site }
    }
}

impl<T: Send + 'static> Future for Work<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken: work that panics is not polled again.
        let Some(mut work) = self.rest.take() else {
            unreachable!("polled after it was done");
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.rest = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Work<T> {
    fn drop(&mut self) {
        let Some(rest) = self.rest.take() else {
            return;
        };
        // Without a runtime nothing can go on: the lease frees the key.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        metered::count("murphy_policy_idempotency_handed_over_total", &self.site);
        tracing::debug!(
            name: "idempotency.handed_over", target: TARGET,
            site = &*self.site, "the caller is gone, and the work goes on",
        );
        runtime.spawn(async {
            rest.await;
        });
    }
}

/// Polls `future`, and gives what it panicked with as an error.
pub(super) async fn caught<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        // It is not polled again after a panic, so that nobody sees what it left half-way.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

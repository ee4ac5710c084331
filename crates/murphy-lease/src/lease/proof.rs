//! A [`Held`] is a [`Proof`]: layers take it with them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::held::Held;
use crate::fence::Proof;
use crate::{FencingToken, Lost};

/// Waits until a lease is lost. It can outlive the guard: then it was released.
///
/// # Cancel safety
///
/// Safe: ask for another.
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct LostFuture {
    #[pin]
    cancelled: WaitForCancellationFutureOwned,
    held: Held,
}

impl Future for LostFuture {
    type Output = Lost;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Lost> {
        let this = self.project();
        ready!(this.cancelled.poll(cx));
        Poll::Ready(this.held.shared.loss())
    }
}

impl Proof for Held {
    type Lost = LostFuture;

    #[inline]
    fn token(&self) -> Result<&FencingToken, Lost> {
        self.shared.token()
    }

    fn remaining(&self) -> Duration {
        self.shared.remaining()
    }

    fn lost(&self) -> LostFuture {
        let cancelled = self.shared.lost().clone().cancelled_owned();
        let held = self.clone();
        LostFuture { cancelled, held }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use tower::{Layer, ServiceExt, service_fn};

    use crate::fence::{FencedError, FencedLayer};
    use crate::{FencingToken, Locks, MemoryStore, Why};

    #[tokio::test(start_paused = true)]
    async fn calls_carry_the_token_of_a_lease_and_end_with_it() {
        let locks = Locks::new(MemoryStore::new());
        let lease = locks.acquire("orders").await.unwrap();
        let stamp = |token: &FencingToken, request: &mut Option<FencingToken>| {
            *request = Some(token.clone());
        };
        let layer = FencedLayer::with(lease.held(), stamp);
        let echo = layer.layer(service_fn(async |request| Ok::<_, Infallible>(request)));
        let sent = echo.clone().oneshot(None).await.unwrap();
        assert_eq!(sent.as_ref(), Some(lease.stale_token()));

        let hangs = layer.layer(service_fn(|_| pending::<Result<(), Infallible>>()));
        let call = tokio::spawn(hangs.oneshot(None));
        tokio::task::yield_now().await;
        lease.release().await.unwrap();
        for ended in [call.await.unwrap().err(), echo.oneshot(None).await.err()] {
            let Some(FencedError::Lost(lost)) = ended else {
                panic!("{ended:?}");
            };
            assert_eq!(lost.why, Why::Released);
        }
    }
}

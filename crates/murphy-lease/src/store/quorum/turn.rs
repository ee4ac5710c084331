//! [`not_before_all_are_asked`]: each member gets its turn.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::task::yield_now;

/// A reply that is there at once waits for a turn: else a few quick members would decide before the others are asked, and
/// these would neither record the lease nor hear of its end.
pub(crate) async fn not_before_all_are_asked<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    let at_once = poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        Some(reply) => {
            yield_now().await;
            reply
        }
        None => call.await,
    }
}

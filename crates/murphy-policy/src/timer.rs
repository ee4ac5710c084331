//! One poll of a timer that a busy neighbour cannot starve.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::task::coop;
use tokio::time::Sleep;

/// Polls `sleep`, also if the future that was polled before it used up the task's cooperative
/// budget: otherwise one that always does would never time out.
// Out of line: a call that pends once polls its timer once, when it is made, and not here.
#[inline(never)]
pub(crate) fn poll(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    if coop::has_budget_remaining() {
        sleep.poll(cx)
    } else {
        pin!(coop::unconstrained(sleep)).poll(cx)
    }
}

//! What a message waits for: a timer, and messages that pass it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::fate::Hold;
use crate::turnstile::{Ticket, Turnstile};

/// A timer, unless there is nothing to wait for.
pub(super) fn delay(by: Duration) -> Option<Sleep> {
    (!by.is_zero()).then(|| sleep(by))
}

pub(super) fn wait(timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
    timer
        .as_pin_mut()
        .map_or(Poll::Ready(()), |timer| timer.poll(cx))
}

/// Lets others go first, as often as there are turns left.
pub(super) fn yields(turns: &mut u32, cx: &mut Context<'_>) -> Poll<()> {
    let Some(left) = turns.checked_sub(1) else {
        return Poll::Ready(());
    };
    *turns = left;
    // Woken while it runs, a task goes to the end of the line.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Holds a message back, if its fate says so and there is room. The bound is a timer.
pub(super) fn hold(
    turnstile: &Option<Arc<Turnstile>>,
    hold: Option<Hold>,
    mut timer: Pin<&mut Option<Sleep>>,
) -> Option<Ticket> {
    let ticket = hold
        .zip(turnstile.as_ref())
        .and_then(|(hold, turnstile)| turnstile.hold(hold.passes));
    timer.set(
        hold.filter(|_| ticket.is_some())
            .map(|hold| sleep(hold.bound)),
    );
    ticket
}

pub(super) fn held(
    ticket: &mut Option<Ticket>,
    timer: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if let Some(waiting) = ticket {
        if waiting.poll(cx).is_pending() {
            ready!(wait(timer, cx));
        }
        *ticket = None;
    }
    Poll::Ready(())
}

pub(super) fn pass(turnstile: &Option<Arc<Turnstile>>) {
    if let Some(turnstile) = turnstile {
        turnstile.pass();
    }
}

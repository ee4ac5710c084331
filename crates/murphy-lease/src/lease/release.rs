//! [`Lease::release`]: given back, and what came of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::Lease;
use super::post::{Left, Returned};
use super::rest::Rest;
use crate::release::{NotReleased, Paid};
use crate::{Lost, Why};

/// A lease was not, or not in time, given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// It had ended before: what was done last under it may have been done beside another holder.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// It was valid to the end of the work; that it is given back, the store did not say.
    #[error(transparent)]
    NotReleased(#[from] NotReleased),
}

impl Lease {
    /// Gives it back, and waits until the store has confirmed that. Release only when the work is done: from here
    /// on the lease counts as lost, before the store is asked.
    ///
    /// Tries again until it would have ended by itself; bound it from outside to wait for less. Waited for in another runtime than
    /// it was acquired in, or in none, it is made in that one: while that is not run (one of a single thread, between two `block_on`), it
    /// waits, beyond the lease's end too.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] says that it was lost before, or that the store has not confirmed.
    ///
    /// # Panics
    ///
    /// Where the store does, if it is asked in the task that waits.
    ///
    /// # Cancel safety
    ///
    /// The release goes on without the future.
    pub async fn release(self) -> Result<(), ReleaseError> {
        let shared = &self.held.shared;
        let now = shared.clock.now();
        let checked = shared.check_at(now);
        shared.lose(Why::Released);
        let returned = match shared.post.leave() {
            Left::Idle(keeper, rest) => {
                let task = keeper.give_back(now);
                let returning = task.map(|task| {
                    Returning::Here(Task {
                        task: Some(task),
                        rest,
                    })
                });
                // What was lost before is given back all the same, and nobody waits for it.
                checked?;
                match returning {
                    Some(returning) => returning.await,
                    None => None,
                }
            }
            Left::Works(keeper) => {
                let (answer, answered) = oneshot::channel();
                let told = keeper.send(answer);
                checked?;
                match told {
                    Ok(()) => answered.await.ok(),
                    Err(_) => None,
                }
            }
            Left::Gone => {
                checked?;
                None
            }
        };
        let lost = |why| Lost {
            why,
            ..shared.loss()
        };
        let Some(returned) = returned else {
            // The keeper was gone before it could be told.
            let why = match shared.why() {
                Why::Released => Why::Unattended,
                why => why,
            };
            return Err(lost(why).into());
        };
        match returned? {
            // Only what was asked for once can say that it was not held: an answer may have been lost.
            Paid {
                was_held: false,
                attempts: 1,
            } => Err(lost(Why::Refused).into()),
            Paid { .. } => Ok(()),
        }
    }
}

/// A release that is waited for. Nothing where its runtime is gone.
enum Returning {
    /// In the task of whoever waits.
    Here(Task),
    /// He is in another runtime than the lease was, or in none: in a task of that one.
    There(oneshot::Receiver<Result<Paid, NotReleased>>),
}

/// Dropped before its end, it goes on in a task of its own.
struct Task {
    task: Option<Returned>,
    rest: Arc<Rest>,
}

impl Future for Returning {
    type Output = Option<Result<Paid, NotReleased>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Self::Here(here) = &mut *self {
            // One that panics is not gone on with.
            let mut task = here.task.take().expect("polled after its end");
            if here.rest.is_here() {
                let returned = task.as_mut().poll(cx);
                if returned.is_pending() {
                    here.task = Some(task);
                }
                return returned.map(Some);
            }
            let (answer, answered) = oneshot::channel();
            // Who asked may have left.
            let work = async { drop(answer.send(task.await)) };
            drop(here.rest.runtime.spawn(work));
            *self = Self::There(answered);
        }
        match &mut *self {
            Self::There(answered) => Pin::new(answered).poll(cx).map(Result::ok),
            Self::Here(_) => unreachable!("it went there"),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            drop(self.rest.runtime.spawn(task));
        }
    }
}

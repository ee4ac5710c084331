//! The future of a [`Fenced`](super::Fenced).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::FencedError;
use crate::fence::{Proof, event};

/// A call under a lease.
///
/// # Panics
///
/// When polled after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the inner future.
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct FencedFuture<F: Future<Output = Result<T, E>>, P: Proof, T, E> {
    #[pin]
    state: State<F, P, E>,
}

#[pin_project(project = StateProj, project_replace = Replaced)]
enum State<F, P: Proof, E> {
    /// Not sent.
    Failed(FencedError<E>),
    Calling {
        #[pin]
        inner: F,
        proof: P,
        /// Made when the call pends for the first time.
        #[pin]
        lost: Option<P::Lost>,
    },
    Done,
}

impl<F: Future<Output = Result<T, E>>, P: Proof, T, E> FencedFuture<F, P, T, E> {
    #[inline]
    pub(super) const fn new(inner: F, proof: P) -> Self {
        let state = State::Calling {
            inner,
            proof,
            lost: None,
        };
        Self { state }
    }

    pub(super) const fn failed(error: FencedError<E>) -> Self {
        let state = State::Failed(error);
        Self { state }
    }
}

impl<F: Future<Output = Result<T, E>>, P: Proof, T, E> Future for FencedFuture<F, P, T, E> {
    type Output = Result<T, FencedError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let ended = match state.as_mut().project() {
            StateProj::Calling {
                inner,
                proof,
                mut lost,
            } => 'ended: {
                // The lease comes first, also before a reply that is there.
                if let Err(why) = proof.token() {
                    break 'ended why;
                }
                if let Poll::Ready(outcome) = inner.poll(cx) {
                    return Poll::Ready(outcome.map_err(FencedError::Inner));
                }
                if lost.is_none() {
                    lost.set(Some(proof.lost()));
                }
                if let Some(lost) = lost.as_pin_mut()
                    && let Poll::Ready(why) = lost.poll(cx)
                {
                    break 'ended why;
                }
                return Poll::Pending;
            }
            StateProj::Failed(_) | StateProj::Done => {
                let Replaced::Failed(error) = state.project_replace(State::Done) else {
                    panic!("polled after it was done");
                };
                return Poll::Ready(Err(error));
            }
        };
        // ## Calling => Done. The inner future is dropped here, not when the caller drops ours.
        state.set(State::Done);
        event::lost(&ended);
        Poll::Ready(Err(FencedError::Lost(ended)))
    }
}

impl<F: Future<Output = Result<T, E>>, P: Proof, T, E> fmt::Debug for FencedFuture<F, P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FencedFuture")
            .field("failed", &matches!(self.state, State::Failed(_)))
            .finish_non_exhaustive()
    }
}

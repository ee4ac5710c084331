//! [`TimedBody`]: a body whose frames have to come in time.
//!
//! ```text
//! Passing ── pends ──▶ Waiting ── a frame ──▶ Passing
//!    │                    └── too long ──▶ Idle, Overdue: the body within is dropped
//!    └── the end ──▶ done
//! ```

mod error;
mod layer;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tokio::time::{Instant, Sleep};

pub use self::error::{BodyError, Idle, Overdue, Stalled};
pub use self::layer::{BodyTimeout, BodyTimeoutLayer, Replies, ReplyFuture, Requests};
use super::FAR_FUTURE;
use crate::surface::{Boxed, Surface};
use crate::{TARGET, metered, timer};

/// How long a body may take.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    idle: Option<Duration>,
    total: Option<Duration>,
}

/// A body whose frames have to come in time: see [`BodyTimeoutLayer`].
///
/// Its frames, trailers included, its size and its end are those of the body within. A body that is
/// too slow ends with an error, [`Idle`] or [`Overdue`], and is dropped at that moment; its last
/// frame is that error. A body that never pends costs no timer and no clock; one that does allocates
/// its timer, once.
///
/// # Panics
///
/// When it pends outside a tokio runtime with time enabled.
#[pin_project]
pub struct TimedBody<B, M = Boxed> {
    /// Gone once it was too slow.
    #[pin]
    inner: Option<B>,
    /// Made when it first pends, and moved from then on. Boxed, since clients ask for bodies that
    /// are `Unpin`.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the timer counts for the frame that is awaited, and what it would mean.
    awaited: Option<Stalled>,
    /// When all of it has to be there, once it has pended.
    ends: Option<Instant>,
    limits: Limits,
    /// In counters.
    leg: &'static str,
    surface: PhantomData<M>,
}

impl<B, M> TimedBody<B, M> {
    const fn new(inner: B, limits: Limits, leg: &'static str) -> Self {
        Self {
            inner: Some(inner),
            sleep: None,
            awaited: None,
            ends: None,
            limits,
            leg,
            surface: PhantomData,
        }
    }

    /// It pends: whether for too long.
    fn poll_stalled(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Stalled> {
        let this = self.project();
        let Limits { idle, total } = *this.limits;
        let stalled = match *this.awaited {
            Some(stalled) => stalled,
            None => {
                if idle.is_none() && total.is_none() {
                    return Poll::Pending;
                }
                // ## Passing => Waiting.
                let now = Instant::now();
                let ends = *this.ends.get_or_insert(now + total.unwrap_or(FAR_FUTURE));
                let (at, stalled) = match (idle, total) {
                    (Some(idle), _) if now + idle < ends => (now + idle, Stalled::idle(idle)),
                    (_, total) => (ends, Stalled::overdue(total.unwrap_or(FAR_FUTURE))),
                };
                match this.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    None => *this.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
                }
                *this.awaited.insert(stalled)
            }
        };
        match this.sleep {
            Some(sleep) => timer::poll(sleep.as_mut(), cx).map(|()| stalled),
            None => Poll::Pending,
        }
    }

    /// A frame came: whether all of it should have come before that. The end may come late.
    fn is_overdue(self: Pin<&mut Self>) -> Option<Stalled> {
        let this = self.project();
        // ## Waiting => Passing.
        *this.awaited = None;
        let total = this.limits.total?;
        let late = (*this.ends)? < Instant::now();
        late.then(|| Stalled::overdue(total))
    }

    #[cold]
    fn fail(self: Pin<&mut Self>, stalled: Stalled) -> Stalled {
        let mut this = self.project();
        this.inner.set(None);
        *this.sleep = None;
        let (leg, allowed) = (*this.leg, stalled.allowed());
        match stalled {
            Stalled::Idle(_) => {
                metered::count("murphy_policy_timeout_body_idle_total", leg);
                tracing::debug!(
                    name: "timeout.body_idle", target: TARGET, leg, ?allowed, "no frame in time",
                );
            }
            Stalled::Overdue(_) => {
                metered::count("murphy_policy_timeout_body_overdue_total", leg);
                tracing::debug!(
                    name: "timeout.body_overdue", target: TARGET,
                    leg, ?allowed, "the body was not over in time",
                );
            }
        }
        stalled
    }
}

impl<B, M> Body for TimedBody<B, M>
where
    B: Body,
    M: Surface<Stalled, B::Error>,
{
    type Data = B::Data;
    type Error = M::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, M::Error>>> {
        let Some(inner) = self.as_mut().project().inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let stalled = match inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match self.as_mut().is_overdue() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(stalled) => stalled,
            },
            Poll::Ready(end) => {
                *self.project().awaited = None;
                return Poll::Ready(end.map(|end| end.map_err(M::inner)));
            }
            Poll::Pending => std::task::ready!(self.as_mut().poll_stalled(cx)),
        };
        Poll::Ready(Some(Err(M::own(self.fail(stalled)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B, M> fmt::Debug for TimedBody<B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedBody")
            .field("limits", &self.limits)
            .field("awaited", &self.awaited)
            .finish_non_exhaustive()
    }
}

//! [`FaultedBody`]: a body that stops on its way.
//!
//! ```text
//!   Passing ── so much passed ──▶ stall ──────────▶ Silent ── given up ──▶ Over: an error
//!      │                        └ truncate, reset ─▶ Parting ── sent ─────▶ Over: an end, an error
//!      └── ends before ──▶ Spared
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};

use super::cut::Cut;
use crate::book::Outcome;
use crate::effect::BodyFault;
use crate::marker::Marker;
use crate::run::Receipt;
use crate::struck::{How, Struck};

/// How long a body lingers before it breaks off: on a running clock, and on a paused one, where no
/// time may pass.
const PARTING: Duration = Duration::from_millis(1);
const PARTING_POLLS: u8 = 3;

/// A body that stops where a fault says, as it is handed to whoever puts it back into a stack:
/// see [`FaultLayer::http_with`](crate::FaultLayer::http_with).
///
/// It announces the length of the body within, since that is what a peer announces that does not
/// know yet that it will break.
#[pin_project]
pub struct FaultedBody<B> {
    /// Gone once the body was broken off.
    #[pin]
    inner: Option<B>,
    state: State,
    give_up: Option<Duration>,
    #[pin]
    timer: Option<Sleep>,
    marker: Marker,
    receipt: Receipt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Passing(BodyFault, Cut),
    /// What passed is given time to leave: a server that sees the end of a connection, or of a
    /// stream, drops what it has not sent. So many polls are left, or the timer's time.
    Parting(BodyFault, u8),
    /// Everything passes but trailers.
    AwaitingTrailers,
    Silent,
    /// The body was shorter than the fault is patient.
    Spared,
    Over,
}

/// Why a body failed: its own error, or the fault.
///
/// In a box it is the one or the other itself; [`marker`](crate::marker()) finds the latter.
#[derive(Debug)]
pub enum BodyError<E> {
    /// The body's own.
    Real(E),
    /// The fault's.
    Injected(Marker),
}

impl<B> FaultedBody<B> {
    pub(crate) fn new(inner: B, struck: Struck) -> Self {
        Self {
            inner: Some(inner),
            state: match struck.how {
                How::Stop(fault, after) => State::Passing(fault, Cut::new(after)),
                How::LoseTrailers => State::AwaitingTrailers,
            },
            give_up: struck.give_up,
            timer: None,
            marker: struck.marker,
            receipt: struck.receipt,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for FaultedBody<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.state.is_due() {
            self.as_mut().strike();
        }
        let this = self.as_mut().project();
        match this.state {
            State::Parting(_, polls) if *polls > 0 => {
                *polls -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Silent | State::Parting(..) => self.poll_end(cx),
            State::Passing(..) | State::AwaitingTrailers | State::Spared | State::Over => {
                self.poll_inner(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.inner, &self.state) {
            (None, _) => true,
            (Some(_), State::Silent | State::Parting(..)) => false,
            (Some(inner), state) => inner.is_end_stream() && !state.is_due(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes>> FaultedBody<B> {
    /// So much has passed.
    fn strike(self: Pin<&mut Self>) {
        let mut this = self.project();
        let State::Passing(fault, _) = *this.state else {
            return;
        };
        this.receipt.settle(Outcome::Broken);
        // ## Passing => Silent, Parting. Who stalls is there, and says no more; who breaks off lets
        // leave what has passed.
        let (next, wait) = match fault {
            BodyFault::Stall => (State::Silent, *this.give_up),
            _ if this.receipt.is_paused() => (State::Parting(fault, PARTING_POLLS), None),
            _ => (State::Parting(fault, 0), Some(PARTING)),
        };
        *this.state = next;
        let wait = wait.filter(|_| Handle::try_current().is_ok());
        this.timer.set(wait.map(sleep));
    }

    /// Nothing passes any more.
    fn poll_end(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError<B::Error>>>> {
        let mut this = self.project();
        match this.timer.as_mut().as_pin_mut() {
            Some(timer) => ready!(timer.poll(cx)),
            // ## Silent => Silent. Nobody is woken, as on a real network.
            None if *this.state == State::Silent => return Poll::Pending,
            None => {}
        }
        // ## Silent, Parting => Over. What made the body goes, as with a broken connection.
        let cleanly = matches!(this.state, State::Parting(BodyFault::Truncate, _));
        *this.state = State::Over;
        this.inner.set(None);
        let error = BodyError::Injected(this.marker.clone());
        Poll::Ready((!cleanly).then_some(Err(error)))
    }

    fn poll_inner(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError<B::Error>>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let passed = pass(this.state, frame);
        let ended = !matches!(&passed, Some(Ok(frame)) if frame.is_data());
        let broken = *this.state == State::Over;
        if !broken && (ended || inner.is_end_stream() && !this.state.is_due()) {
            // ## Passing => Spared. That was all of it.
            *this.state = State::Spared;
        }
        match this.state {
            State::Over => {
                this.receipt.settle(Outcome::Broken);
                this.inner.set(None);
            }
            State::Spared => this.receipt.settle(Outcome::Nothing),
            _ => {}
        }
        Poll::Ready(passed.map(|frame| frame.map_err(BodyError::Real)))
    }
}

impl State {
    fn is_due(&self) -> bool {
        matches!(self, Self::Passing(_, cut) if cut.is_due())
    }
}

/// What passes of a frame. Trailers that are lost leave the state `Over`.
fn pass<E>(
    state: &mut State,
    frame: Option<Result<Frame<Bytes>, E>>,
) -> Option<Result<Frame<Bytes>, E>> {
    let frame = match frame? {
        Ok(frame) => frame,
        error => return Some(error),
    };
    match (frame.into_data(), state) {
        (Ok(mut data), State::Passing(_, cut)) => {
            data.truncate(cut.pass(&data));
            Some(Ok(Frame::data(data)))
        }
        (Ok(data), _) => Some(Ok(Frame::data(data))),
        (Err(_), state @ State::AwaitingTrailers) => {
            *state = State::Over;
            None
        }
        (Err(trailers), _) => Some(Ok(trailers)),
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<BodyError<E>> for Box<dyn Error + Send + Sync> {
    fn from(error: BodyError<E>) -> Self {
        match error {
            BodyError::Real(error) => error.into(),
            BodyError::Injected(marker) => marker.into(),
        }
    }
}

impl<E> BodyError<E> {
    /// The error as one that can be made of a marker.
    pub fn into_own(self) -> E
    where
        E: From<Marker>,
    {
        match self {
            Self::Real(error) => error,
            Self::Injected(marker) => marker.into(),
        }
    }
}

impl<B> fmt::Debug for FaultedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultedBody")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

// The timer, and so the whole, may be moved between threads as it is polled.
const _: fn() = || {
    fn is_sent_about<T: Send + Sync>() {}
    is_sent_about::<FaultedBody<http_body_util::Empty<Bytes>>>();
};

//! How a faulted body becomes again the body that the stack has.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};

use super::body::FaultedBody;
use crate::abilities::{Can, Cannot, Given};
use crate::book::Outcome;
use crate::marker::Marker;
use crate::struck::Struck;

/// The most frames of one body that are read for nobody.
const MOST_DRAINED: u32 = 1 << 20;

/// How many of them at once.
const AT_A_TIME: u32 = 256;

/// A body that can be put around another one, so that a faulted body has the type that it had.
///
/// Implemented for boxed bodies whose error can be made of a [`Marker`], for `axum`'s (feature
/// `axum`) and `tonic`'s (feature `grpc`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be put around another body, so it cannot be faulted",
    note = "map it beneath into `axum::body::Body` (feature `axum`), `tonic::body::Body` (feature `grpc`)",
    note = "or `http_body_util::combinators::BoxBody<Bytes, BoxError>`; where only requests cannot,",
    note = "use `.http_replies()`; where a function can, `.http_with(..)`"
)]
pub trait Rewrap: Body<Data = Bytes> + Unpin + Sized {
    /// Puts a body of this type around a faulted one.
    fn rewrap(body: FaultedBody<Self>) -> Self;
}

impl<E: From<Marker> + 'static> Rewrap for BoxBody<Bytes, E> {
    fn rewrap(body: FaultedBody<Self>) -> Self {
        body.map_err(|e| e.into_own()).boxed()
    }
}

impl<E: From<Marker> + 'static> Rewrap for UnsyncBoxBody<Bytes, E> {
    fn rewrap(body: FaultedBody<Self>) -> Self {
        body.map_err(|e| e.into_own()).boxed_unsync()
    }
}

#[cfg(feature = "axum")]
impl Rewrap for axum_core::body::Body {
    fn rewrap(body: FaultedBody<Self>) -> Self {
        use super::body::BodyError;

        // Unboxed first, so that a real error is no deeper than it was.
        let unboxed = |e| -> Box<dyn std::error::Error + Send + Sync> {
            match e {
                BodyError::Real(error) => axum_core::Error::into_inner(error),
                BodyError::Injected(marker) => marker.into(),
            }
        };
        Self::new(body.map_err(unboxed))
    }
}

#[cfg(feature = "grpc")]
impl Rewrap for tonic::body::Body {
    fn rewrap(body: FaultedBody<Self>) -> Self {
        Self::new(body.map_err(|e| e.into_own()))
    }
}

/// What a broken connection is to a reader: `ConnectionReset`.
impl From<Marker> for io::Error {
    fn from(marker: Marker) -> Self {
        Self::new(io::ErrorKind::ConnectionReset, marker)
    }
}

/// What a broken stream is to a gRPC client.
#[cfg(feature = "grpc")]
impl From<Marker> for tonic::Status {
    fn from(marker: Marker) -> Self {
        crate::refuse::status(tonic::Code::Unavailable, &marker)
    }
}

/// Bodies are put back by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own;

/// How bodies of one leg are faulted, if they are.
pub trait Rewrapping<B>: Given {
    #[doc(hidden)]
    fn strike(&self, body: B, bodies: Vec<Struck>) -> B;
    #[doc(hidden)]
    fn poll_drain(&self, body: &mut B, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool>;
}

impl Given for Own {
    const ABLE: u32 = 1;
}

impl<B: Rewrap> Rewrapping<B> for Own {
    fn strike(&self, body: B, bodies: Vec<Struck>) -> B {
        strike(body, bodies, B::rewrap)
    }

    fn poll_drain(&self, body: &mut B, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool> {
        poll_drain(body, frames, cx)
    }
}

impl<B, F> Rewrapping<B> for Can<F>
where
    B: Body<Data = Bytes> + Unpin,
    F: Fn(FaultedBody<B>) -> B,
{
    fn strike(&self, body: B, bodies: Vec<Struck>) -> B {
        strike(body, bodies, &*self.0)
    }

    fn poll_drain(&self, body: &mut B, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool> {
        poll_drain(body, frames, cx)
    }
}

/// Bodies are left alone.
impl<B> Rewrapping<B> for Cannot {
    fn strike(&self, body: B, _: Vec<Struck>) -> B {
        body
    }

    fn poll_drain(&self, _: &mut B, _: &mut u32, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }
}

/// Puts one fault after another around a body. One that is at its end already has nothing to lose.
fn strike<B: Body<Data = Bytes>>(
    body: B,
    bodies: Vec<Struck>,
    rewrap: impl Fn(FaultedBody<B>) -> B,
) -> B {
    let outermost = bodies.len().saturating_sub(1);
    let bodies = bodies.into_iter().enumerate();
    bodies.fold(body, |body, (index, mut struck)| {
        if body.is_end_stream() {
            struck.receipt.settle(Outcome::Nothing);
            return body;
        }
        if index < outermost {
            // Should one further out break the body, this one never comes to it.
            struck.receipt.or_nothing();
        }
        rewrap(FaultedBody::new(body, struck))
    })
}

/// Reads a body for nobody. An end is an end, if only in an error.
fn poll_drain<B: Body + Unpin>(body: &mut B, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool> {
    for _ in 0..AT_A_TIME {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(_)) if *frames < MOST_DRAINED => *frames += 1,
            Some(Ok(_)) => return Poll::Ready(false),
            Some(Err(_)) | None => return Poll::Ready(true),
        }
    }
    // Others want the thread, too.
    cx.waker().wake_by_ref();
    Poll::Pending
}

//! [`ReplayBody`]: a request body that can be sent again, up to a bound.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::request::Parts;
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Attempt, Replay};

/// Makes the bodies of requests repeatable, up to so many bytes each.
///
/// Goes outside of the retry, whose [`Replay`] is then [`Recorded`]. A body is sent as it comes, and
/// remembered on its way; one that grows past the bound, or says at once that it will, is sent as it
/// is and its request gets one attempt.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use http_body_util::{BodyExt, Full};
/// use murphy_policy::{BoxError, RetryLayer, http::{Recorded, ReplayBody, ReplayBodyLayer}};
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// static CALLS: AtomicU32 = AtomicU32::new(0);
/// let service = ServiceBuilder::new()
///     .layer(ReplayBodyLayer::new(64 * 1024))
///     .layer(RetryLayer::new().replay(Recorded))
///     .service(service_fn(async |request: http::Request<ReplayBody<Full<&[u8]>>>| {
///         let body = request.into_body().collect().await?.to_bytes();
///         if CALLS.fetch_add(1, Relaxed) < 2 { Err(BoxError::from("lost")) } else { Ok(body) }
///     }));
/// let request = http::Request::new(Full::new(&b"hello"[..]));
/// assert_eq!(service.oneshot(request).await.unwrap(), "hello");
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReplayBodyLayer {
    max: usize,
}

/// Wraps the bodies of requests. Made by [`ReplayBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct ReplayBodyService<S> {
    inner: S,
    max: usize,
}

impl ReplayBodyLayer {
    /// Bodies of up to `max` bytes are kept until their call is over.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max }
    }
}

impl<S> Layer<S> for ReplayBodyLayer {
    type Service = ReplayBodyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReplayBodyService {
            inner,
            max: self.max,
        }
    }
}

impl<S, B> Service<Request<B>> for ReplayBodyService<S>
where
    S: Service<Request<ReplayBody<B>>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let max = self.max;
        self.inner
            .call(request.map(|body| ReplayBody::new(body, max)))
    }
}

/// A body that is remembered while it is sent. Its data is [`Bytes`]; whatever a repetition sends
/// again is shared with the first, not copied.
pub struct ReplayBody<B> {
    tape: Option<Tape<B>>,
    /// The next frame to send, of those on the tape.
    at: usize,
    trailed: bool,
    home: Arc<Mutex<Option<Tape<B>>>>,
}

/// What has been sent, and what has not.
struct Tape<B> {
    frames: Vec<Bytes>,
    bytes: usize,
    max: usize,
    trailers: Option<HeaderMap>,
    rest: Option<Pin<Box<B>>>,
    /// Something is gone, and the body with it.
    torn: bool,
}

impl<B: Body> ReplayBody<B> {
    /// Remembers up to `max` bytes.
    pub fn new(body: B, max: usize) -> Self {
        let torn = body.size_hint().lower() > max as u64;
        let tape = Tape {
            frames: Vec::new(),
            bytes: 0,
            max,
            trailers: None,
            rest: Some(Box::pin(body)),
            torn,
        };
        Self::playing(tape, Arc::default())
    }
}

impl<B> ReplayBody<B> {
    fn playing(tape: Tape<B>, home: Arc<Mutex<Option<Tape<B>>>>) -> Self {
        Self {
            tape: Some(tape),
            at: 0,
            trailed: false,
            home,
        }
    }

    fn is_torn(&self) -> bool {
        self.tape.as_ref().is_none_or(|tape| tape.torn)
    }
}

impl<B> Drop for ReplayBody<B> {
    /// The tape goes back, for whoever repeats the request.
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.tape.take();
    }
}

impl<B: Body> Tape<B> {
    /// The next frame that is not on the tape yet.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        let frame = match ready!(rest.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.tear();
                self.rest = None;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                self.rest = None;
                return Poll::Ready(None);
            }
        };
        let frame = frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) if !self.torn => {
                self.bytes = self.bytes.saturating_add(data.len());
                // What has no data counts for nothing, and could be without end.
                if !data.is_empty() {
                    self.frames.push(data.clone());
                }
                if self.bytes > self.max {
                    self.tear();
                }
            }
            (_, Some(trailers)) => self.trailers = Some(trailers.clone()),
            _ => {}
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn tear(&mut self) {
        self.torn = true;
        self.frames = Vec::new();
    }
}

impl<B: Body> Body for ReplayBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(tape) = &mut this.tape else {
            return Poll::Ready(None);
        };
        if let Some(frame) = tape.frames.get(this.at) {
            this.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if let Some(trailers) = tape.trailers.as_ref().filter(|_| !this.trailed) {
            this.trailed = true;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers.clone()))));
        }
        let frame = ready!(tape.poll_rest(cx));
        this.at = tape.frames.len();
        this.trailed = tape.trailers.is_some();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.tape.as_ref().is_none_or(|tape| {
            self.at >= tape.frames.len()
                && (self.trailed || tape.trailers.is_none())
                && tape.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some(tape) = &self.tape else {
            return SizeHint::with_exact(0);
        };
        let again: usize = tape.frames.iter().skip(self.at).map(Bytes::len).sum();
        let rest = tape.rest.as_ref().map(|rest| rest.size_hint());
        let rest = rest.unwrap_or_else(|| SizeHint::with_exact(0));
        let mut hint = SizeHint::new();
        let more = |n: u64| n.saturating_add(again as u64);
        hint.set_lower(more(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(more(upper));
        }
        hint
    }
}

// What it holds of the body is in a box.
impl<B> Unpin for ReplayBody<B> {}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("repeatable", &!self.is_torn())
            .finish_non_exhaustive()
    }
}

/// The [`Replay`] of requests whose bodies are [`ReplayBody`]s: sends again what was sent, and then
/// what was not.
///
/// Declines if the body was longer than its bound, if it failed, or if the attempt before still has
/// it: where a connection is still sending it, though the reply is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded;

/// What is kept of a request between attempts.
pub struct Kept<B> {
    parts: Parts,
    tape: Arc<Mutex<Option<Tape<B>>>>,
    body: PhantomData<fn() -> B>,
}

impl<B, E> Replay<Request<ReplayBody<B>>, E> for Recorded {
    type Saved = Kept<B>;

    fn split(
        &self,
        request: Request<ReplayBody<B>>,
        first: &Attempt,
    ) -> (Request<ReplayBody<B>>, Option<Kept<B>>) {
        if first.is_last() || request.body().is_torn() {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        let kept = Kept {
            parts: parts.clone(),
            tape: Arc::clone(&body.home),
            body: PhantomData,
        };
        (Request::from_parts(parts, body), Some(kept))
    }

    fn next(
        &self,
        kept: &mut Kept<B>,
        _: &Attempt,
        _: Option<&mut E>,
    ) -> Option<Request<ReplayBody<B>>> {
        let tape = {
            let mut home = kept.tape.lock().unwrap_or_else(PoisonError::into_inner);
            home.take().filter(|tape| !tape.torn)?
        };
        let body = ReplayBody::playing(tape, Arc::clone(&kept.tape));
        Some(Request::from_parts(kept.parts.clone(), body))
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("method", &self.parts.method)
            .finish_non_exhaustive()
    }
}

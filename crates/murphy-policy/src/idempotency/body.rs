//! [`KeptBody`]: a body that came whole, or as it comes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

/// The body of requests and replies that go through an [`Idempotency`](super::Idempotency): read
/// whole, or passed on as it is.
#[pin_project]
pub struct KeptBody<B>(#[pin] Inner<B>);

#[pin_project(project = InnerProj)]
enum Inner<B> {
    Passed(#[pin] B),
    Whole(Option<Bytes>, Option<HeaderMap>),
    /// What was read, and the rest.
    Torn(Option<Bytes>, Pin<Box<B>>),
}

/// A body that was read.
pub(super) enum Read<B> {
    Whole(Bytes, Option<HeaderMap>),
    /// Longer than the bound.
    TooLong(KeptBody<B>),
}

impl<B> KeptBody<B> {
    pub(super) const fn passed(body: B) -> Self {
        Self(Inner::Passed(body))
    }

    pub(super) fn whole(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        let data = Some(data).filter(|data| !data.is_empty());
        Self(Inner::Whole(data, trailers))
    }
}

/// Reads a body of up to `most` bytes.
pub(super) async fn read<B: Body<Data = Bytes>>(body: B, most: usize) -> Result<Read<B>, B::Error> {
    if body.size_hint().lower() > most as u64 {
        return Ok(Read::TooLong(KeptBody::passed(body)));
    }
    let mut body = Box::pin(body);
    let mut data = Data::None;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(more) => data = data.and(more),
            // Trailers are the last frame.
            Err(frame) => {
                let trailers = frame.into_trailers().ok();
                return Ok(Read::Whole(data.into_bytes(), trailers));
            }
        }
        if data.len() > most {
            let torn = Inner::Torn(Some(data.into_bytes()), body);
            return Ok(Read::TooLong(KeptBody(torn)));
        }
    }
    Ok(Read::Whole(data.into_bytes(), None))
}

/// Data that came in frames: of one frame nothing is copied.
enum Data {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn and(self, more: Bytes) -> Self {
        match self {
            Self::None => Self::One(more),
            Self::One(one) => Self::Many(BytesMut::from(&one[..])).and(more),
            Self::Many(mut many) => {
                many.extend_from_slice(&more);
                Self::Many(many)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(one) => one.len(),
            Self::Many(many) => many.len(),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(one) => one,
            Self::Many(many) => many.freeze(),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for KeptBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().0.project() {
            InnerProj::Passed(body) => body.poll_frame(cx),
            InnerProj::Whole(data, trailers) => {
                let data = data.take().map(Frame::data);
                let frame = data.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            InnerProj::Torn(begun, rest) => match begun.take() {
                Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
                None => Poll::Ready(ready!(rest.as_mut().poll_frame(cx))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Passed(body) => body.is_end_stream(),
            Inner::Whole(data, trailers) => data.is_none() && trailers.is_none(),
            Inner::Torn(begun, rest) => begun.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let of = |data: &Option<Bytes>| data.as_ref().map_or(0, |data| data.len() as u64);
        match &self.0 {
            Inner::Passed(body) => body.size_hint(),
            Inner::Whole(data, _) => SizeHint::with_exact(of(data)),
            Inner::Torn(begun, rest) => {
                let (rest, begun) = (rest.size_hint(), of(begun));
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(begun));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(begun));
                }
                hint
            }
        }
    }
}

impl<B> fmt::Debug for KeptBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Inner::Passed(_) => "KeptBody::Passed",
            Inner::Whole(..) => "KeptBody::Whole",
            Inner::Torn(..) => "KeptBody::Torn",
        })
    }
}

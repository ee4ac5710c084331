//! [`PeekTrailersLayer`]: the status of a failed reply, before anybody reads its body.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Waits for the first frame of a reply's body, and if that is its trailers, notes them in the
/// reply's extensions ([`Trailers`]), where [`GrpcClassify`](super::GrpcClassify) finds them.
///
/// A call that failed mostly has no message, so that its trailers come first. A reply that begins
/// with a message goes on as soon as that is there: streams are not held back further than to their
/// first message. Goes beneath the retry. The body is a [`Peeked`], of which nothing is lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeekTrailersLayer;

/// Looks at the first frame of replies. Made by [`PeekTrailersLayer`].
#[derive(Clone, Copy, Debug)]
pub struct PeekTrailers<S> {
    inner: S,
}

/// The trailers of a reply that has no body: in its extensions.
#[derive(Clone, Debug)]
pub struct Trailers(pub HeaderMap);

impl<S> Layer<S> for PeekTrailersLayer {
    type Service = PeekTrailers<S>;

    fn layer(&self, inner: S) -> PeekTrailers<S> {
        PeekTrailers { inner }
    }
}

impl<S, Req, B> Service<Request<Req>> for PeekTrailers<S>
where
    S: Service<Request<Req>, Response = Response<B>>,
    B: Body + Unpin,
{
    type Response = Response<Peeked<B>>;
    type Error = S::Error;
    type Future = PeekFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        PeekFuture {
            inner: self.inner.call(request),
            reply: None,
        }
    }
}

/// A reply, and then its first frame.
///
/// # Cancel safety
///
/// Dropping it drops the call.
#[pin_project]
#[derive(Debug)]
pub struct PeekFuture<F, B> {
    #[pin]
    inner: F,
    reply: Option<Response<B>>,
}

impl<F, B, E> Future for PeekFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body + Unpin,
{
    type Output = Result<Response<Peeked<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.reply.is_none() {
            *this.reply = Some(ready!(this.inner.poll(cx))?);
        }
        let Some(reply) = this.reply else {
            return Poll::Pending;
        };
        let (first, over) = match reply.body().is_end_stream() {
            true => (None, false),
            false => {
                let first = ready!(Pin::new(reply.body_mut()).poll_frame(cx));
                let over = first.is_none();
                (first, over)
            }
        };
        let Some(mut reply) = this.reply.take() else {
            return Poll::Pending;
        };
        if let Some(Ok(frame)) = &first {
            if let Some(trailers) = frame.trailers_ref() {
                reply.extensions_mut().insert(Trailers(trailers.clone()));
            }
        }
        Poll::Ready(Ok(reply.map(|rest| Peeked { first, over, rest })))
    }
}

/// A body whose first frame has been looked at.
#[pin_project]
#[derive(Debug)]
pub struct Peeked<B: Body> {
    first: Option<Result<Frame<B::Data>, B::Error>>,
    /// Its end was seen: it is not asked again.
    over: bool,
    #[pin]
    rest: B,
}

impl<B: Body> Body for Peeked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None if *this.over => Poll::Ready(None),
            None => this.rest.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.over || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        use bytes::Buf;

        let first = match &self.first {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Buf::remaining) as u64,
            _ => 0,
        };
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(first));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint
    }
}

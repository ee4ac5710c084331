//! The node's side.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use tower_service::Service;

use super::super::{BadMessage, LONGEST, Message, put_beat, read};
use crate::{Heartbeat, HeartbeatAck};

/// Posts beats through an HTTP client, whatever stack is around it.
#[derive(Clone, Debug)]
pub struct HttpClient<S> {
    inner: S,
    to: Uri,
}

impl<S> HttpClient<S> {
    /// Beats go to the observer at `to`.
    #[must_use]
    pub const fn new(inner: S, to: Uri) -> Self {
        Self { inner, to }
    }
}

/// Why a beat over HTTP was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum BeatError<E> {
    /// The client failed.
    #[error("{0}")]
    Client(E),
    /// The reply was not 200.
    #[error("the observer replied {0}; is it one, at this path?")]
    Status(StatusCode),
    /// The reply's body broke off, or is longer than an acknowledgement can be.
    #[error("the reply broke off or was too long")]
    Body,
    /// The reply's body is no acknowledgement.
    #[error(transparent)]
    Bad(#[from] BadMessage),
}

impl<S, B> Service<Heartbeat> for HttpClient<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: fmt::Debug,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = HeartbeatAck;
    type Error = BeatError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<HeartbeatAck, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(BeatError::Client)
    }

    fn call(&mut self, beat: Heartbeat) -> Self::Future {
        let mut bytes = BytesMut::with_capacity(LONGEST);
        put_beat(&beat, &mut bytes);
        let mut request = Request::new(Full::new(bytes.freeze()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.to.clone();
        request
            .headers_mut()
            .insert(CONTENT_TYPE, super::CONTENT_TYPE);
        let replied = self.inner.call(request);
        Box::pin(async move {
            let reply = replied.await.map_err(BeatError::Client)?;
            if reply.status() != StatusCode::OK {
                return Err(BeatError::Status(reply.status()));
            }
            let body = Limited::new(reply.into_body(), LONGEST).collect().await;
            let bytes = body.map_err(|_| BeatError::Body)?.to_bytes();
            match read(&bytes)? {
                Message::Ack(ack) => Ok(ack),
                Message::Beat(_) => Err(BadMessage::Kind(super::super::BEAT).into()),
            }
        })
    }
}

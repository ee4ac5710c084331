//! The observer's side.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::super::{ACK, BadMessage, LONGEST, Message, put_ack, read};
use crate::event;
use crate::{Heartbeat, HeartbeatAck};

/// Gives every beat that is posted to a service such as [`HeartbeatService`](crate::HeartbeatService).
///
/// It does not look at the path: route one to it. A beat that does not count has a reply all the same, that says so.
///
/// | reply | when |
/// |---|---|
/// | 200, an acknowledgement | it was a beat |
/// | 400 | it was none, or broke off; counted, and told of by `wire.dropped` |
/// | 405 | it was not a `POST` |
/// | 413 | it was longer than a beat can be; no more than that is read; counted and told of as well |
/// | 503 | the service failed, which `HeartbeatService` never does |
///
/// How long a body may take is for the server to bound, such as with a timeout of `murphy-policy`.
#[derive(Clone, Debug)]
pub struct HttpServer<S> {
    inner: S,
    site: Arc<str>,
}

impl<S> HttpServer<S> {
    /// Beats go to `inner`; `site` names it in events and metrics.
    #[must_use]
    pub fn new(site: &str, inner: S) -> Self {
        let site = site.into();
        Self { inner, site }
    }
}

impl<S, B> Service<Request<B>> for HttpServer<S>
where
    S: Service<Heartbeat, Response = HeartbeatAck> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The instance that takes the beat is readied for it, once the body is there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { mut inner, site } = self.clone();
        Box::pin(async move {
            if request.method() != Method::POST {
                let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED);
                reply
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("POST"));
                return Ok(reply);
            }
            let beat = match beat(request.into_body()).await {
                Ok(beat) => beat,
                Err(Bad::Message(why)) => {
                    event::dropped(&site, &why);
                    return Ok(reply(StatusCode::BAD_REQUEST));
                }
                Err(Bad::Long) => {
                    event::dropped(&site, &TOO_LONG);
                    return Ok(reply(StatusCode::PAYLOAD_TOO_LARGE));
                }
            };
            let ack = match poll_fn(|cx| inner.poll_ready(cx)).await {
                Ok(()) => inner.call(beat).await,
                Err(error) => Err(error),
            };
            Ok(ack.map_or_else(|_| reply(StatusCode::SERVICE_UNAVAILABLE), acknowledged))
        })
    }
}

enum Bad {
    Message(BadMessage),
    Long,
}

/// How much longer nobody knows: no more was read.
const TOO_LONG: BadMessage = BadMessage::Length {
    length: LONGEST + 1,
    expected: LONGEST,
};

async fn beat<B>(body: B) -> Result<Heartbeat, Bad>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, LONGEST).collect().await;
    let bytes = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Bad::Long
        } else {
            Bad::Message(BadMessage::Broken)
        }
    })?;
    match read(&bytes.to_bytes()).map_err(Bad::Message)? {
        Message::Beat(beat) => Ok(beat),
        Message::Ack(_) => Err(Bad::Message(BadMessage::Kind(ACK))),
    }
}

fn acknowledged(ack: HeartbeatAck) -> Response<Full<Bytes>> {
    let mut bytes = BytesMut::with_capacity(LONGEST);
    put_ack(&ack, &mut bytes);
    let mut reply = Response::new(Full::new(bytes.freeze()));
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, super::CONTENT_TYPE);
    reply
}

fn reply(status: StatusCode) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

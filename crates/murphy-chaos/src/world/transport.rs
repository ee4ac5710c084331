//! Hyper's client over an in-memory connection.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower_service::Service;

use super::client::{ClientFuture, ReplyBody};
use super::serve::BoxError;
use crate::scene::Scene;

/// The most idle connections of one client.
const MOST_IDLE: usize = 64;

/// Brings requests to a service of the run.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    // The run holds its services, and they may hold their clients.
    scene: Weak<Scene>,
    to: Arc<str>,
    http2: bool,
    travel: Duration,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    idle: Vec<http1::SendRequest<Full<Bytes>>>,
    shared: Option<http2::SendRequest<Full<Bytes>>>,
}

impl Transport {
    pub(crate) fn new(scene: &Arc<Scene>, to: &str) -> Self {
        Self {
            scene: Arc::downgrade(scene),
            to: to.into(),
            http2: false,
            travel: Duration::from_millis(1),
            connections: Arc::default(),
        }
    }

    pub(crate) fn http2(self) -> Self {
        Self {
            http2: true,
            ..self
        }
    }

    pub(crate) fn travelling(self, travel: Duration) -> Self {
        Self { travel, ..self }
    }

    async fn carry(self, request: Request<Full<Bytes>>) -> Result<Response<ReplyBody>, BoxError> {
        self.travels().await;
        let request = self.addressed(request)?;
        let reply = if self.http2 {
            self.by_http2(request).await?
        } else {
            self.by_http1(request).await?
        };
        self.travels().await;
        Ok(reply.map(|body| body.map_err(BoxError::from).boxed_unsync()))
    }

    async fn travels(&self) {
        if !self.travel.is_zero() {
            tokio::time::sleep(self.travel).await;
        }
    }

    async fn by_http1(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, BoxError> {
        let mut sender = match self.idle() {
            Some(sender) => sender,
            None => {
                let stream = TokioIo::new(self.connect()?);
                let (sender, connection) = http1::handshake(stream).await?;
                drop(tokio::spawn(connection));
                sender
            }
        };
        let reply = sender.send_request(request).await?;
        let mut connections = self.connections();
        if connections.idle.len() < MOST_IDLE {
            connections.idle.push(sender);
        }
        Ok(reply)
    }

    async fn by_http2(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, BoxError> {
        let open = self.connections().shared.clone().filter(|s| !s.is_closed());
        let mut sender = match open {
            Some(sender) => sender,
            None => {
                let stream = TokioIo::new(self.connect()?);
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                drop(tokio::spawn(connection));
                self.connections().shared.insert(sender).clone()
            }
        };
        poll_ready(&mut sender).await?;
        Ok(sender.send_request(request).await?)
    }

    /// A connection whose last reply was read to its end.
    fn idle(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        let mut connections = self.connections();
        connections.idle.retain(|sender| !sender.is_closed());
        let ready = connections.idle.iter().position(|sender| sender.is_ready());
        ready.map(|index| connections.idle.remove(index))
    }

    fn connect(&self) -> Result<tokio::io::DuplexStream, BoxError> {
        let over = || BoxError::from("the run is over");
        let scene = self.scene.upgrade().ok_or_else(over)?;
        Ok(scene.served.connect(&self.to, self.http2)?)
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The same request to the service's name: HTTP/1 wants a `Host`, HTTP/2 a scheme and an authority.
    fn addressed(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Request<Full<Bytes>>, BoxError> {
        if self.http2 {
            let mut parts = std::mem::take(request.uri_mut()).into_parts();
            parts.scheme = Some(Scheme::HTTP);
            let to = Authority::try_from(&*self.to);
            parts.authority = Some(to.unwrap_or_else(|_| Authority::from_static("service")));
            parts
                .path_and_query
                .get_or_insert(http::uri::PathAndQuery::from_static("/"));
            *request.uri_mut() = Uri::from_parts(parts)?;
        } else if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(&self.to);
            let host = host.unwrap_or_else(|_| HeaderValue::from_static("service"));
            request.headers_mut().insert(header::HOST, host);
        }
        Ok(request)
    }
}

async fn poll_ready(sender: &mut http2::SendRequest<Full<Bytes>>) -> Result<(), hyper::Error> {
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await
}

impl Service<Request<Full<Bytes>>> for Transport {
    type Response = Response<ReplyBody>;
    type Error = BoxError;
    type Future = ClientFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> ClientFuture {
        Box::pin(self.clone().carry(request))
    }
}

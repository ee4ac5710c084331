//! [`World::serve`]: a real HTTP service behind an in-memory transport.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use murphy_fault::NodeService;
use tokio::io::DuplexStream;
use tower_layer::Layer;
use tower_service::Service;

use super::World;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Takes a connection in, as HTTP/2 or not.
type Accept = Box<dyn FnMut(DuplexStream, bool) + Send>;

/// The services of one run, by name.
#[derive(Default)]
pub(crate) struct Served(Mutex<BTreeMap<String, Accept>>);

/// Nobody serves this name: the connection is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody serves `{0}`: call `w.serve(\"{0}\", ..)` first")]
pub struct NotServed(pub String);

impl World {
    /// Serves HTTP/1 and HTTP/2 under this name, in memory: an axum `Router`, tonic's `Routes`, any tower
    /// service of hyper's requests. [`client`](Self::client) calls it. A name that is served
    /// already is served by this from now on; connections that are open stay.
    ///
    /// The service runs on the [node](Self::node) of that name: paused with it, and its calls in flight dropped by its
    /// crash. What it remembers by itself survives a crash: see [`Node::memory`](murphy_fault::Node::memory).
    ///
    /// Its requests carry no peer address, its replies no `Date`.
    pub fn serve<S, B>(&self, name: &str, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = self.node(name).layer().layer(Boxing(service));
        let accept = move |stream, http2| accept(stream, http2, service.clone());
        self.scene
            .served
            .lock()
            .insert(name.to_owned(), Box::new(accept));
    }
}

impl Served {
    /// Opens a connection.
    pub(crate) fn connect(&self, name: &str, http2: bool) -> Result<DuplexStream, NotServed> {
        /// What a connection holds each way before the writer waits.
        const BUFFER: usize = 64 << 10;

        let (ours, theirs) = tokio::io::duplex(BUFFER);
        match self.lock().get_mut(name) {
            Some(accept) => accept(theirs, http2),
            None => return Err(NotServed(name.to_owned())),
        }
        Ok(ours)
    }

    /// Services may hold the run that holds them: its end lets them go.
    pub(crate) fn close(&self) {
        let services = std::mem::take(&mut *self.lock());
        drop(services);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Accept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept<S>(stream: DuplexStream, http2: bool, service: NodeService<Boxing<S>>)
where
    NodeService<Boxing<S>>:
        Service<Request<Incoming>, Response = Response<ServerBody>, Error = BoxError>,
    NodeService<Boxing<S>>: Clone + Send + 'static,
    <NodeService<Boxing<S>> as Service<Request<Incoming>>>::Future: Send + 'static,
{
    let (io, service) = (TokioIo::new(stream), TowerToHyperService::new(service));
    // How a connection ends is for its client to say.
    if http2 {
        let mut server = http2::Builder::new(TokioExecutor::new());
        server.auto_date_header(false);
        drop(tokio::spawn(server.serve_connection(io, service)));
    } else {
        let mut server = http1::Builder::new();
        server.auto_date_header(false).header_read_timeout(None);
        drop(tokio::spawn(server.serve_connection(io, service)));
    }
}

type ServerBody = UnsyncBoxBody<Bytes, BoxError>;

/// One type for all bodies and errors.
#[derive(Clone)]
pub(crate) struct Boxing<S>(S);

impl<S, B> Service<Request<Incoming>> for Boxing<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ServerBody>;
    type Error = BoxError;
    type Future = futures_util::future::BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let reply = self.0.call(request);
        Box::pin(async move {
            let reply = reply.await.map_err(Into::into)?;
            Ok(reply.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

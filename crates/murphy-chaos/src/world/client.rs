//! [`Client`]: calls what is served in the same run, through a fault layer.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use murphy_core::Key;
use tower_layer::Layer;
use tower_service::Service;

use super::serve::BoxError;
use super::transport::Transport;
use super::{World, corrupt};

/// The largest request body: it is held in memory, so that a request can be duplicated.
const LARGEST_REQUEST: usize = 16 << 20;

/// The body of a reply.
pub type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;

/// What a call through a [`Client`] gives back.
pub type ClientFuture =
    Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, BoxError>> + Send + 'static>>;

type Stack = dyn Fn(Request<Full<Bytes>>) -> ClientFuture + Send + Sync;

/// An HTTP client of a service of the same run, behind the site `"client->name"`. From
/// [`World::client`].
///
/// A tower service of requests, with a few methods for short tests. Its site can do all that an HTTP
/// layer can: lose, delay, duplicate, refuse (an error, as of a connection that is refused), break and stall bodies of
/// replies, and [corrupt](Self::corrupting) where it is asked to. A call's key
/// is its `idempotency-key` header, else that of the caller's scope, else the call is positional.
///
/// A message travels for a millisecond each way, so that a node can fail while it is on its way.
/// Requests are buffered up to 16 MiB, so that they can be duplicated: nothing streams to the service. Nothing
/// here ends a lost call: put a timeout around it.
#[derive(Clone)]
pub struct Client {
    stack: Arc<Stack>,
    world: World,
    from: Arc<str>,
    to: Arc<str>,
    transport: Transport,
    corrupting: bool,
}

/// A reply, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl World {
    /// A client of what is [served](Self::serve) under this name, at the site `"client->name"`.
    #[must_use]
    pub fn client(&self, name: &str) -> Client {
        self.client_from("client", name)
    }

    /// A client that is on a node of its own: its site is `"from->to"`, the link between the two.
    #[must_use]
    pub fn client_from(&self, from: &str, to: &str) -> Client {
        let transport = Transport::new(&self.scene, to);
        Client::new(self.clone(), from.into(), to.into(), transport)
    }
}

impl Client {
    fn new(world: World, from: Arc<str>, to: Arc<str>, transport: Transport) -> Self {
        let mut client = Self {
            stack: Arc::new(|_| Box::pin(async { Err("no stack".into()) })),
            world,
            from,
            to,
            transport,
            corrupting: false,
        };
        client.stack = client.stacked();
        client
    }

    /// The layers around its transport.
    fn stacked(&self) -> Arc<Stack> {
        let Self { from, to, .. } = self;
        let layer = self
            .world
            .site(&format!("{from}->{to}"))
            .layer()
            .keyed_if(|request: &Request<Full<Bytes>>| {
                let key = request.headers().get("idempotency-key")?;
                Some(Key::from(key.as_bytes()))
            })
            .duplicating()
            .refusing_boxed()
            .http_replies();
        // A node that crashes resets its connections.
        let node = self.world.node(to).layer().refusing_boxed();
        let inner = node.layer(self.transport.clone());
        if self.corrupting {
            let layer = layer.altering_requests(corrupt::request);
            boxed(layer.altering_replies(corrupt::reply).layer(inner))
        } else {
            boxed(layer.layer(inner))
        }
    }

    fn rebuilt(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.stack = self.stacked();
        self
    }

    /// The same client over HTTP/2: one connection for all calls. By default it speaks HTTP/1, a
    /// connection a call under way.
    #[must_use]
    pub fn http2(self) -> Self {
        self.rebuilt(|this| this.transport = this.transport.clone().http2())
    }

    /// The same client, whose messages travel this long each way. Whole milliseconds; default 1 ms.
    #[must_use]
    pub fn travelling(self, time: Duration) -> Self {
        self.rebuilt(|this| this.transport = this.transport.clone().travelling(time))
    }

    /// The same client, on a link that corrupts: `altered-request` and `altered-reply` flip one bit of one byte of a body.
    /// TCP's sums let one in so many pass, and memory has none; a test that does not mean to survive that leaves it out,
    /// as is the default.
    ///
    /// Of a reply, a byte of its first frame; a body without a byte stays as it is.
    #[must_use]
    pub fn corrupting(self) -> Self {
        self.rebuilt(|this| this.corrupting = true)
    }

    /// Gets what is at the path.
    ///
    /// # Errors
    ///
    /// The call was refused, or its connection broke.
    pub async fn get(&self, path: &str) -> Result<Reply, BoxError> {
        self.send(Method::GET, path, "").await
    }

    /// Posts to the path.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Reply, BoxError> {
        self.send(Method::POST, path, body).await
    }

    /// Puts at the path.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Result<Reply, BoxError> {
        self.send(Method::PUT, path, body).await
    }

    /// Sends a request and reads the reply to its end.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); a path that is none.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, BoxError> {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(body.into()))?;
        let (head, body) = self.asks(request).await?.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Makes the call; in a run that is kept, it is noted what was asked and told.
    async fn asks(&self, request: Request<Full<Bytes>>) -> Result<Response<ReplyBody>, BoxError> {
        let under_way = self.world.scene.asks(|| {
            let asked = format!("{} {}", request.method(), request.uri().path());
            (format!("{}->{}", self.from, self.to), asked)
        });
        let answer = (self.stack)(request).await;
        under_way.told(|| match &answer {
            Ok(reply) => reply.status().to_string(),
            Err(e) => e.to_string(),
        });
        answer
    }
}

/// A stack of whatever types, as one type.
fn boxed<S>(stack: S) -> Arc<Stack>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ReplyBody>, Error = BoxError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    Arc::new(move |request| {
        let mut stack = stack.clone();
        Box::pin(async move {
            poll_fn(|cx| stack.poll_ready(cx)).await?;
            stack.call(request).await
        })
    })
}

impl<B> Service<Request<B>> for Client
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ReplyBody>;
    type Error = BoxError;
    type Future = ClientFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ClientFuture {
        let client = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LARGEST_REQUEST).collect().await?;
            let body = Full::new(body.to_bytes());
            client.asks(Request::from_parts(head, body)).await
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        f.debug_struct("Client")
            .field("from", from)
            .field("to", to)
            .finish_non_exhaustive()
    }
}

//! [`Idempotency`]: the service, and how a request with a key is served.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use murphy_core::Scope;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::answer::is_grpc;
use super::body::{Read, read};
use super::event;
use super::future::ResponseFuture;
use super::header::{LONGEST_KEY, Said, is_named, read as key_of};
use super::layer::{IdempotencyLayer, Rules};
use super::run::run;
use super::work::Work;
use super::{Begun, Fingerprint, KeptBody, MemoryStore, Outcome, Refused, Reply, Store, Ticket};

/// How long the store holds a key after its handler must have ended, for the end to be told.
const GRACE: Duration = Duration::from_secs(5);

/// Of what is left of a deadline, what is kept for the answer to arrive: a tenth, and at most this.
const RESERVE: Duration = Duration::from_millis(100);

/// Serves each operation once. Made by [`IdempotencyLayer`]; see the [module](super).
#[derive(Clone)]
pub struct Idempotency<S, St = MemoryStore> {
    inner: S,
    layer: IdempotencyLayer<St>,
}

impl<S, St> Idempotency<S, St> {
    pub(super) const fn new(inner: S, layer: IdempotencyLayer<St>) -> Self {
        Self { inner, layer }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, which serves each request.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, St, B, R> Service<Request<B>> for Idempotency<S, St>
where
    S: Service<Request<KeptBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    St: Store,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Send,
{
    type Response = Response<KeptBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    /// At once: who waits for the first is not to hold a place that the first may need.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let rules = &self.layer.rules;
        let named = is_named(request.method(), rules.every_method);
        let said = if named {
            key_of(request.headers())
        } else {
            Said::Nothing
        };
        let key = match said {
            Said::Nothing if named && rules.required => Err(Refused::NoKey),
            Said::Nothing => {
                let request = request.map(KeptBody::passed);
                return ResponseFuture::passed(self.inner.clone(), request);
            }
            Said::Bad => Err(Refused::BadKey),
            Said::Key(key) => Ok(key.to_owned()),
        };
        let (parts, body) = request.into_parts();
        let desk = Desk {
            grpc: is_grpc(&parts.headers),
            rules: Arc::clone(rules),
        };
        match key.and_then(|key| desk.scoped(&parts, &key)) {
            Ok(key) => {
                let (inner, store) = (self.inner.clone(), self.layer.store.clone());
                ResponseFuture::keyed(serve(desk, inner, store, key, parts, body))
            }
            Err(refused) => ResponseFuture::refused(desk.refuse(refused)),
        }
    }
}

/// Where requests are answered.
pub(super) struct Desk {
    pub(super) rules: Arc<Rules>,
    grpc: bool,
}

impl Desk {
    /// The key, and whose it is: no two pairs have one name.
    fn scoped(&self, parts: &Parts, key: &str) -> Result<Arc<str>, Refused> {
        let caller = self.rules.per.as_ref().map(|per| per(parts));
        let caller = caller.unwrap_or_default();
        if caller.len() > LONGEST_KEY {
            return Err(Refused::BadPartition);
        }
        Ok(format!("{}:{caller}:{key}", caller.len()).into())
    }

    pub(super) fn reply(&self, refused: Refused) -> Reply {
        refused.reply(self.grpc, self.rules.again)
    }

    pub(super) fn refuse<R>(&self, refused: Refused) -> Response<KeptBody<R>> {
        event::refused(&self.rules.site, refused);
        let mut response = self.reply(refused).response();
        response.extensions_mut().insert(refused);
        response
    }

    /// Until when a repeat waits: a little before its caller leaves.
    fn waits_until(&self, now: Instant) -> Instant {
        Scope::current().deadline().map_or_else(
            || now + self.rules.patience.min(Duration::from_secs(86_400)),
            |deadline| {
                let left = deadline.saturating_duration_since(now);
                now + (left - (left / 10).min(RESERVE))
            },
        )
    }
}

async fn serve<S, St, B, R>(
    desk: Desk,
    inner: S,
    store: St,
    key: Arc<str>,
    parts: Parts,
    body: B,
) -> Result<Response<KeptBody<R>>, S::Error>
where
    S: Service<Request<KeptBody<B>>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    St: Store,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Send,
{
    let (data, trailers) = match read(body, desk.rules.longest_request).await {
        Ok(Read::Whole(data, trailers)) => (data, trailers),
        Ok(Read::TooLong(_)) => return Ok(desk.refuse(Refused::TooLarge)),
        Err(_) => return Ok(desk.refuse(Refused::BadBody)),
    };
    let fingerprint = Fingerprint::of(&parts, &data);
    let ticket = match turn(&desk, &store, &key, fingerprint).await {
        Turn::First(ticket) => ticket,
        Turn::Over(Outcome::Reply(reply)) => {
            event::replayed(&desk.rules.site);
            return Ok(reply.replayed());
        }
        Turn::Over(Outcome::TooLong) => return Ok(desk.refuse(Refused::NotKept)),
        Turn::Refused(refused) => return Ok(desk.refuse(refused)),
    };
    let request = Request::from_parts(parts, KeptBody::whole(data, trailers));
    let site = desk.rules.site.clone();
    let work = run(desk, inner, request, store, ticket);
    // The scope goes along if the work is handed over.
    Work::new(Scope::current().enter(work), site).await
}

/// What became of a request's wait.
enum Turn {
    First(Ticket),
    Over(Outcome),
    Refused(Refused),
}

/// Waits until it is the first, or the first is done, or time is up.
async fn turn(desk: &Desk, store: &impl Store, key: &Arc<str>, fingerprint: Fingerprint) -> Turn {
    let lease = desk.rules.lease + GRACE;
    let mut until = None;
    loop {
        let first = match store.begin(key, fingerprint, lease).await {
            Ok(Begun::First(ticket)) => return Turn::First(ticket),
            Ok(Begun::Done(outcome)) => return Turn::Over(outcome),
            Ok(Begun::Mismatch) => return Turn::Refused(Refused::Mismatch),
            Ok(Begun::Full) => return Turn::Refused(Refused::Full),
            Ok(Begun::Running(first)) => first,
            Err(error) => {
                event::store_failed(&desk.rules.site, &error);
                return Turn::Refused(Refused::NoStore);
            }
        };
        let until = *until.get_or_insert_with(|| desk.waits_until(Instant::now()));
        if timeout_at(until, store.watch(&first)).await.is_err() {
            return Turn::Refused(Refused::InProgress);
        }
    }
}

impl<S: fmt::Debug, St: fmt::Debug> fmt::Debug for Idempotency<S, St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}

//! A handler that runs under a key, and how its end is told.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::body::{Read, read};
use super::event;
use super::server::Desk;
use super::work::caught;
use super::{KeptBody, Outcome, Refused, Reply, Store, StoreError, Ticket};

/// How a handler ended.
type Ran<R, E> = Result<(http::response::Parts, Read<R>), End<E>>;

/// How a handler ended that has no reply.
enum End<E> {
    /// It could not be called.
    NotReady(E),
    Failed(E),
    /// Its reply broke off.
    Broken,
}

async fn handle<S, Req, R>(mut inner: S, request: Req, longest: usize) -> Ran<R, S::Error>
where
    S: Service<Req, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    let ready = poll_fn(|cx| inner.poll_ready(cx)).await;
    ready.map_err(End::NotReady)?;
    let reply = inner.call(request).await.map_err(End::Failed)?;
    let (parts, body) = reply.into_parts();
    let body = read(body, longest).await.map_err(|_| End::Broken)?;
    Ok((parts, body))
}

/// Runs the handler, and tells the store. Nothing ends it but its lease.
pub(super) async fn run<S, St, B, R>(
    desk: Desk,
    inner: S,
    request: Request<KeptBody<B>>,
    store: St,
    ticket: Ticket,
) -> Result<Response<KeptBody<R>>, S::Error>
where
    S: Service<Request<KeptBody<B>>, Response = Response<R>>,
    St: Store,
    R: Body<Data = Bytes>,
{
    let till = Till {
        desk: &desk,
        store: &store,
        ticket: &ticket,
    };
    let handler = caught(handle(inner, request, desk.rules.longest_reply));
    let ran = match timeout(desk.rules.lease, handler).await {
        Ok(Ok(ran)) => ran,
        Ok(Err(panic)) => {
            event::refused(&desk.rules.site, Refused::Failed);
            till.settle(desk.reply(Refused::Failed)).await;
            resume_unwind(panic);
        }
        Err(_) => {
            till.settle(desk.reply(Refused::Overran)).await;
            return Ok(desk.refuse(Refused::Overran));
        }
    };
    match ran {
        Ok((parts, Read::Whole(body, trailers))) => {
            let reply = Reply {
                status: parts.status,
                headers: parts.headers.clone(),
                body: body.clone(),
                trailers: trailers.clone(),
            };
            till.settle(reply).await;
            Ok(Response::from_parts(parts, KeptBody::whole(body, trailers)))
        }
        Ok((parts, Read::TooLong(body))) => {
            event::too_long(&desk.rules.site);
            till.end(Outcome::TooLong).await;
            Ok(Response::from_parts(parts, body))
        }
        Err(End::NotReady(error)) => {
            till.release().await;
            Err(error)
        }
        Err(End::Failed(error)) => {
            till.settle(desk.reply(Refused::Failed)).await;
            Err(error)
        }
        Err(End::Broken) => {
            till.settle(desk.reply(Refused::Failed)).await;
            Ok(desk.refuse(Refused::Failed))
        }
    }
}

/// Where the end of an operation is told.
struct Till<'a, St> {
    desk: &'a Desk,
    store: &'a St,
    ticket: &'a Ticket,
}

impl<St: Store> Till<'_, St> {
    /// Kept for repeats, if it is that kind of reply.
    async fn settle(&self, reply: Reply) {
        if (self.desk.rules.keeps)(&reply) {
            self.end(Outcome::Reply(Arc::new(reply))).await;
        } else {
            self.release().await;
        }
    }

    async fn end(&self, outcome: Outcome) {
        self.told(self.store.finish(self.ticket, outcome).await);
    }

    async fn release(&self) {
        self.told(self.store.release(self.ticket).await);
    }

    fn told(&self, told: Result<bool, StoreError>) {
        let site = &self.desk.rules.site;
        match told {
            Ok(true) => {}
            Ok(false) => event::late(site),
            Err(error) => event::store_failed(site, &error),
        }
    }
}

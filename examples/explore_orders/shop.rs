//! The shop: an ordinary axum service that reserves a piece, has it paid, and confirms the order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::Full;
use murphy_chaos::Client;
use murphy_core::Seed;
use murphy_policy::http::HttpClassify;
use murphy_policy::{Backoff, BadKnob, BoxError, RetryLayer, TimeoutLayer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

/// How long the shop waits for an answer, and before it asks again.
const ATTEMPT: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 2;

/// The longest that an order can take: two peers, each asked twice.
pub(crate) const LONGEST: Duration = Duration::from_secs(12);

/// A service that is asked under a key, and so can be asked again.
type Peer = BoxCloneSyncService<Request<Full<Bytes>>, StatusCode, BoxError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Confirmed,
    Cancelled,
}

#[derive(Clone)]
pub(crate) struct Shop {
    stock: Peer,
    payment: Peer,
    orders: Arc<Mutex<BTreeMap<u64, Order>>>,
    rules: Rules,
}

/// What the shop is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Without its bug.
    pub(crate) fixed: bool,
    /// It asks its peers twice.
    pub(crate) retry: bool,
    /// Its payment service knows an order again.
    pub(crate) key: bool,
}

impl Shop {
    pub(crate) fn new(
        stock: Client,
        payment: Client,
        seed: Seed,
        rules: Rules,
    ) -> Result<Self, BadKnob> {
        Ok(Self {
            stock: patient(stock, "stock", seed, rules)?,
            payment: patient(payment, "payment", seed, rules)?,
            orders: Arc::default(),
            rules,
        })
    }

    /// `POST /orders/{order}`: places it, or says what became of it.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/orders/{order}", post(place))
            .with_state(self)
    }

    pub(crate) fn order(&self, order: u64) -> Option<Order> {
        self.orders().get(&order).copied()
    }

    /// The first word on an order is the last.
    fn settle(&self, order: u64, word: Order) -> StatusCode {
        match *self.orders().entry(order).or_insert(word) {
            Order::Confirmed => StatusCode::OK,
            Order::Cancelled => StatusCode::CONFLICT,
        }
    }

    async fn cancel(&self, order: u64) -> StatusCode {
        match ask(&self.stock, "release", order).await {
            Ok(_) => self.settle(order, Order::Cancelled),
            Err(_) => ASK_AGAIN,
        }
    }

    fn orders(&self) -> MutexGuard<'_, BTreeMap<u64, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ASK_AGAIN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

async fn place(State(shop): State<Shop>, Path(order): Path<u64>) -> StatusCode {
    if let Some(word) = shop.order(order) {
        return shop.settle(order, word);
    }
    match ask(&shop.stock, "reserve", order).await {
        Ok(true) => {}
        Ok(false) => return shop.settle(order, Order::Cancelled),
        Err(_) => return ASK_AGAIN,
    }
    match ask(&shop.payment, "charge", order).await {
        Ok(true) => shop.settle(order, Order::Confirmed),
        Ok(false) => shop.cancel(order).await,
        // What nobody heard of may have been done: whoever asks again, asks under the same key.
        Err(_) if shop.rules.fixed => ASK_AGAIN,
        // The bug: it was tried twice and is not paid, so it must have failed.
        Err(_) => shop.cancel(order).await,
    }
}

/// Yes, no, or nobody knows.
async fn ask(peer: &Peer, what: &str, order: u64) -> Result<bool, BoxError> {
    let request = Request::post(format!("/{what}/{order}"))
        .header("idempotency-key", format!("{what}-{order}"))
        .body(Full::default())?;
    match peer.clone().oneshot(request).await? {
        StatusCode::OK => Ok(true),
        StatusCode::CONFLICT => Ok(false),
        other => Err(format!("{what}: {other}").into()),
    }
}

/// A client that asks twice, and waits longer in between than a short outage takes.
fn patient(client: Client, name: &'static str, seed: Seed, rules: Rules) -> Result<Peer, BadKnob> {
    let retry = RetryLayer::new()
        .attempts(if rules.retry { ATTEMPTS } else { 1 })?
        .classify(HttpClassify::new())
        .pace(Backoff::constant(WAIT))
        .named(name)
        .seed(seed);
    let stack = ServiceBuilder::new()
        .map_response(|reply: axum::http::Response<_>| reply.status())
        .layer(retry)
        .layer(TimeoutLayer::new(ATTEMPT))
        .service(client);
    Ok(BoxCloneSyncService::new(stack))
}

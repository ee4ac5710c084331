//! 2. A client that asks again, and does not say that it is the same order: it is charged twice.
//!
//! Twins differ by three lines: the client names its calls.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::core::Scope;
use murphy_chaos::{Kind, Menu, World, always, sometimes};
use murphy_policy::http::HttpClassify;
use murphy_policy::{
    Backoff, BoxError, IdempotencyKeyLayer, IdempotencyLayer, RetryLayer, TimeoutLayer,
};
use tower::{ServiceBuilder, ServiceExt};

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{Memory, PATIENCE};

pub(crate) const BUG: Bug = Bug {
    name: "not-idempotent",
    source: include_str!("not_idempotent.rs"),
    run,
    menu: || {
        // A copy has no key of its own here: that is another bug.
        let kinds = Kind::FAULTS.into_iter().filter(|kind| {
            !matches!(
                kind,
                Kind::Duplicate | Kind::AlteredRequest | Kind::AlteredReply
            )
        });
        Menu::only(kinds).calls_only()
    },
    runs: 600,
    breaks: "an order is charged once",
    takes: Takes::One,
};

type Charges = Memory<BTreeMap<String, u32>>;

/// Charges what has no key, and what has one that it does not know.
fn payments(charges: Charges) -> Router {
    let charge = async |State(charges): State<Charges>, order: String| {
        let mut charges = charges.lock();
        let times = charges.entry(order).or_insert(0);
        *times += 1;
        always!(*times == 1, "an order is charged once", "{times} times");
        (StatusCode::CREATED, "charged")
    };
    Router::new()
        .route("/charge", post(charge))
        .layer(IdempotencyLayer::new())
        .with_state(charges)
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        w.serve("pay", payments(Memory::default()));
        let retry = RetryLayer::new()
            .attempts(3)
            .expect("more than none")
            .classify(HttpClassify::new().every_method())
            .pace(Backoff::none())
            .seed(w.seed());
        let mut keys = None;
        // Twins part.
        if twin.is_fixed() {
            keys = Some(IdempotencyKeyLayer::new().seed(w.seed()));
        }
        // Twins meet.
        let client = ServiceBuilder::new()
            .option_layer(keys)
            .layer(retry)
            .layer(TimeoutLayer::new(PATIENCE))
            .map_err(BoxError::from)
            .service(w.client("pay"));
        for order in ["a book", "a lamp"] {
            let request = Request::post("/charge").body(order.to_owned());
            let charge = client.clone().oneshot(request.expect("a request"));
            let charged = Scope::current().with_key(order).enter(charge).await;
            sometimes!(charged.is_ok(), "an order is charged");
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
}

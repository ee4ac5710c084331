//! 7. A handler whose work leaves the scope of its caller, and so does not know that nobody waits any more.
//!
//! Twins differ by three lines: the work keeps its caller's scope.

use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::core::Scope;
use murphy_chaos::{Client, Kind, Menu, World, always, sometimes};
use murphy_policy::http::HttpClassify;
use murphy_policy::{
    Backoff, BoxError, DeadlineLayer, RetryLayer, SendDeadlineLayer, ServerDeadlineLayer,
    TimeoutLayer,
};
use tokio::time::sleep;
use tower::{ServiceBuilder, ServiceExt};

use crate::harness::{Bug, Takes, Twin};

pub(crate) const BUG: Bug = Bug {
    name: "deadline-dropped",
    source: include_str!("deadline_dropped.rs"),
    run,
    menu: || Menu::only([Kind::LostRequest, Kind::LostReply, Kind::RefusedAfterWork]).calls_only(),
    runs: 600,
    breaks: "nothing is begun that nobody waits for",
    takes: Takes::Two,
};

/// How long the client waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the front waits for one of three attempts.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Asks the stock up to three times, whether or not its caller hangs up meanwhile.
fn front(stock: Client, seed: u64, twin: Twin) -> Router {
    let order = move |order: String| async move {
        let retry = RetryLayer::new().attempts(3).expect("more than none");
        let stock = ServiceBuilder::new()
            .layer(
                retry
                    .classify(HttpClassify::new().every_method())
                    .pace(Backoff::none())
                    .seed(seed),
            )
            .layer(TimeoutLayer::new(ATTEMPT))
            .map_err(BoxError::from)
            .service(stock);
        let mut scope = Scope::default();
        // Twins part.
        if twin.is_fixed() {
            scope = Scope::current();
        }
        // Twins meet.
        let request = Request::post("/reserve")
            .body(order.clone())
            .expect("a request");
        let work = scope.with_key(order).enter(stock.oneshot(request));
        match tokio::spawn(work).await {
            Ok(Ok(_)) => StatusCode::OK,
            _ => StatusCode::BAD_GATEWAY,
        }
    };
    Router::new()
        .route("/order", post(order))
        .layer(ServerDeadlineLayer::new(Duration::MAX))
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let world = w.clone();
        let reserve = async move || {
            let waits = world.elapsed() <= PATIENCE;
            always!(waits, "nothing is begun that nobody waits for");
            StatusCode::OK
        };
        w.serve("stock", Router::new().route("/reserve", post(reserve)));
        let stock = w.client_from("front", "stock");
        w.serve("front", front(stock, w.seed().bits(), twin));
        let client = ServiceBuilder::new()
            .layer(DeadlineLayer::new(PATIENCE))
            .layer(SendDeadlineLayer::new())
            .map_err(BoxError::from)
            .service(w.client("front"));
        let request = Request::post("/order").body("a book".to_owned());
        let order = client.oneshot(request.expect("a request"));
        let served = Scope::current().with_key("a book").enter(order).await;
        sometimes!(served.is_ok(), "an order is served");
        sleep(Duration::from_secs(60)).await;
    })
}

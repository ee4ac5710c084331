//! `RobustNetworkClient`: three attempts, 5 s each, at a service that charges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use murphy_chaos::{Menu, World, always};
use murphy_policy::http::HttpClassify;
use murphy_policy::{
    Backoff, DeadlineLayer, IdempotencyKeyLayer, IdempotencyLayer, RetryLayer, TimeoutLayer,
};
use tokio::time::{sleep, timeout};
use tower::{ServiceBuilder, ServiceExt};

use crate::trial::Trial;

const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(5);
const PROMISE: &str = "an order is charged once";

pub(crate) fn trial() -> Trial {
    Trial {
        snippet: "RobustNetworkClient",
        name: "retry",
        chapter: |w| Box::pin(chapter(w)),
        twin: |w| Box::pin(twin(w)),
        made_of: "IdempotencyKeyLayer, RetryLayer, IdempotencyLayer",
        menu: Menu::default().calls_only(),
        breaks: &["lost-reply"],
    }
}

/// A service that charges, and how often it did.
fn payment() -> (Router, Arc<AtomicU32>) {
    let charged = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&charged);
    let charge = async move || {
        count.fetch_add(1, SeqCst);
    };
    (Router::new().route("/charge", post(charge)), charged)
}

async fn chapter(w: World) -> Result<(), String> {
    let (payment, charged) = payment();
    w.serve("payment", payment);
    let client = w.client_from("shop", "payment");
    for attempt in 0..ATTEMPTS {
        if let Ok(Ok(_)) = timeout(PATIENCE, client.post("/charge", "42 EUR")).await {
            break;
        }
        sleep(Duration::from_secs(1 << attempt)).await;
    }
    at_most_once(&charged).await;
    Ok(())
}

async fn twin(w: World) -> Result<(), String> {
    let (payment, charged) = payment();
    w.serve("payment", payment.layer(IdempotencyLayer::new()));
    let retry = RetryLayer::new()
        .attempts(ATTEMPTS)
        .map_err(|e| e.to_string())?;
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(PATIENCE * 4))
        .layer(IdempotencyKeyLayer::new().seed(w.seed()))
        .layer(
            retry
                .classify(HttpClassify::new())
                .pace(Backoff::constant(PATIENCE / 5))
                .seed(w.seed()),
        )
        .layer(TimeoutLayer::new(PATIENCE))
        .service(w.client_from("shop", "payment"));
    let request = Request::post("/charge").body(Full::<Bytes>::from("42 EUR"));
    // Whether it was heard of is another question.
    drop(client.oneshot(request.map_err(|e| e.to_string())?).await);
    at_most_once(&charged).await;
    Ok(())
}

/// Also when what is late has come.
async fn at_most_once(charged: &AtomicU32) {
    sleep(Duration::from_secs(60)).await;
    let times = charged.load(SeqCst);
    always!(times <= 1, PROMISE, "{times} times");
}

//! An ordinary axum server, and what chaos and policies add to it: the lines between the marks.
//! Fails unless every order is served, though the bank's replies get lost; and unless who asks for
//! an outage by a header gets one, and nobody else does.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::{Router, body::Body, extract::Path, extract::State, http::StatusCode, routing::post};
use http::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, REQUESTED_BY, TimeLimit};
use murphy_policy::{BoxError, DeadlineLayer, RetryLayer, TimeoutLayer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt, service_fn};

const PLAN: &str = r#"
    version = 1
    [[fault]]
    site = "shop->bank"
    kind = "loss"
    leg = "reply"
    probability = "30%"
    [[fault]]
    site = "web->shop"
    name = "outage"
    kind = "refuse"
    leg = "request"
    status = 503
    retry_after = "2s"
    probability = 1
    requested = true
"#;

type Bank = BoxCloneSyncService<u64, (), BoxError>;

/// The ordinary part: an order is served once the bank has charged it.
async fn order(State(bank): State<Bank>, Path(id): Path<u64>) -> StatusCode {
    match bank.oneshot(id).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let charges = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&charges);
    let charge = move |_: u64| {
        count.fetch_add(1, SeqCst);
        async { Ok::<_, BoxError>(()) }
    };

    // ---- chaos and policies: from here
    let chaos = Chaos::new(Seed::new(4));
    let bank = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(5)))
        .layer(RetryLayer::new().attempts(8)?.no_budget())
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .layer(chaos.site("shop->bank").layer())
        .service(service_fn(charge));
    let unreliable = chaos.site("web->shop").layer().http();
    // ---- to here, and one line below

    let router = Router::new()
        .route("/orders/{id}", post(order))
        .layer(unreliable) // ---- this one
        .with_state(BoxCloneSyncService::new(bank));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });

    let armed = chaos.arm(
        &Plan::from_toml(PLAN)?,
        TimeLimit::After(Duration::from_secs(60)),
    )?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut served = 0;
    for id in 0..20 {
        let request = Request::post(format!("http://{address}/orders/{id}"));
        let reply = client.request(request.body(Body::empty())?).await?;
        served += u32::from(reply.status() == StatusCode::OK);
    }
    let request =
        Request::post(format!("http://{address}/orders/20")).header(REQUESTED_BY, "outage");
    let asked = client.request(request.body(Body::empty())?).await?;
    let wait = asked
        .headers()
        .get("retry-after")
        .map(|v| v.to_str().unwrap_or("?"));

    let lost = armed
        .ledger()
        .injected()
        .iter()
        .filter(|r| r.kind == "loss")
        .count();
    let charges = charges.load(SeqCst);
    println!("20 orders, {lost} replies of the bank lost: {served} served, {charges} charges");
    println!(
        "one order more, which asked for an outage: {}, come back in {} s",
        asked.status(),
        wait.unwrap_or("?")
    );
    println!("(more charges than orders: a retry wants an idempotency key)");
    let taught = served == 20 && lost > 0 && charges as usize == 20 + lost;
    let outage = asked.status() == StatusCode::SERVICE_UNAVAILABLE && wait == Some("2");
    (taught && outage)
        .then_some(())
        .ok_or("the lesson did not appear".into())
}

//! Charges over real sockets that lose replies: each is made once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::{Distribution, Probability, Scope, Seed};
use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
use murphy_policy::http::HttpClassify;
use murphy_policy::idempotency::MemoryStore;
use murphy_policy::{
    Backoff, BoxError, Budget, IdempotencyKeyLayer, IdempotencyLayer, RetryLayer, TimeoutLayer,
};
use tests::{SITE, ms};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};

const ORDERS: usize = 40;

/// The orders that were charged, and under which key.
type Charges = Arc<Mutex<Vec<(String, String)>>>;

async fn charge(State(charges): State<Charges>, headers: HeaderMap, order: String) -> String {
    tokio::time::sleep(ms(5)).await;
    let key = headers
        .get("idempotency-key")
        .map_or("", |key| key.to_str().unwrap());
    let mut charges = charges.lock().unwrap();
    charges.push((order.clone(), key.to_owned()));
    format!("charged {order} as number {}", charges.len())
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// What was charged, when `fault` strikes half of the calls and the handler lies beneath `layer`.
async fn run(fault: fn(Probability) -> Fault, is_idempotent: bool) -> Vec<(String, String)> {
    let charges = Charges::default();
    let router = Router::new().route("/pay", post(charge));
    let router = if is_idempotent {
        router.layer(IdempotencyLayer::new().required())
    } else {
        router
    };
    let address = serve(router.with_state(Arc::clone(&charges))).await;

    let chaos = Chaos::new(Seed::new(17));
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let retry = RetryLayer::new()
        .attempts(40)
        .unwrap()
        .budget(Budget::unlimited())
        .classify(HttpClassify::new())
        .pace(Backoff::none());
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(retry)
        .layer(TimeoutLayer::new(ms(250)))
        .layer(chaos.site(SITE).layer().duplicating())
        .map_err(BoxError::from)
        .service(http);
    let plan = Plan::new().with(SITE, fault(Probability::try_new(0.5).unwrap()));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let mut calls = JoinSet::new();
    for n in 0..ORDERS {
        let request = Request::post(format!("http://{address}/pay"));
        let request = request.body(Full::from(format!("order {n}"))).unwrap();
        // Each order's fate is its own, whatever the schedule.
        let scope = Scope::current().with_key(n as u64);
        calls.spawn(scope.enter(client.clone().oneshot(request)));
    }
    while let Some(reply) = calls.join_next().await {
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"charged order "), "{body:?}");
    }
    assert!(!armed.ledger().records().is_empty(), "nothing went wrong");
    let charges = charges.lock().unwrap();
    charges.clone()
}

fn assert_each_once(mut charges: Vec<(String, String)>) {
    assert_eq!(charges.len(), ORDERS);
    charges.sort_by(|a, b| a.1.cmp(&b.1));
    charges.dedup_by(|a, b| a.1 == b.1);
    assert_eq!(charges.len(), ORDERS, "each under a key of its own");
    charges.sort();
    charges.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(charges.len(), ORDERS, "each order");
}

#[tokio::test]
async fn lost_replies_charge_once() {
    assert_each_once(run(Fault::lost_reply, true).await);
}

#[tokio::test]
async fn without_the_server_they_charge_again() {
    let charges = run(Fault::lost_reply, false).await;
    assert!(charges.len() > ORDERS, "{}", charges.len());
}

#[tokio::test]
async fn copies_on_the_wire_charge_once() {
    let at_once = |p| Fault::duplicate(Distribution::fixed(ms(0)), p);
    assert_each_once(run(at_once, true).await);
}

/// The client's timeout ends before the handler does, each time: the connection is closed, and the
/// server drops what it was doing. The work goes on, and the last attempt gets its reply.
#[tokio::test]
async fn a_client_that_hangs_up_finds_its_work_done() {
    let runs = Arc::new(Mutex::new(0));
    let counts = Arc::clone(&runs);
    let slow = post(move || async move {
        *counts.lock().unwrap() += 1;
        tokio::time::sleep(ms(400)).await;
        "done"
    });
    let store = MemoryStore::new();
    let layer = IdempotencyLayer::with(store.clone());
    let address = serve(Router::new().route("/", slow).layer(layer)).await;
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let retry = RetryLayer::new()
        .attempts(100)
        .unwrap()
        .budget(Budget::unlimited())
        .classify(HttpClassify::new())
        .pace(Backoff::none());
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(retry)
        .layer(TimeoutLayer::new(ms(100)))
        .map_err(BoxError::from)
        .service(http);
    let request = Request::post(format!("http://{address}/"));
    let reply = client.oneshot(request.body(Full::default()).unwrap()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.headers()["idempotent-replayed"], "true");
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "done");
    assert_eq!((*runs.lock().unwrap(), store.len()), (1, 1));
}

/// The server does not wait as long as its handler takes: repeats are told to come again, and do.
#[tokio::test]
async fn a_repeat_that_is_told_to_come_again_does() {
    let slow = post(|| async {
        tokio::time::sleep(ms(400)).await;
        "done"
    });
    let layer = IdempotencyLayer::new().patience(ms(20));
    let address = serve(Router::new().route("/", slow).layer(layer)).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = Arc::clone(&told);
    let retry = RetryLayer::new()
        .attempts(100)
        .unwrap()
        .budget(Budget::unlimited())
        .classify(HttpClassify::new())
        .longest_hint(ms(30))
        .pace(Backoff::none());
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(retry)
        .layer(TimeoutLayer::new(ms(200)))
        .map_response(move |reply: http::Response<_>| {
            tells.lock().unwrap().push(reply.status().as_u16());
            reply
        })
        .map_err(BoxError::from)
        .service(http);
    let request = Request::post(format!("http://{address}/"));
    let reply = client.oneshot(request.body(Full::default()).unwrap()).await;
    assert_eq!(reply.unwrap().headers()["idempotent-replayed"], "true");
    let told = told.lock().unwrap();
    let (last, before) = told.split_last().unwrap();
    assert_eq!(*last, 200);
    assert!(!before.is_empty() && before.iter().all(|status| *status == 409));
}

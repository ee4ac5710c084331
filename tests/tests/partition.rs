//! Every verb of a network over a service in memory, and over real sockets: which legs pass, what
//! the caller sees, what the ledger says.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};
use tests::grid::each_verb_holds;
use tests::{Arrivals, ms, web};
use tokio::task::JoinSet;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

#[tokio::test(start_paused = true)]
async fn each_verb_holds_in_virtual_time() {
    let chaos = Chaos::new(Seed::new(42));
    let arrivals = Arrivals::default();
    let wire = |site: &str| {
        let noted = arrivals.clone();
        let service = service_fn(move |order: u64| {
            let charged = noted.note(order);
            async move {
                tokio::time::sleep(ms(10)).await;
                Ok::<_, BoxError>(charged)
            }
        });
        chaos.site(site).layer().layer(service)
    };
    each_verb_holds(&chaos, &arrivals, wire, |n| n).await;
}

/// A server on loopback that notes who came: a client of it, and its address.
async fn server(
    arrivals: &Arrivals,
) -> (
    impl Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static,
    String,
) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let charge = async |State(arrivals): State<Arrivals>, request: axum::extract::Request| {
        let charged = arrivals.note(web::order(request.uri()));
        web::reply::<axum::body::Body>(charged)
    };
    let router = Router::new()
        .route("/charge/{order}", get(charge))
        .with_state(arrivals.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::builder(TokioExecutor::new()).build_http();
    let wire = service_fn(move |request: Request<Bytes>| {
        let reply = client.request(request.map(Full::new));
        async move {
            let (head, body) = reply.await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(head, body))
        }
    });
    (wire, address)
}

#[tokio::test]
async fn each_verb_holds_over_hyper_and_axum_on_loopback() {
    let chaos = Chaos::new(Seed::new(42));
    let arrivals = Arrivals::default();
    let (wire, address) = server(&arrivals).await;
    let layered = |site: &str| chaos.site(site).layer().layer(wire.clone());
    let ask = |n| web::ask::<Bytes>(&address, n);
    each_verb_holds(&chaos, &arrivals, layered, ask).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_held_arrives_over_sockets_when_it_is_released() {
    let chaos = Chaos::new(Seed::new(42));
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let arrivals = Arrivals::default();
    let (wire, address) = server(&arrivals).await;
    let service = chaos.site("api->payments").layer().layer(wire);
    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let held = network.hold(["api"], ["payments"]).unwrap();
    let mut callers = JoinSet::new();
    for n in 0..50 {
        callers.spawn(service.clone().oneshot(web::ask(&address, n)));
    }
    while armed.ledger().records().len() < 50 {
        tokio::time::sleep(ms(5)).await;
    }
    assert_eq!(arrivals.take(), [0; 0]);
    held.release();
    while let Some(reply) = callers.join_next().await {
        reply.unwrap().unwrap();
    }
    let mut all = arrivals.take();
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    // Nothing is in the way of those who come later.
    service.oneshot(web::ask(&address, 50)).await.unwrap();
    assert_eq!(armed.ledger().records().len(), 50);
}

//! Deadlines and body timeouts over real sockets: what is left goes out, a server begins nothing that
//! nobody waits for, and a body that stalls ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::Scope;
use murphy_policy::deadline::{HEADER, SendDeadlineLayer, ServerDeadlineLayer};
use murphy_policy::timeout::{BodyTimeoutLayer, Idle};
use murphy_policy::{BoxError, DeadlineLayer, find};
use tests::ms;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tower::limit::ConcurrencyLimitLayer;
use tower::{ServiceBuilder, ServiceExt};

mod pb {
    #![expect(
        unreachable_pub,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/payments.rs"));
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn ask(address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}{path}"))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn what_is_left_goes_from_hop_to_hop() {
    let left = |_: Request<Body>| async {
        let deadline = Scope::current().deadline();
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()).as_millis());
        format!("{}", left.unwrap_or(0))
    };
    let last = Router::new()
        .fallback(left)
        .layer(ServerDeadlineLayer::new(Duration::MAX));
    let last = serve(last).await;
    // The one in between takes 50 ms, and asks the last.
    let between = move |_: Request<Body>| async move {
        sleep(ms(50)).await;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let client = ServiceBuilder::new()
            .layer(SendDeadlineLayer::new())
            .service(client);
        client.oneshot(ask(last, "/")).await.unwrap().map(Body::new)
    };
    let between = Router::new()
        .fallback(between)
        .layer(ServerDeadlineLayer::new(Duration::MAX));
    let between = serve(between).await;
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(2)))
        .layer(SendDeadlineLayer::new())
        .map_err(BoxError::from)
        .service(Client::builder(TokioExecutor::new()).build_http());
    let reply = client.oneshot(ask(between, "/")).await.unwrap();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    let left: u64 = std::str::from_utf8(&body).unwrap().parse().unwrap();
    assert!((500..=1950).contains(&left), "{left}");
}

#[tokio::test]
async fn a_server_with_a_queue_begins_nothing_that_nobody_waits_for() {
    let began = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&began);
    let handler = move |_: Request<Body>| {
        counted.fetch_add(1, SeqCst);
        async {
            sleep(ms(300)).await;
            "done"
        }
    };
    // One at a time, the others in a queue beneath the deadline.
    let queue = ServiceBuilder::new()
        .layer(ServerDeadlineLayer::new(Duration::MAX).let_finish())
        .layer(ConcurrencyLimitLayer::new(1));
    let router = Router::new().route_service(
        "/",
        queue.service(Router::new().fallback(handler).into_service::<Body>()),
    );
    let address = serve(router).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let calls = (0..5).map(|_| {
        let mut request = ask(address, "/");
        request.headers_mut().insert(HEADER, "150".parse().unwrap());
        client.request(request)
    });
    let replies = futures_util::future::join_all(calls).await;
    let statuses: Vec<_> = replies.into_iter().map(|r| r.unwrap().status()).collect();
    let late = statuses
        .iter()
        .filter(|s| **s == StatusCode::GATEWAY_TIMEOUT)
        .count();
    assert_eq!((late, began.load(SeqCst)), (4, 1), "{statuses:?}");
}

#[tokio::test]
async fn hostile_deadlines_are_as_good_as_missing() {
    let router = Router::new().route("/", get(async || "served"));
    let address = serve(router.layer(ServerDeadlineLayer::new(Duration::from_secs(5)))).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    for (value, want) in [
        ("", 200),
        ("+5", 200),
        ("-1", 200),
        ("1.0", 200),
        ("5S", 200),
        ("999999999", 200),
        ("99999999", 200),
        ("0", 504),
    ] {
        let mut request = ask(address, "/");
        request.headers_mut().insert(HEADER, value.parse().unwrap());
        let reply = client.request(request).await.unwrap();
        assert_eq!(reply.status(), want, "{value}");
    }
}

/// Takes as many milliseconds as are ordered.
struct Slow;

#[tonic::async_trait]
impl pb::payments_server::Payments for Slow {
    async fn charge(
        &self,
        order: tonic::Request<pb::Order>,
    ) -> Result<tonic::Response<pb::Receipt>, Status> {
        sleep(ms(order.get_ref().id)).await;
        Ok(tonic::Response::new(pb::Receipt { charged: 1 }))
    }
}

#[tokio::test]
async fn a_grpc_server_answers_that_the_deadline_was_exceeded() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .layer(ServerDeadlineLayer::new(Duration::from_secs(5)))
        .add_service(pb::payments_server::PaymentsServer::new(Slow));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    for (works, timeout, want) in [
        (1, Some("1S"), Ok(1)),
        (1000, Some("100m"), Err(Code::DeadlineExceeded)),
        (1, Some("0n"), Err(Code::DeadlineExceeded)),
        (1, None, Ok(1)),
        (1, Some("+5S"), Ok(1)),
    ] {
        // The client itself waits for as long as it takes.
        let raw = ServiceBuilder::new()
            .map_request(move |mut request: Request<tonic::body::Body>| {
                if let Some(timeout) = timeout {
                    let value = timeout.parse().unwrap();
                    request.headers_mut().insert("grpc-timeout", value);
                }
                request
            })
            .service(channel.clone());
        let mut client = pb::payments_client::PaymentsClient::new(raw);
        let reply = client.charge(pb::Order { id: works }).await;
        let got = reply.map(|r| r.get_ref().charged).map_err(|s| s.code());
        // tonic's own channel ends a call by the header as well, as cancelled or timed out.
        match (got, want) {
            (Err(Code::Cancelled), Err(Code::DeadlineExceeded)) => {}
            (got, want) => assert_eq!(got, want, "{timeout:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_stalls_ends_and_one_that_is_slow_does_not() {
    let slow = async || {
        let parts = stream::iter(0..6).then(|n| async move {
            sleep(ms(40)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![n; 100]))
        });
        Response::new(Body::from_stream(parts))
    };
    let stalls = async || {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from("first"))]);
        Response::new(Body::from_stream(first.chain(stream::pending())))
    };
    let router = Router::new()
        .route("/slow", get(slow))
        .route("/stalls", get(stalls));
    let address = serve(router).await;
    let client = ServiceBuilder::new()
        .layer(BodyTimeoutLayer::replies().idle(ms(150)))
        .service(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>());
    let reply = client.clone().oneshot(ask(address, "/slow")).await.unwrap();
    assert_eq!(
        reply.into_body().collect().await.unwrap().to_bytes().len(),
        600
    );
    let reply = client.oneshot(ask(address, "/stalls")).await.unwrap();
    let error = reply.into_body().collect().await.unwrap_err();
    assert_eq!(find::<Idle>(&*error).unwrap().allowed(), ms(150));
}

//! Stamps over real sockets: HTTP by axum and hyper, and gRPC, whose metadata are headers.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::HeaderName;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use murphy_core::clock::{Offset, Wall};
use murphy_core::order::{
    Hybrid, Lamport, LamportStamp, LogicalClock, NodeId, Vector, VersionVector,
};
use murphy_core::stamp::{Dropped, Header, StampLayer};
use murphy_core::{Clock, ManualClock};
use tests::ms;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tower::{Layer, Service, ServiceExt};

use pb::payments_client::PaymentsClient;
use pb::payments_server::{Payments, PaymentsServer};
use pb::{Order, Receipt};

mod pb {
    #![expect(
        unreachable_pub,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/payments.rs"));
}

const STAMP: &str = "murphy-stamp";

fn node(name: &str) -> NodeId {
    name.parse().expect("a name")
}

/// A server on loopback whose handler has events of its own.
async fn serve<L: LogicalClock + Clone + 'static>(
    clock: L,
    layer: StampLayer<L, Header>,
) -> String {
    let handler = |State(clock): State<L>| async move { clock.tick().to_string() };
    let router = Router::new()
        .route("/", get(handler))
        .with_state(clock)
        .layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

fn hyper() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn ask(uri: &str) -> Request {
    Request::get(uri).body(Body::empty()).expect("a request")
}

async fn text<B>(response: http::Response<B>) -> String
where
    B: axum::body::HttpBody<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .expect("a body");
    String::from_utf8(body.to_bytes().into()).expect("UTF-8")
}

/// What a request's handler does is after the request and before what the client does next.
async fn is_in_order<L: LogicalClock + Clone + 'static>(web: L, bank: L) {
    let uri = serve(
        bank.clone(),
        StampLayer::server(bank.clone(), Header::default()),
    )
    .await;
    let client = StampLayer::client(web.clone(), Header::default()).layer(hyper());
    let before = web.tick();
    let unrelated = bank.tick();
    let response = client.oneshot(ask(&uri)).await.expect("a response");
    let stamped = response.headers()[STAMP]
        .to_str()
        .expect("text")
        .parse::<L::Stamp>();
    let handled = text(response).await.parse::<L::Stamp>().expect("a stamp");
    let after = web.tick();
    assert!(before < handled && unrelated < handled);
    assert!(handled < stamped.clone().expect("a stamp") && stamped.expect("a stamp") < after);
}

#[tokio::test]
async fn stamps_cross_hyper_and_axum_and_keep_the_order_of_events() {
    is_in_order(Lamport::new(node("web")), Lamport::new(node("bank"))).await;
    is_in_order(Vector::new(node("web")), Vector::new(node("bank"))).await;
    // The server's time of day is a quarter of a second behind, the client's does not move.
    let (web, bank) = (ManualClock::new(), ManualClock::new());
    web.jump(Offset::ahead(ms(250)));
    is_in_order(
        Hybrid::over(web, node("web")),
        Hybrid::over(bank, node("bank")),
    )
    .await;
}

#[tokio::test]
async fn a_hostile_stamp_costs_a_count_and_not_the_call() {
    let (machine, name) = (ManualClock::new(), HeaderName::from_static("x-order"));
    let bank = Hybrid::over(machine.clone(), node("bank"));
    let layer = StampLayer::server(bank.clone(), Header::new(name.clone()));
    let uri = serve(bank.clone(), layer.clone()).await;
    let year_2100 = Wall::from_nanos(4_102_444_800_000_000_000).nanos();
    for value in [
        "".into(),
        "a".repeat(4_000),
        "5.0@web, 6.0@web".into(),
        "\u{fc}".into(),
        format!("{year_2100}.0@web"),
        format!("{}.{}@web", i64::MAX, u32::MAX),
    ] {
        let mut request = ask(&uri);
        let value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        request.headers_mut().insert(name.clone(), value);
        let response = hyper().request(request).await.expect("a response");
        assert!(response.status().is_success());
    }
    let mut twice = ask(&uri);
    twice
        .headers_mut()
        .append(name.clone(), "5.0@web".parse().expect("a value"));
    twice
        .headers_mut()
        .append(name.clone(), "6.0@web".parse().expect("a value"));
    assert!(
        hyper()
            .request(twice)
            .await
            .expect("a response")
            .status()
            .is_success()
    );
    assert_eq!(
        layer.dropped(),
        Dropped {
            unreadable: 5,
            refused: 2
        }
    );
    assert_eq!(bank.tick().wall(), machine.wall(), "nothing moved");
}

/// The types of a stack are the same with the layer and without it.
#[tokio::test]
async fn a_router_under_the_layer_is_still_a_router() {
    fn is_the_same<A, B>(_: &A, _: &B)
    where
        A: Service<Request>,
        B: Service<Request, Response = A::Response, Error = A::Error>,
    {
    }
    // What a service stamps by itself gives way: there is one clock here.
    let router = Router::new().route("/", get(|| async { ([(STAMP, "b=7")], "hello") }));
    let layer = StampLayer::server(Vector::new(node("a")), Header::default());
    is_the_same::<Router, _>(&router, &layer.layer(router.clone()));
    let stamped: Router = router.layer(layer);
    let reply: Result<Response, Infallible> = stamped.oneshot(ask("/")).await;
    let Ok(reply) = reply;
    let stamps: Vec<_> = reply.headers().get_all(STAMP).iter().collect();
    assert_eq!(stamps, ["a=1"]);
}

#[derive(Debug)]
struct Charging(Lamport);

#[tonic::async_trait]
impl Payments for Charging {
    async fn charge(
        &self,
        request: tonic::Request<Order>,
    ) -> Result<tonic::Response<Receipt>, Status> {
        let charged = self.0.tick().count();
        match request.get_ref().id {
            0 => Err(Status::not_found("no order 0")),
            _ => Ok(tonic::Response::new(Receipt { charged })),
        }
    }
}

#[tokio::test]
async fn stamps_are_metadata_of_grpc_calls_failed_ones_too() {
    let (web, bank) = (Lamport::new(node("web")), Lamport::new(node("bank")));
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = incoming.local_addr().expect("an address");
    let server = Server::builder()
        .layer(StampLayer::server(bank.clone(), Header::default()))
        .add_service(PaymentsServer::new(Charging(bank.clone())));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URI");
    let channel = endpoint.connect().await.expect("a connection");
    let layer = StampLayer::client(web.clone(), Header::default());
    let mut client = PaymentsClient::new(layer.layer(channel));

    // web 1; bank 2, 3 in the handler, 4 in its reply; web 5.
    let reply = client.charge(Order { id: 7 }).await.expect("a receipt");
    let stamp = reply
        .metadata()
        .get(STAMP)
        .expect("a stamp")
        .to_str()
        .expect("text");
    assert_eq!((stamp, reply.get_ref().charged), ("4@bank", 3));
    assert_eq!(web.tick(), LamportStamp::new(6, node("web")));

    let error = client
        .charge(Order { id: 0 })
        .await
        .expect_err("no such order");
    assert_eq!(error.code(), Code::NotFound);
    assert!(
        web.tick() > bank.tick(),
        "a status is a response, and brings its stamp"
    );
}

#[tokio::test]
async fn the_longest_vector_fits_into_a_header() {
    let most = VersionVector::MOST_NODES;
    let entries = (1..most).map(|n| format!("{n:036}={}", u64::MAX / 2));
    let longest = entries
        .collect::<Vec<_>>()
        .join(",")
        .parse()
        .expect("a vector");
    let (web, bank) = (Vector::new(node("web")), Vector::new(node("web")));
    web.observe(&longest).expect("room for one more");
    let layer = StampLayer::server(bank.clone(), Header::default());
    let uri = serve(bank.clone(), layer.clone()).await;
    let client = StampLayer::client(web.clone(), Header::default()).layer(hyper());
    let response = client.oneshot(ask(&uri)).await.expect("a response");
    assert!(response.status().is_success());
    assert_eq!(layer.dropped(), Dropped::default());
    assert!(bank.tick() > longest);
}

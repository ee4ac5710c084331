//! The layer above and beneath a generated gRPC client, and before a generated server; all over
//! loopback TCP, with code that was generated without `protoc`.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::HeaderValue;
use murphy_core::{Draw, Probability, Seed};
use murphy_fault::{Chaos, Fault, FaultLayer, Marker, Plan, TimeLimit, marker, refuse};
use tests::{Arrivals, Called, Row, SITE, Saw, each_row_holds, ms, rows};
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::{Layer, service_fn};

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

/// Metadata that hooks corrupt a message through: what is asked or charged in addition.
const MORE: &str = "more";

#[derive(Debug)]
struct Charging(Arrivals);

#[tonic::async_trait]
impl Payments for Charging {
    async fn charge(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let more = more(request.metadata());
        let charged = self.0.note(request.get_ref().id + more);
        tokio::time::sleep(ms(10)).await;
        Ok(Response::new(Receipt { charged }))
    }
}

fn more(metadata: &tonic::metadata::MetadataMap) -> u64 {
    let text = metadata.get(MORE).map(|v| v.to_str().unwrap());
    text.map_or(0, |n| n.parse().unwrap())
}

async fn listen() -> (TcpIncoming, SocketAddr) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    (incoming, address)
}

async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

/// A server without faults, and a channel to it.
async fn plain(arrivals: &Arrivals) -> Channel {
    let (incoming, address) = listen().await;
    let payments = PaymentsServer::new(Charging(arrivals.clone()));
    let server = Server::builder().add_service(payments);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    connect(address).await
}

fn alter_request(request: &mut http::Request<Body>, _: Draw) {
    request.headers_mut().insert(MORE, HeaderValue::from(100));
}

fn alter_reply(response: &mut http::Response<Body>, _: Draw) {
    response.headers_mut().insert(MORE, HeaderValue::from(1000));
}

/// Where nothing but an HTTP response can be made, a status goes into one.
fn refuse_in_http<E>(marker: &Marker) -> Result<http::Response<Body>, E> {
    let status = match refuse::grpc::<Infallible>(Code::Unavailable)(marker) {
        Ok(never) => match never {},
        Err(status) => status,
    };
    Ok(status.into_http())
}

fn saw_from_afar(reply: Result<Response<Receipt>, Status>) -> Saw {
    match reply {
        Ok(reply) => Saw::Reply(reply.get_ref().charged + more(reply.metadata())),
        Err(status) => {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert!(status.message().contains("injected"), "{status:?}");
            Saw::Refusal
        }
    }
}

#[tokio::test]
async fn above_a_generated_client() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let client = PaymentsClient::new(plain(&arrivals).await);
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::grpc(Code::Unavailable))
        .altering_requests(|order: &mut Order, _| order.id += 100)
        .altering_replies(|receipt: &mut Response<Receipt>, _| receipt.get_mut().charged += 1000)
        .layer(service_fn(move |order: Order| {
            let mut client = client.clone();
            async move { client.charge(order).await }
        }));
    let saw = |reply: Result<Response<Receipt>, Status>| match reply {
        Ok(receipt) => Saw::Reply(receipt.get_ref().charged),
        Err(status) => {
            let marker = marker(&status).expect("the marker is kept");
            assert_eq!((&*marker.site, marker.seed), (SITE, Seed::new(42)));
            Saw::Refusal
        }
    };
    each_row_holds(rows(), &chaos, service, &arrivals, |id| Order { id }, saw).await;
}

#[tokio::test]
async fn beneath_a_generated_client() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let channel = chaos
        .site(SITE)
        .layer()
        .refusing(refuse_in_http)
        .altering_requests(alter_request)
        .altering_replies(alter_reply)
        .layer(plain(&arrivals).await);
    let client = PaymentsClient::new(channel);
    let service = service_fn(move |id| {
        let mut client = client.clone();
        async move { client.charge(Order { id }).await }
    });
    // A body that is streamed cannot be copied.
    let known = |row: &Row| !row.is(&["duplicate"]);
    let rows = rows().into_iter().filter(known);
    each_row_holds(rows, &chaos, service, &arrivals, |id| id, saw_from_afar).await;
}

#[tokio::test]
async fn before_a_generated_server() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let layer = chaos
        .site(SITE)
        .layer()
        .refusing(refuse_in_http)
        .altering_requests(alter_request)
        .altering_replies(alter_reply);
    let (incoming, address) = listen().await;
    let payments = PaymentsServer::new(Charging(arrivals.clone()));
    let server = Server::builder().layer(layer).add_service(payments);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });

    let client = PaymentsClient::new(connect(address).await);
    let service = service_fn(move |id| {
        let mut client = client.clone();
        async move { client.charge(Order { id }).await }
    });
    // A caller that leaves at once may do so before its request has.
    let known = |row: &Row| !row.is(&["duplicate"]) && row.called != Called::Left;
    let rows = rows().into_iter().filter(known);
    each_row_holds(rows, &chaos, service, &arrivals, |id| id, saw_from_afar).await;
}

/// A generated server is a service by itself, in front of which the layer goes as well.
#[tokio::test(start_paused = true)]
async fn a_generated_server_as_a_service() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let layer: FaultLayer = chaos.site(SITE).layer();
    let server = layer.layer(PaymentsServer::new(Charging(arrivals.clone())));
    let mut client = PaymentsClient::new(server);
    let plan = Plan::new().with(SITE, Fault::lost_reply(Probability::ALWAYS));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let silence = tokio::time::timeout(ms(5), client.charge(Order { id: 7 })).await;
    assert!(silence.is_err());
    tests::quiet(&armed.ledger()).await;
    assert_eq!(arrivals.take(), [7]);
    drop(armed);
    assert_eq!(
        client
            .charge(Order { id: 8 })
            .await
            .unwrap()
            .get_ref()
            .charged,
        8
    );
}

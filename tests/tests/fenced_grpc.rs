//! A guard before a gRPC server, and a fenced client of it: the token is metadata, a refusal a status.

use murphy_lease::FencingToken;
use murphy_lease::fence::{
    FENCING_TOKEN_CURRENT, FenceGuardLayer, Fenced, FencedLayer, FencedStore, FencedStoreError,
    Headers, MemoryFenced, current_rank,
};
use tests::fenced::{Held, token};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::Layer;

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

struct Charging;

#[tonic::async_trait]
impl Payments for Charging {
    async fn charge(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let token = request.extensions().get::<FencingToken>();
        let token = token.ok_or_else(|| Status::internal("no token"))?;
        let charged = token.rank().seq;
        Ok(Response::new(Receipt { charged }))
    }
}

/// Its store decides.
struct Writing(MemoryFenced<u64>);

#[tonic::async_trait]
impl Payments for Writing {
    async fn charge(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let token = request.extensions().get::<FencingToken>();
        let token = token.ok_or_else(|| Status::internal("no token"))?;
        let charged = request.get_ref().id;
        match self.0.write("alice", token, charged).await {
            Ok(_) => Ok(Response::new(Receipt { charged })),
            Err(FencedStoreError::Refused(refused)) => {
                let refused = refused.grpc_response::<()>();
                Err(Status::from_header_map(refused.headers()).expect("it has a status"))
            }
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

/// A server behind a guard, and a channel to it.
async fn guarded() -> Channel {
    let guard = FenceGuardLayer::serialize(|request| request.uri.path().to_owned());
    let (incoming, channel) = wire();
    let server = Server::builder()
        .layer(guard)
        .add_service(PaymentsServer::new(Charging));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    channel
}

fn wire() -> (TcpIncoming, Channel) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    (incoming, endpoint.connect_lazy())
}

fn holder(channel: &Channel, held: Held) -> PaymentsClient<Fenced<Channel, Held, Headers>> {
    PaymentsClient::new(FencedLayer::new(held).layer(channel.clone()))
}

#[tokio::test]
async fn a_stale_holder_gets_a_status_and_the_rank() {
    let channel = guarded().await;
    let (older, newer) = (Held::new(token(33, 1)), Held::new(token(34, 2)));
    let mut older = holder(&channel, older);
    let mut newer = holder(&channel, newer);
    for (client, want) in [(&mut older, 33), (&mut newer, 34)] {
        let receipt = client.charge(Order { id: 1 }).await.unwrap();
        assert_eq!(receipt.get_ref().charged, want);
    }
    let stale = older.charge(Order { id: 1 }).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition, "{stale:?}");
    let current = stale.metadata().get(FENCING_TOKEN_CURRENT.as_str());
    assert_eq!(current.unwrap(), "era=0;seq=34");
}

#[tokio::test]
async fn passed_through_the_handlers_store_refuses_in_the_same_words() {
    let (incoming, channel) = wire();
    let server = Server::builder()
        .layer(FenceGuardLayer::pass_through())
        .add_service(PaymentsServer::new(Writing(MemoryFenced::new())));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    let mut older = holder(&channel, Held::new(token(33, 1)));
    let mut newer = holder(&channel, Held::new(token(34, 2)));
    for client in [&mut older, &mut newer] {
        client.charge(Order { id: 1 }).await.unwrap();
    }
    let stale = older.charge(Order { id: 1 }).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition, "{stale:?}");
    assert_eq!(stale.message(), "the fencing token is stale");
    let metadata = stale.metadata().clone().into_headers();
    assert_eq!(current_rank(&metadata), Ok(Some(token(34, 2).rank())));
}

#[tokio::test]
async fn without_a_token_and_without_a_lease_nothing_is_charged() {
    let channel = guarded().await;
    let mut bare = PaymentsClient::new(channel.clone());
    let missing = bare.charge(Order { id: 1 }).await.unwrap_err();
    assert_eq!(missing.code(), Code::FailedPrecondition);
    assert_eq!(missing.message(), "fencing-token is missing");
    let mut malformed = Request::new(Order { id: 1 });
    let odd = "34".parse().unwrap();
    malformed.metadata_mut().insert("fencing-token", odd);
    let malformed = bare.charge(malformed).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    let held = Held::new(token(34, 2));
    held.lose();
    let lost = holder(&channel, held).charge(Order { id: 1 }).await;
    assert!(lost.unwrap_err().message().contains("is lost"));
}

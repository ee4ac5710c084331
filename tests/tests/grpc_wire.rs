//! What `.grpc()` can do beneath generated clients and before generated servers: statuses of any
//! code with metadata, streams that are cut between messages, lost trailers.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use murphy_core::{Probability, Seed};
use murphy_fault::{
    After, BodyFault, Chaos, Effect, Fault, GrpcCode, HttpStatus, Leg, Plan, TimeLimit, marker,
};
use tests::{SITE, ms};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::Layer;

use pb::statements_client::StatementsClient;
use pb::statements_server::{Statements, StatementsServer};
use pb::{Line, Span};

mod pb {
    #![expect(
        unreachable_pub,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/statements.rs"));
}

const ALWAYS: Probability = Probability::ALWAYS;

/// Lists lines, and tells how far a client's stream came, and how that ended.
#[derive(Clone, Debug)]
struct Bank(mpsc::UnboundedSender<Counted>);

/// `None` of a stream whose end nobody awaited: a server is dropped with its stream.
type Counted = (u64, Option<Result<(), Code>>);

struct Counting {
    counted: Counted,
    tell: mpsc::UnboundedSender<Counted>,
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _ = self.tell.send(self.counted);
    }
}

#[tonic::async_trait]
impl Statements for Bank {
    type ListStream = std::pin::Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

    async fn list(&self, request: Request<Span>) -> Result<Response<Self::ListStream>, Status> {
        let lines = (1..=request.get_ref().n).map(|n| Ok(Line { n }));
        Ok(Response::new(stream::iter(lines).boxed()))
    }

    async fn count(&self, request: Request<Streaming<Line>>) -> Result<Response<Span>, Status> {
        let mut lines = request.into_inner();
        let (counted, tell) = ((0, None), self.0.clone());
        let mut counting = Counting { counted, tell };
        let end = loop {
            match lines.message().await {
                Ok(Some(_)) => counting.counted.0 += 1,
                Ok(None) => break Ok(()),
                Err(status) => break Err(status.code()),
            }
        };
        counting.counted.1 = Some(end);
        let n = counting.counted.0;
        Ok(Response::new(Span { n }))
    }
}

/// On which side of the wire the layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Client,
    Server,
}

type Client = StatementsClient<
    tower::util::BoxCloneService<
        http::Request<tonic::body::Body>,
        http::Response<tonic::body::Body>,
        tonic::transport::Error,
    >,
>;

async fn client(chaos: &Chaos, side: Side, bank: Bank) -> Client {
    let off = Chaos::off();
    let (here, there) = match side {
        Side::Client => (chaos, &off),
        Side::Server => (&off, chaos),
    };
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address: SocketAddr = incoming.local_addr().unwrap();
    let layer = there.site(SITE).layer().grpc();
    let server = Server::builder()
        .layer(layer)
        .add_service(StatementsServer::new(bank));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel: Channel = endpoint.connect().await.unwrap();
    let channel = here.site(SITE).layer().grpc().layer(channel);
    StatementsClient::new(tower::util::BoxCloneService::new(channel))
}

fn arm(chaos: &Chaos, fault: Fault) -> murphy_fault::Armed {
    chaos
        .arm(&Plan::new().with(SITE, fault), TimeLimit::None)
        .unwrap()
}

/// How many lines of five came, and how that ended.
async fn list(client: &mut Client) -> (u64, Result<(), Option<Status>>) {
    let mut lines = match client.list(Span { n: 5 }).await {
        Ok(reply) => reply.into_inner(),
        Err(status) => return (0, Err(Some(status))),
    };
    let mut came = 0;
    loop {
        match timeout(ms(400), lines.message()).await {
            Err(_) => return (came, Err(None)),
            Ok(Ok(Some(line))) => {
                came += 1;
                assert_eq!(line.n, came);
            }
            Ok(Ok(None)) => return (came, Ok(())),
            Ok(Err(status)) => return (came, Err(Some(status))),
        }
    }
}

#[tokio::test]
async fn a_fault_names_any_code_and_metadata() {
    for side in [Side::Client, Side::Server] {
        let chaos = Chaos::new(Seed::new(42));
        let mut client = client(&chaos, side, Bank(mpsc::unbounded_channel().0)).await;
        for number in 1..=16 {
            let code = Code::from_i32(number);
            let fault = Fault::refused(ALWAYS).code(code).retry_after(ms(1500));
            let _armed = arm(&chaos, fault.try_header("x-drill", "7").unwrap());
            let status = client.list(Span { n: 1 }).await.unwrap_err();
            let metadata = |key| status.metadata().get(key).map(|v| v.to_str().unwrap());
            assert_eq!(status.code(), code, "{side:?}");
            assert_eq!(metadata("x-drill"), Some("7"), "{side:?}");
            assert_eq!(metadata("grpc-retry-pushback-ms"), Some("1500"), "{side:?}");
            assert!(
                status.message().contains("injected fault `refused`"),
                "{status:?}"
            );
        }
        for (fault, code) in [
            (Fault::refused(ALWAYS), Code::Unavailable),
            // As of a proxy in between, which speaks HTTP.
            (
                Fault::refused(ALWAYS).status(HttpStatus::TOO_MANY_REQUESTS),
                Code::Unavailable,
            ),
            (
                Fault::refused_after_work(ALWAYS).code(GrpcCode::DataLoss),
                Code::DataLoss,
            ),
            (
                Fault::lost_request(ALWAYS)
                    .giving_up(ms(20))
                    .code(GrpcCode::Aborted),
                Code::Aborted,
            ),
        ] {
            let _armed = arm(&chaos, fault);
            let (_, end) = list(&mut client).await;
            let status = end.unwrap_err().expect("a status");
            assert_eq!(status.code(), code, "{side:?}: {status:?}");
        }
        assert_eq!(list(&mut client).await.0, 5, "nothing is left of it");
    }
}

#[tokio::test]
async fn a_stream_is_cut_between_messages() {
    for side in [Side::Client, Side::Server] {
        let chaos = Chaos::new(Seed::new(42));
        let mut client = client(&chaos, side, Bank(mpsc::unbounded_channel().0)).await;
        for what in [BodyFault::Stall, BodyFault::Truncate, BodyFault::Reset] {
            let effect = Effect::Body {
                leg: Leg::Reply,
                what,
                after: After::Messages(2),
            };
            let _armed = arm(&chaos, Fault::new(effect, ALWAYS));
            let (came, end) = list(&mut client).await;
            assert_eq!(came, 2, "{side:?}, {what:?}: {end:?}");
            match (what, end) {
                (BodyFault::Stall, Err(None)) => {}
                // tonic takes an end without a status for a good one: it cannot be told.
                (BodyFault::Truncate, Ok(())) => {}
                (BodyFault::Reset, Err(Some(status))) => {
                    let injected = marker(&status).map(|m| &*m.fault);
                    let want = match side {
                        Side::Client => (Code::Unavailable, Some("reset-reply")),
                        // As of any peer that resets its stream.
                        Side::Server => (Code::Internal, None),
                    };
                    assert_eq!((status.code(), injected), want, "{status:?}");
                }
                other => panic!("{side:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn lost_trailers_lose_the_status() {
    for side in [Side::Client, Side::Server] {
        let chaos = Chaos::new(Seed::new(42));
        let mut client = client(&chaos, side, Bank(mpsc::unbounded_channel().0)).await;
        let _armed = arm(&chaos, Fault::lost_trailers(Leg::Reply, ALWAYS));
        let (came, end) = list(&mut client).await;
        // As a stream that is over: whatever its status said, tonic does not miss it.
        assert!(came == 5 && end.is_ok(), "{side:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_clients_stream_is_cut_between_messages() {
    for side in [Side::Client, Side::Server] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let chaos = Chaos::new(Seed::new(42));
        let mut client = client(&chaos, side, Bank(tell)).await;
        let fault = Fault::reset_body(Leg::Request, After::Messages(2), ALWAYS);
        let _armed = arm(&chaos, fault);
        let lines = stream::iter((1..=5).map(|n| Line { n }));
        let call = client.count(lines);
        let _ = timeout(Duration::from_secs(20), call)
            .await
            .expect("an end");
        let told = timeout(Duration::from_secs(20), told.recv()).await;
        let (came, end) = told.expect("a server").expect("that tells");
        match side {
            Side::Client => assert!(end != Some(Ok(())), "{end:?}"),
            Side::Server => assert_eq!((came, end), (2, Some(Err(Code::Unavailable)))),
        }
        assert!(came <= 2, "{came}");
    }
}

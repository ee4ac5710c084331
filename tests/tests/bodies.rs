//! Bodies that stop, over loopback: HTTP/1 and HTTP/2, by either side, on either leg. What the other
//! side sees is what it sees of a peer that really breaks off at the same byte.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use murphy_core::{Probability, Seed};
use murphy_fault::{After, BodyFault, Chaos, Effect, Fault, Leg, Outcome, Plan, TimeLimit, marker};
use tests::broken::{self, FRAMINGS, Framing, PASSES, WHOLE};
use tests::{SITE, ms};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt};

const HOWS: [BodyFault; 3] = [BodyFault::Stall, BodyFault::Truncate, BodyFault::Reset];

/// What a reader saw: how much, and how it ended.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    bytes: Bytes,
    end: End,
}

#[derive(Clone, Debug, PartialEq)]
enum End {
    Clean,
    Silence,
    /// As the library says it, addresses left out.
    Error(String),
    /// The fault's own, where the reader is on our side of the wire.
    Marked,
}

/// Reads to the end, and tells the sender once what passes is here.
async fn read<B>(mut body: B, heard: Option<oneshot::Sender<()>>) -> Seen
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let (mut bytes, mut heard) = (Vec::new(), heard);
    let end = loop {
        match timeout(ms(400), body.frame()).await {
            Err(_) => break End::Silence,
            Ok(None) => break End::Clean,
            Ok(Some(Ok(frame))) => bytes.extend(frame.into_data().unwrap_or_default()),
            Ok(Some(Err(e))) => {
                let e: BoxError = e.into();
                break match marker(&*e) {
                    Some(marker) => {
                        assert_eq!(&*marker.site, SITE);
                        End::Marked
                    }
                    None => End::Error(root(&*e)),
                };
            }
        }
        if bytes.len() >= PASSES {
            heard.take().map(|heard| heard.send(()));
        }
    };
    let bytes = bytes.into();
    Seen { bytes, end }
}

/// The innermost cause: the layers of boxes around it differ from client to client.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let next = std::iter::successors(Some(error), |e| e.source());
    let last = next.last().map(|e| e as &dyn Debug);
    last.map_or_else(String::new, |e| format!("{e:?}"))
}

fn passed() -> Bytes {
    Bytes::from_static(&WHOLE[..PASSES])
}

/// Ten bytes, whose length is announced or not.
fn whole(framing: Framing) -> Body {
    let frame = |chunk: &'static [u8]| Ok::<_, BoxError>(http_body::Frame::data(chunk.into()));
    match framing.is_announced() {
        true => Body::new(Full::new(Bytes::from_static(WHOLE))),
        false => Body::new(StreamBody::new(futures_util::stream::iter([
            frame(&WHOLE[..3]),
            frame(&WHOLE[3..]),
        ]))),
    }
}

fn fault(leg: Leg, what: BodyFault) -> Fault {
    let after = After::Bytes(PASSES as u64);
    Fault::new(Effect::Body { leg, what, after }, Probability::ALWAYS)
}

fn client(framing: Framing) -> Client<HttpConnector, Body> {
    let mut builder = Client::builder(TokioExecutor::new());
    // What the connection knows is not reported under a retry.
    builder.retry_canceled_requests(false);
    builder.http2_only(framing.is_h2()).build_http()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn ask(address: impl std::fmt::Display, body: Body) -> Request<Body> {
    let request = Request::post(format!("http://{address}/"));
    request.body(body).unwrap()
}

fn armed(chaos: &Chaos, fault: Fault) -> murphy_fault::Armed {
    let plan = Plan::new().with(SITE, fault);
    chaos.arm(&plan, TimeLimit::None).unwrap()
}

/// A server that replies with the whole body, under a layer.
async fn replying(chaos: &Chaos, framing: Framing) -> SocketAddr {
    let reply = move || async move { Response::new(whole(framing)) };
    let layer = chaos.site(SITE).layer().http();
    serve(Router::new().route("/", any(reply).layer(layer))).await
}

#[tokio::test]
async fn a_client_sees_a_reply_break_as_from_a_broken_server() {
    for framing in FRAMINGS {
        for how in HOWS {
            let name = format!("{framing:?}, {how:?}");
            let chaos = Chaos::new(Seed::new(42));
            let address = replying(&chaos, framing).await;
            let armed = armed(&chaos, fault(Leg::Reply, how));
            let reply = client(framing).request(ask(address, Body::empty())).await;
            let injected = read(reply.expect(&name).into_body(), None).await;

            let (heard, hears) = oneshot::channel();
            let address = broken::server(framing, how, hears).await;
            let reply = client(framing).request(ask(address, Body::empty())).await;
            let real = read(reply.expect(&name).into_body(), Some(heard)).await;

            assert_eq!(injected, real, "{name}");
            assert_eq!(injected.bytes, passed(), "{name}");
            let lies = how == BodyFault::Truncate && !framing.is_announced();
            assert_eq!(injected.end == End::Clean, lies, "{name}: {injected:?}");
            let silent = how == BodyFault::Stall;
            assert_eq!(injected.end == End::Silence, silent, "{name}: {injected:?}");
            assert_eq!(
                armed.ledger().records()[0].outcome,
                Outcome::Broken,
                "{name}"
            );
        }
    }
}

/// What a server's handler saw of each request.
type Heard = Arc<Mutex<Option<oneshot::Sender<()>>>>;

async fn hearing(layer: Option<&Chaos>) -> (SocketAddr, mpsc::Receiver<Seen>, Heard) {
    let (tell, told) = mpsc::channel(1);
    let heard = Heard::default();
    let state = (tell, Arc::clone(&heard));
    let listen = |State((tell, heard)): State<(mpsc::Sender<Seen>, Heard)>, body: Body| async move {
        let heard = heard.lock().unwrap().take();
        let seen = read(body, heard).await;
        tell.send(seen).await.unwrap();
    };
    let route = match layer {
        Some(chaos) => any(listen).layer(chaos.site(SITE).layer().http()),
        None => any(listen),
    };
    let router = Router::new().route("/", route).with_state(state);
    (serve(router).await, told, heard)
}

async fn next(told: &mut mpsc::Receiver<Seen>) -> Seen {
    let seen = timeout(ms(20_000), told.recv()).await;
    seen.expect("the request arrives").expect("a server")
}

/// A client under a layer. `Incoming` cannot be made, so the layer stands over axum's body.
fn calling(
    chaos: &Chaos,
    framing: Framing,
) -> BoxCloneService<Request<Body>, Response<Body>, BoxError> {
    let stack = ServiceBuilder::new()
        .layer(chaos.site(SITE).layer().http())
        .map_response(|reply: Response<hyper::body::Incoming>| reply.map(Body::new))
        .map_err(BoxError::from)
        .service(client(framing));
    BoxCloneService::new(stack)
}

#[tokio::test]
async fn a_server_sees_a_request_break_as_from_a_broken_client() {
    for framing in FRAMINGS {
        for how in HOWS {
            let name = format!("{framing:?}, {how:?}");
            let (address, mut told, heard) = hearing(None).await;
            let chaos = Chaos::new(Seed::new(42));
            let client = calling(&chaos, framing);
            let armed = armed(&chaos, fault(Leg::Request, how));
            let call = client.oneshot(ask(address, whole(framing)));
            let call = tokio::spawn(call);
            let injected = next(&mut told).await;
            call.abort();

            let (hear, hears) = oneshot::channel();
            *heard.lock().unwrap() = Some(hear);
            let raw =
                async move { broken::client(&address.to_string(), framing, how, hears).await };
            let raw = tokio::spawn(raw);
            let real = next(&mut told).await;
            raw.abort();

            assert_eq!(injected, real, "{name}");
            assert_eq!(injected.bytes, passed(), "{name}");
            let lies = how == BodyFault::Truncate && !framing.is_announced();
            assert_eq!(injected.end == End::Clean, lies, "{name}: {injected:?}");
            assert_eq!(
                armed.ledger().records()[0].outcome,
                Outcome::Broken,
                "{name}"
            );
        }
    }
}

/// On our own side of the wire the fault is seen before the wire is: with its marker.
#[tokio::test]
async fn on_the_side_of_the_layer_a_broken_body_has_its_marker() {
    for framing in FRAMINGS {
        for (how, end) in HOWS
            .into_iter()
            .zip([End::Silence, End::Clean, End::Marked])
        {
            let want = Seen {
                bytes: passed(),
                end,
            };
            let chaos = Chaos::new(Seed::new(42));
            let address = replying(&Chaos::off(), framing).await;
            let client = calling(&chaos, framing);
            let armed = armed(&chaos, fault(Leg::Reply, how));
            let reply = client.oneshot(ask(address, Body::empty())).await.unwrap();
            assert_eq!(
                read(reply.into_body(), None).await,
                want,
                "client, {framing:?}"
            );
            drop(armed);

            let chaos = Chaos::new(Seed::new(42));
            let (address, mut told, _) = hearing(Some(&chaos)).await;
            let _armed = self::armed(&chaos, fault(Leg::Request, how));
            let call = self::client(framing).request(ask(address, whole(framing)));
            let call = tokio::spawn(call);
            assert_eq!(next(&mut told).await, want, "server, {framing:?}");
            call.abort();
        }
    }
}

#[tokio::test]
async fn a_stall_that_is_given_up_breaks_as_a_reset() {
    for framing in FRAMINGS {
        let chaos = Chaos::new(Seed::new(42));
        let address = replying(&chaos, framing).await;
        let mut ends = Vec::new();
        for fault in [
            fault(Leg::Reply, BodyFault::Stall).giving_up(ms(20)),
            fault(Leg::Reply, BodyFault::Reset),
        ] {
            let _armed = armed(&chaos, fault);
            let reply = client(framing).request(ask(address, Body::empty())).await;
            ends.push(read(reply.unwrap().into_body(), None).await);
        }
        assert_eq!(ends[0], ends[1], "{framing:?}");
    }
}

/// Answers without a body are whole as they are: nothing hangs, nothing is announced wrongly.
#[tokio::test]
async fn a_reply_without_a_body_arrives_whole() {
    for framing in [Framing::Length, Framing::Announced] {
        let chaos = Chaos::new(Seed::new(42));
        let layer = chaos.site(SITE).layer().http();
        let router = Router::new()
            .route(
                "/",
                any(move || async move { Response::new(whole(framing)) }),
            )
            .route("/none", any(|| async { http::StatusCode::NO_CONTENT }))
            .layer(layer);
        let address = serve(router).await;
        let client = client(framing);
        let ask = |method, path| {
            let uri = format!("http://{address}{path}");
            let request = Request::builder().method(method).uri(uri);
            client.request(request.body(Body::empty()).unwrap())
        };
        let armed = armed(&chaos, fault(Leg::Reply, BodyFault::Reset));
        let struck = [ask("HEAD", "/").await, ask("GET", "/none").await];
        let records = armed.disarm().records();
        let spared = [ask("HEAD", "/").await, ask("GET", "/none").await];
        for (struck, spared) in struck.into_iter().zip(spared) {
            let (struck, spared) = (struck.unwrap(), spared.unwrap());
            let length = |reply: &Response<_>| reply.headers().get("content-length").cloned();
            assert_eq!(length(&struck), length(&spared), "{framing:?}");
            let seen = read(struck.into_body(), None).await;
            assert_eq!((seen.bytes.len(), seen.end), (0, End::Clean), "{framing:?}");
        }
        let outcomes: Vec<_> = records.iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes, [Outcome::CallerLeft, Outcome::Nothing]);
    }
}

/// A megabyte through windows of 64 KiB: what a stall holds back is the sender's, not lost.
#[tokio::test]
async fn flow_control_does_not_hide_where_a_body_stops() {
    const MANY: usize = 1 << 20;
    for framing in FRAMINGS {
        for how in HOWS {
            let chaos = Chaos::new(Seed::new(42));
            let layer = chaos.site(SITE).layer().http();
            let reply = move || async move { Response::new(Body::from(vec![7u8; 2 * MANY])) };
            let address = serve(Router::new().route("/", any(reply).layer(layer))).await;
            let after = After::Bytes(MANY as u64);
            let effect = Effect::Body {
                leg: Leg::Reply,
                what: how,
                after,
            };
            let _armed = armed(&chaos, Fault::new(effect, Probability::ALWAYS));
            let reply = client(framing)
                .request(ask(address, Body::empty()))
                .await
                .unwrap();
            let seen = read(reply.into_body(), None).await;
            // A reset may overtake what is still under way.
            let resets = how != BodyFault::Stall;
            assert!(
                seen.bytes.len() == MANY || resets && seen.bytes.len() < MANY,
                "{framing:?}, {how:?}: {}",
                seen.bytes.len()
            );
        }
    }
}

#[tokio::test]
async fn reqwest_gets_its_own_body_back() {
    let chaos = Chaos::new(Seed::new(42));
    let address = replying(&Chaos::off(), Framing::Length).await;
    let service = chaos
        .site(SITE)
        .layer()
        .http_with(reqwest::Body::wrap)
        .layer(tower::service_fn(|request: Request<reqwest::Body>| {
            let request = reqwest::Request::try_from(request);
            async move {
                let reply = reqwest::Client::new().execute(request?).await?;
                Ok::<Response<reqwest::Body>, BoxError>(reply.into())
            }
        }));
    let _armed = armed(&chaos, fault(Leg::Reply, BodyFault::Reset));
    let request = Request::get(format!("http://{address}/")).body(reqwest::Body::default());
    let reply = service.oneshot(request.unwrap()).await.unwrap();
    let seen = read(reply.into_body(), None).await;
    assert_eq!((seen.bytes, seen.end), (passed(), End::Marked));
}

//! Fenced writes over real sockets: what a server answers, who wins a race, and a lease that ends in the middle of a call.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderName, HeaderValue};
use axum::routing::put;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use murphy_core::{Lane, Point, Seed, Stream};
use murphy_lease::FencingToken;
use murphy_lease::fence::{
    FENCING_TOKEN, FENCING_TOKEN_CURRENT, FenceGuardLayer, FencedError, FencedLayer, FencedStore,
    FencedStoreError, FencingOp, Headers, MemoryFenced, Serialize, Signer, current_rank,
};
use tests::fenced::{Held, token};
use tests::ms;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn client() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn by_path() -> FenceGuardLayer<Serialize> {
    FenceGuardLayer::serialize(|request| request.uri.path().to_owned())
}

fn write(address: SocketAddr) -> Request<Full<Bytes>> {
    let request = Request::put(format!("http://{address}/accounts/alice"));
    request.body(Full::default()).unwrap()
}

async fn send(client: &Hyper, address: SocketAddr, token: Option<&str>) -> Response<()> {
    let mut request = write(address);
    if let Some(token) = token {
        let token = HeaderValue::from_str(token).unwrap();
        request.headers_mut().insert(FENCING_TOKEN, token);
    }
    client.request(request).await.unwrap().map(|_| ())
}

#[tokio::test]
async fn a_guarded_router_answers_each_token_as_it_deserves() {
    let router = Router::new().route("/accounts/{id}", put(async || "done"));
    let (address, client) = (serve(router.route_layer(by_path())).await, client());
    let own = token(34, 2).to_string();
    for (token, want) in [
        (None, 428),
        (Some("34"), 400),
        (Some(&*own), 200),
        (Some(&*own), 200),
        (Some(&*token(33, 1).to_string()), 412),
        (Some(&*token(34, 3).to_string()), 412),
        (Some(&*token(35, 3).to_string()), 200),
        (Some(&*own), 412),
    ] {
        let reply = send(&client, address, token).await;
        assert_eq!(reply.status(), want, "{token:?}");
        let current = reply.headers().get(FENCING_TOKEN_CURRENT);
        assert_eq!(current.is_some(), want == 412);
        let shown = format!("{:?}", reply.headers());
        assert!(!shown.contains("nonce"), "{shown}");
    }
}

/// What was written, in the order in which it was: by a handler that reads, dawdles, and then writes.
type Written = Arc<Mutex<Vec<(u64, u64)>>>;

async fn dawdle(State(written): State<Written>, Extension(token): Extension<FencingToken>) {
    let rank = token.rank().seq;
    let seen = written.lock().unwrap().last().map_or(0, |(rank, _)| *rank);
    for _ in 0..rank % 7 {
        tokio::task::yield_now().await;
    }
    written.lock().unwrap().push((rank, seen));
}

/// Two holders of one account at once, a thousand times over: the older may come first or not at all, never last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_race_the_older_never_writes_last() {
    const RACES: u64 = 1000;
    let written = Written::default();
    let router = Router::new()
        .route("/accounts/{id}", put(dawdle))
        .route_layer(by_path())
        .with_state(Arc::clone(&written));
    let address = serve(router).await;
    let (one, other) = (client(), client());
    let late = Stream::new(Seed::new(7), "race", "late", Lane::Magnitude);
    let (mut refused, mut both) = (0, 0);
    for race in 0..RACES {
        let (older, newer) = (2 * race + 1, 2 * race + 2);
        let draw = late.at(Point::keyed(race.into(), 0)).unit();
        let older = async {
            if draw < 0.5 {
                tokio::task::yield_now().await;
            }
            let token = token(older, older.into()).to_string();
            send(&one, address, Some(&token)).await.status()
        };
        let newer = async {
            if draw >= 0.5 {
                tokio::task::yield_now().await;
            }
            let token = token(newer, newer.into()).to_string();
            send(&other, address, Some(&token)).await.status()
        };
        let (older, newer) = tokio::join!(older, newer);
        assert_eq!(newer, 200);
        match older.as_u16() {
            200 => both += 1,
            412 => refused += 1,
            status => panic!("{status}"),
        }
    }
    let written = written.lock().unwrap();
    assert_eq!(written.len() as u64, RACES + both);
    for pair in written.windows(2) {
        let ((before, _), (after, seen)) = (pair[0], pair[1]);
        assert!(before < after, "{before} was written before {after}");
        assert_eq!(seen, before, "nobody wrote between its read and its write");
    }
    assert!(
        refused > 0 && both > 0,
        "{refused} refused, {both} in order"
    );
}

#[tokio::test]
async fn a_client_whose_lease_is_lost_in_the_middle_of_a_call_hears_of_it() {
    let (begun, mut begins) = tokio::sync::mpsc::channel(1);
    let hangs = put(move || {
        let begun = begun.clone();
        async move {
            begun.send(()).await.unwrap();
            std::future::pending::<&str>().await
        }
    });
    let router = Router::new().route("/accounts/{id}", hangs);
    let address = serve(router.route_layer(by_path())).await;
    let held = Held::new(token(34, 2));
    let mut service = FencedLayer::new(held.clone()).layer(client());
    let call = service.ready().await.unwrap().call(write(address));
    let call = tokio::spawn(call);
    begins.recv().await.unwrap();
    held.lose();
    let lost = call.await.unwrap().unwrap_err();
    assert!(matches!(lost, FencedError::Lost(_)), "{lost}");
    assert!(matches!(
        service.ready().await.err(),
        Some(FencedError::Lost(_))
    ));
}

/// Beneath a retry that changes nothing about the request, each attempt is stamped anew, and the number stays.
#[tokio::test]
async fn tokens_and_numbers_go_over_the_wire_and_back() {
    let seen = put(
        async |Extension(token): Extension<FencingToken>, Extension(op): Extension<FencingOp>| {
            format!("{token} {}", op.0)
        },
    );
    let router = Router::new().route("/accounts/{id}", seen);
    let key = Signer::try_new(&[9; 32]).unwrap();
    let address = serve(router.route_layer(by_path().signed(key.clone()))).await;
    let held = Held::new(token(34, 2));
    let service = FencedLayer::with(held.clone(), Headers::signed(key)).layer(client());
    let mut request = write(address);
    request.extensions_mut().insert(FencingOp(7));
    let reply = service.oneshot(request).await.unwrap();
    assert_eq!(reply.status(), 200);
    let body = http_body_util::BodyExt::collect(reply.into_body()).await;
    assert_eq!(body.unwrap().to_bytes(), format!("{} 7", token(34, 2)));
    let unsigned = FencedLayer::new(held).layer(client());
    let reply = unsigned.oneshot(write(address)).await.unwrap();
    assert_eq!(reply.status(), 403);
}

/// `reqwest` has requests of its own: a closure attaches the token to them.
#[tokio::test]
async fn a_closure_attaches_it_to_requests_of_another_kind() {
    let router = Router::new().route("/accounts/{id}", put(async || "done"));
    let address = serve(router.route_layer(by_path())).await;
    let client = ServiceBuilder::new()
        .layer(FencedLayer::with(
            Held::new(token(34, 2)),
            |token: &FencingToken, request: &mut reqwest::Request| {
                let name: HeaderName = FENCING_TOKEN;
                let value = HeaderValue::try_from(token.to_string()).unwrap();
                request.headers_mut().insert(name, value);
            },
        ))
        .service(reqwest::Client::new());
    let url = format!("http://{address}/accounts/alice").parse().unwrap();
    let request = reqwest::Request::new(reqwest::Method::PUT, url);
    let reply = client.oneshot(request).await.unwrap();
    assert_eq!(reply.status(), 200);
    let late = send(&self::client(), address, Some(&token(33, 1).to_string())).await;
    assert_eq!(late.status(), 412);
}

/// Two servers of one resource: their guards know nothing of each other, and the store behind them refuses.
#[tokio::test]
async fn passed_through_the_store_decides_for_all_servers() {
    async fn store(
        State(store): State<MemoryFenced<String>>,
        Path(id): Path<String>,
        Extension(token): Extension<FencingToken>,
        body: String,
    ) -> Response<Body> {
        match store.write(&id, &token, body).await {
            Ok(_) => Response::default(),
            Err(FencedStoreError::Refused(refused)) => refused.response(),
            Err(error) => panic!("{error}"),
        }
    }
    let accounts = MemoryFenced::new();
    let router = Router::new()
        .route("/accounts/{id}", put(store))
        .route_layer(FenceGuardLayer::pass_through())
        .with_state(accounts.clone());
    let (one, other) = (serve(router.clone()).await, serve(router).await);
    let client = client();
    let seen = token(34, 34).rank();
    for (server, seq, want, told) in [
        (one, 33, 200, None),
        (other, 34, 200, None),
        (one, 33, 412, Some(seen)),
    ] {
        let token = token(seq, seq.into()).to_string();
        let reply = send(&client, server, Some(&token)).await;
        assert_eq!(reply.status(), want);
        assert_eq!(
            current_rank(reply.headers()),
            Ok(told),
            "above what to acquire"
        );
    }
    assert_eq!(send(&client, one, None).await.status(), 428);
    let value = accounts.read_fenced("alice", &token(34, 34)).await;
    assert_eq!(value.unwrap(), Some(String::new()));
}

/// The caller hangs up while its handler writes. The next holder waits for that, and comes last.
#[tokio::test]
async fn a_caller_that_hangs_up_does_not_let_its_successor_in_early() {
    let written = Written::default();
    let slow = put(
        async |State(written): State<Written>, Extension(token): Extension<FencingToken>| {
            let rank = token.rank().seq;
            written.lock().unwrap().push((rank, 0));
            if rank == 33 {
                tokio::time::sleep(ms(300)).await;
            }
            written.lock().unwrap().push((rank, 1));
        },
    );
    let router = Router::new()
        .route("/accounts/{id}", slow)
        .route_layer(by_path())
        .with_state(Arc::clone(&written));
    let (address, client) = (serve(router).await, client());
    let older = token(33, 1).to_string();
    let call = send(&client, address, Some(&older));
    let gone = tokio::time::timeout(ms(100), call).await;
    assert!(gone.is_err(), "it left");
    drop(client);
    let newer = token(34, 2).to_string();
    let reply = send(&self::client(), address, Some(&newer)).await;
    assert_eq!(reply.status(), 200);
    let written = written.lock().unwrap();
    assert_eq!(*written, [(33, 0), (33, 1), (34, 0), (34, 1)]);
}

//! tower's `Balance` over real backends, of which one is stopped: what the observer hears decides who is called.
//!
//! Real time, a real wire: beats are posted over HTTP. Nothing is asserted of how long anything takes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post_service};
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use murphy_core::order::NodeId;
use murphy_detect::balance::{LivenessDiscover, Pending, SuspicionLoad};
use murphy_detect::wire::http::{HttpClient, HttpServer};
use murphy_detect::{Adaptive, Beating, Guard, Heartbeater, Monitor, Observer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::{BoxError, Service, ServiceExt};

const LONG: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);

type Http = Client<HttpConnector, Full<Bytes>>;

fn client() -> Http {
    // Nothing is kept: a backend that is stopped is not reached by an old connection.
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http()
}

/// A server that says its name, and beats for as long as it serves.
struct Backend {
    name: NodeId,
    at: SocketAddr,
    runs: Option<(JoinHandle<()>, Beating)>,
}

impl Backend {
    async fn start(name: &str, observer: SocketAddr) -> Self {
        let name = NodeId::try_new(name).unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut backend = Self {
            name,
            at,
            runs: None,
        };
        backend.go_on(observer).await;
        backend
    }

    async fn go_on(&mut self, observer: SocketAddr) {
        let name = self.name;
        let router = Router::new().route("/", get(move || async move { name.to_string() }));
        let listener = TcpListener::bind(self.at).await.unwrap();
        self.at = listener.local_addr().unwrap();
        let serves = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let to = format!("http://{observer}/beat").parse().unwrap();
        let beating = Heartbeater::new(name, INTERVAL)
            .unwrap()
            .spawn(HttpClient::new(client(), to));
        self.runs = Some((serves, beating));
    }

    async fn stop(&mut self) {
        let (serves, beating) = self.runs.take().unwrap();
        beating.stop();
        serves.abort();
        let _ = serves.await;
    }
}

/// Waits until these are alive, and nobody else.
async fn alive(live: &mut watch::Receiver<Arc<[NodeId]>>, names: &[&str]) {
    let want: BTreeSet<&str> = names.iter().copied().collect();
    let is_it =
        |live: &Arc<[NodeId]>| live.iter().map(NodeId::as_str).collect::<BTreeSet<_>>() == want;
    timeout(LONG, live.wait_for(is_it)).await.unwrap().unwrap();
}

/// Who answers two hundred calls, none of which fails.
async fn answers<S>(balance: &mut S) -> BTreeSet<String>
where
    S: Service<(), Response = String, Error = BoxError>,
{
    let mut names = BTreeSet::new();
    for _ in 0..200 {
        let call = async { balance.ready().await?.call(()).await };
        names.insert(timeout(LONG, call).await.unwrap().unwrap());
    }
    names
}

/// Asks one backend for its name.
fn asks(at: SocketAddr) -> impl Service<(), Response = String, Error = BoxError, Future: Send> {
    client()
        .map_request(move |()| {
            let uri = format!("http://{at}/");
            Request::builder().uri(uri).body(Full::default()).unwrap()
        })
        .map_err(BoxError::from)
        .and_then(async |reply: http::Response<hyper::body::Incoming>| {
            let body = reply.into_body().collect().await?.to_bytes();
            Ok(String::from_utf8_lossy(&body).into_owned())
        })
}

#[tokio::test]
async fn a_backend_that_was_stopped_gets_no_calls_until_it_is_back() {
    let monitor = Monitor::new(Adaptive::default()).guard(Guard::new());
    let (observer, driver) = Observer::new("backends", monitor);
    tokio::spawn(driver.run());
    let beats = HttpServer::new("backends", observer.service());
    let router = Router::new().route("/beat", post_service(beats));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listens_at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut backends = Vec::new();
    for name in ["a", "b", "c"] {
        backends.push(Backend::start(name, listens_at).await);
    }
    let mut live = observer.live_set();
    alive(&mut live, &["a", "b", "c"]).await;

    let found: Vec<_> = backends
        .iter()
        .map(|backend| {
            let service = Pending::new(asks(backend.at));
            let service = SuspicionLoad::new(service, observer.clone(), backend.name);
            Ok::<_, Infallible>(Change::Insert(backend.name, service))
        })
        .collect();
    let discover = LivenessDiscover::new(stream::iter(found), observer, |name| *name);
    let mut balance = Balance::new(discover);
    assert_eq!(answers(&mut balance).await.len(), 3);

    backends[1].stop().await;
    alive(&mut live, &["a", "c"]).await;
    let names = answers(&mut balance).await;
    assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "c"]);

    backends[1].go_on(listens_at).await;
    alive(&mut live, &["a", "b", "c"]).await;
    assert_eq!(answers(&mut balance).await.len(), 3);
}

//! A real HTTP server on a node, over TCP: axum on hyper, its connections spawned through the node.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use murphy_core::Seed;
use murphy_fault::{Boot, Chaos, Durable, Plan, TimeLimit, Volatile};
use tests::ms;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Two counters: one on disk, one in memory.
#[derive(Clone)]
struct Counters {
    disk: Durable<u64>,
    memory: Volatile<u64>,
    hanging: Arc<Notify>,
}

async fn count(State(counters): State<Counters>) -> String {
    let on_disk = counters.disk.get().unwrap_or(0) + 1;
    let in_memory = counters.memory.get() + 1;
    counters.disk.store(on_disk).unwrap();
    counters.memory.set(in_memory).unwrap();
    format!("{on_disk} {in_memory}")
}

/// Says that it has begun, and never ends.
async fn hang(State(counters): State<Counters>) {
    counters.hanging.notify_one();
    std::future::pending().await
}

/// One life of the server: its listener and its connections die with it.
async fn life(boot: Boot, address: SocketAddr, hanging: Arc<Notify>) {
    let counters = Counters {
        disk: boot.durable("count").unwrap(),
        memory: boot.node().memory(0),
        hanging,
    };
    let router = Router::new()
        .route("/", get(count))
        .route("/hang", get(hang))
        .with_state(counters);
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        boot.spawn(connection);
    }
}

/// A port that is free, and stays ours for a while: nobody else is given it twice in a row.
async fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn ask(client: &reqwest::Client, address: SocketAddr, path: &str) -> reqwest::Result<String> {
    let reply = client.get(format!("http://{address}{path}")).send().await?;
    reply.text().await
}

/// Asks until there is an answer: a server needs a moment to listen.
async fn ask_patiently(client: &reqwest::Client, address: SocketAddr) -> String {
    let patient = async {
        loop {
            if let Ok(answer) = ask(client, address, "/").await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(ms(60_000), patient).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_a_node_pauses_crashes_and_comes_back() {
    let chaos = Chaos::new(Seed::new(42));
    let node = chaos.node("counter");
    let address = free_port().await;
    let hanging = Arc::new(Notify::new());
    let begun = Arc::clone(&hanging);
    let server = tokio::spawn(node.serve(move |boot| life(boot, address, Arc::clone(&begun))));
    let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let client = reqwest::Client::new();
    assert_eq!(ask_patiently(&client, address).await, "1 1");
    assert_eq!(ask(&client, address, "/").await.unwrap(), "2 2");

    // Paused: a request is written, and its reply waits.
    let pause = node.pause().unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, address, "/").await }
    });
    assert!(timeout(ms(200), ask(&client, address, "/")).await.is_err());
    assert!(!waiting.is_finished());
    drop(pause);
    // Whether the impatient one was served as well is its connection's secret.
    let late = waiting.await.unwrap().unwrap();
    assert!(["3 3", "4 4"].contains(&&*late), "{late}");

    // Crashed: connections are reset, and new ones refused.
    let hung = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, address, "/hang").await }
    });
    timeout(ms(60_000), hanging.notified()).await.unwrap();
    let down = node.crash().unwrap();
    assert_eq!(node.living(), 0);
    assert!(hung.await.unwrap().is_err());
    let refused = ask(&client, address, "/").await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");

    // Back: the disk remembers, the memory does not.
    drop(down);
    let back = ask_patiently(&client, address).await;
    let (disk, memory) = back.split_once(' ').unwrap();
    assert!(disk.parse::<u64>().unwrap() >= 4, "{back}");
    assert_eq!(memory, "1");
    assert_eq!(node.incarnation(), 1);
    server.abort();
}

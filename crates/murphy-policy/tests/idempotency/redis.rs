//! The same over a real Redis: a `redis-server` on the loopback, in real time.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use murphy_policy::idempotency::{RedisStore, Reply};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::timeout;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const MS: Duration = Duration::from_millis(1);

/// A server of this test, ended with it.
struct Server {
    child: Child,
    port: u16,
    directory: std::path::PathBuf,
}

impl Server {
    /// Fails where the program is missing: a store that was not tested is not one that works.
    async fn start() -> Self {
        for _ in 0..5 {
            let probe = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = probe.local_addr().unwrap().port();
            drop(probe);
            let directory = std::env::temp_dir().join(format!("murphy-redis-{port}"));
            std::fs::create_dir_all(&directory).unwrap();
            let child = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .args(["--port", &port.to_string()])
                .arg("--dir")
                .arg(&directory)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("redis-server: `cargo xtask setup` installs it");
            let mut server = Self {
                child,
                port,
                directory,
            };
            if server.answers().await {
                return server;
            }
        }
        panic!("redis-server does not answer");
    }

    /// Another may have taken the port meanwhile: then our child ends.
    async fn answers(&mut self) -> bool {
        for _ in 0..800 {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut connection) = self.connect().await {
                // Who answers may be another test's, on the port that ours did not get.
                let info = redis::cmd("INFO").arg("server").to_owned();
                let info = info.query_async::<String>(&mut connection).await;
                let ours = format!("process_id:{}\r", self.child.id());
                if info.is_ok_and(|info| info.contains(&ours)) {
                    return true;
                }
            }
            sleep(MS * 25).await;
        }
        false
    }

    async fn connect(&self) -> redis::RedisResult<ConnectionManager> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port))?;
        // The client's own timeouts are half a second: a slow machine is no failed test.
        let patient = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(LONG))
            .set_response_timeout(Some(LONG));
        ConnectionManager::new_with_config(client, patient).await
    }

    /// As another process has it: with a connection and entropy of its own.
    async fn store(&self) -> RedisStore {
        RedisStore::new(self.connect().await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn print() -> Fingerprint {
    Fingerprint::from_bits(1)
}

fn outcome(body: &'static [u8]) -> Outcome {
    let reply = Reply {
        status: StatusCode::CREATED,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body),
        trailers: None,
    };
    Outcome::Reply(Arc::new(reply))
}

async fn first(store: &RedisStore, key: &Arc<str>, lease: Duration) -> Ticket {
    match store.begin(key, print(), lease).await.unwrap() {
        Begun::First(ticket) => ticket,
        begun => panic!("{begun:?}"),
    }
}

#[tokio::test]
async fn two_processes_run_a_handler_once() {
    let (server, till) = (Server::start().await, Till::default());
    let mut all = JoinSet::new();
    for _ in 0..2 {
        let layer = IdempotencyLayer::with(server.store().await).patience(LONG);
        let service = layer.layer(till.taking(MS * 200));
        for _ in 0..50 {
            all.spawn(service.clone().oneshot(pay("k", "9")));
        }
    }
    let mut replays = 0;
    while let Some(reply) = all.join_next().await {
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.status(), 201);
        replays += u32::from(reply.headers().contains_key("idempotent-replayed"));
        assert_eq!(text(reply).await, "charge 1 of 9");
    }
    assert_eq!((till.charged(), replays), (1, 99));
    let late = IdempotencyLayer::with(server.store().await).layer(till.serve());
    let reply = late.clone().oneshot(pay("k", "10")).await.unwrap();
    assert_eq!(reply.status(), 422);
    let reply = late.oneshot(pay("k", "9")).await.unwrap();
    assert_eq!(text(reply).await, "charge 1 of 9");
}

#[tokio::test]
async fn a_lease_frees_the_key_and_fences_off_the_first() {
    let server = Server::start().await;
    let (one, other) = (server.store().await, server.store().await);
    let key: Arc<str> = "k".into();
    // Long enough for the next line to come in time on a machine that is busy.
    let slow = first(&one, &key, MS * 2_000).await;
    let begun = other.begin(&key, print(), LONG).await.unwrap();
    assert_eq!(begun, Begun::Running(slow.clone()));
    timeout(LONG, other.watch(&slow))
        .await
        .expect("its lease ends");
    let heir = first(&other, &key, LONG).await;
    assert_ne!(heir.fence, slow.fence);
    assert!(!one.finish(&slow, outcome(b"late")).await.unwrap());
    assert!(!one.release(&slow).await.unwrap());
    assert!(other.finish(&heir, outcome(b"done")).await.unwrap());
    assert!(!other.finish(&heir, outcome(b"twice")).await.unwrap());
    let begun = one.begin(&key, print(), LONG).await.unwrap();
    assert_eq!(begun, Begun::Done(outcome(b"done")));
}

#[tokio::test]
async fn what_was_released_or_forgotten_is_new() {
    let server = Server::start().await;
    let store = server.store().await.ttl(MS * 50).unwrap();
    let key: Arc<str> = "k".into();
    let ticket = first(&store, &key, LONG).await;
    assert!(store.release(&ticket).await.unwrap());
    timeout(LONG, store.watch(&ticket))
        .await
        .expect("it is over");
    let ticket = first(&store, &key, LONG).await;
    assert!(store.finish(&ticket, outcome(b"done")).await.unwrap());
    // Redis' clock is not ours: this waits for it, and not for so long.
    let forgotten = async {
        while store.begin(&key, print(), LONG).await.unwrap() == Begun::Done(outcome(b"done")) {
            sleep(MS * 10).await;
        }
    };
    timeout(LONG, forgotten).await.expect("its time is over");
    assert!(store.ttl(Duration::ZERO).is_err());
}

#[tokio::test]
async fn prefixes_keep_servers_apart_and_strangers_values_are_errors() {
    let server = Server::start().await;
    let (pay, ship) = (server.store().await, server.store().await.prefix("ship:"));
    let key: Arc<str> = "k".into();
    first(&pay, &key, LONG).await;
    first(&ship, &key, LONG).await;
    let mut connection = server.connect().await.unwrap();
    let mut set = redis::cmd("SET");
    let set = set.arg("murphy:idempotency:k").arg("something else");
    set.query_async::<()>(&mut connection).await.unwrap();
    pay.begin(&key, print(), LONG).await.unwrap_err();
}

#[tokio::test]
async fn a_redis_that_is_gone_is_told_and_nothing_is_done() {
    let (server, till) = (Server::start().await, Till::default());
    let store = server.store().await;
    drop(server);
    let service = IdempotencyLayer::with(store).layer(till.serve());
    let reply = timeout(LONG, service.oneshot(pay("k", "9"))).await.unwrap();
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status().as_u16(), why(&reply)),
        (503, Some(Refused::NoStore))
    );
    assert_eq!(till.charged(), 0);
}

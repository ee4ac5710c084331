//! The store in a file, for the other processes of the host.

#![cfg(all(feature = "file", unix))]

mod common;
#[path = "told/heard.rs"]
mod heard;

use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Duration;

use common::{NOW, acquire, asked, granted, held, observe, release, renew, secs};
use futures_util::{SinkExt, StreamExt};
use murphy_lease::{
    AcquireError, ClientError, FileClient, FileOptions, FileServer, FileStore, LeaseReply,
    LeaseRequest, Locks, Rank, Restart, ServeError, Ttl,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tower::{Service, ServiceExt};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Where a child finds the socket, and what it is to be.
const SOCKET: &str = "MURPHY_TEST_LEASE_SOCKET";
const ROLE: &str = "MURPHY_TEST_LEASE_ROLE";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> FileStore {
        let options = FileOptions::new().restart(Restart::FenceOnly);
        options.open(self.at("leases")).unwrap()
    }

    fn serve(&self) -> (FileStore, FileServer, FileClient) {
        let store = self.open();
        let server = store.serve(self.at("socket")).unwrap();
        (store, server, FileClient::new(self.at("socket")))
    }
}

#[tokio::test]
async fn a_client_gets_what_the_store_gives() {
    let home = Home::new();
    let (store, _server, client) = home.serve();
    let other = FileClient::new(home.at("socket"));
    let rank = granted(acquire(&client, 1, NOW).await).rank;
    for held_from in [acquire(&other, 2, NOW).await, acquire(&store, 2, NOW).await] {
        assert!(held(held_from) <= secs(10));
    }
    assert_eq!(granted(acquire(&client, 1, NOW).await).rank, rank);
    assert!(matches!(
        renew(&client, 1, rank, 10).await,
        LeaseReply::Renewed { .. }
    ));
    assert!(matches!(observe(&other).await, LeaseReply::Observed { high, .. } if high == rank));
    // First come, first served, through whichever door.
    let call = |bits| LeaseRequest::Acquire(asked(bits, LONG));
    let mut first = tokio::spawn(other.clone().oneshot(call(2)));
    until_queued(&client, &mut first).await;
    let second = store.clone().call(call(3));
    assert!(release(&client, 1).await);
    let first = granted(first.await.unwrap().unwrap()).rank;
    assert!(release(&other, 2).await);
    assert!(rank < first && first < granted(second.await.unwrap()).rank);
}

/// Until what was sent before is there: an answer to a later one of the same store says so only of the same client. So
/// this asks for as long as nothing tells otherwise.
async fn until_queued<T>(client: &FileClient, call: &mut tokio::task::JoinHandle<T>) {
    for _ in 0..50 {
        observe(client).await;
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!call.is_finished());
}

#[tokio::test]
async fn who_drops_a_call_leaves_the_queue_or_gives_it_back() {
    let home = Home::new();
    let (store, _server, client) = home.serve();
    for n in 0..200_u32 {
        granted(acquire(&store, 1, NOW).await);
        let mut call = tokio::spawn(
            client
                .clone()
                .oneshot(LeaseRequest::Acquire(asked(2, LONG))),
        );
        if n % 2 == 0 {
            until_asked(&client).await;
        }
        // Before, while and after it is granted.
        let (_, released) = tokio::join!(
            async {
                for _ in 0..n % 50 {
                    tokio::task::yield_now().await;
                }
                call.abort();
            },
            release(&store, 1)
        );
        assert!(released);
        let heard = matches!((&mut call).await, Ok(Ok(LeaseReply::Granted(_))));
        if heard {
            assert!(release(&client, 2).await);
        }
        let next = acquire(&store, 3, LONG);
        granted(timeout(secs(5), next).await.expect("it is not given back"));
        assert!(release(&store, 3).await);
    }
}

/// Answered in the order in which they were sent: what was sent before has arrived.
async fn until_asked(client: &FileClient) {
    tokio::task::yield_now().await;
    observe(client).await;
}

#[tokio::test]
async fn a_client_survives_its_server() {
    let home = Home::new();
    let (store, server, client) = home.serve();
    let rank = granted(acquire(&client, 1, NOW).await).rank;
    let waiting = tokio::spawn(
        client
            .clone()
            .oneshot(LeaseRequest::Acquire(asked(2, LONG))),
    );
    until_asked(&client).await;
    drop((server, store));
    let lost = timeout(LONG, waiting).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(lost, ClientError::Lost { .. }), "{lost:?}");
    assert!(lost.to_string().contains("same nonce"), "{lost}");

    let nobody = client
        .clone()
        .oneshot(LeaseRequest::Acquire(asked(2, NOW)))
        .await
        .unwrap_err();
    assert!(matches!(nobody, ClientError::NoServer { .. }), "{nobody:?}");

    let store = loop {
        // Its clients' tasks let go of the store in their own time.
        match FileOptions::new()
            .restart(Restart::FenceOnly)
            .open(home.at("leases"))
        {
            Ok(store) => break store,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    };
    let _server = store.serve(home.at("socket")).unwrap();
    assert!(granted(acquire(&client, 2, NOW).await).rank > rank);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_calls_along() {
    let home = Home::new();
    let (store, _server, client) = home.serve();
    granted(acquire(&store, 1, NOW).await);
    let waiting = tokio::spawn(
        client
            .clone()
            .oneshot(LeaseRequest::Acquire(asked(2, LONG))),
    );
    until_asked(&client).await;
    waiting.abort();
    drop(client);
    drop(waiting.await);
    sleep(Duration::from_millis(20)).await;
    release(&store, 1).await;
    granted(acquire(&store, 3, secs(5)).await);
}

#[tokio::test]
async fn what_is_no_request_is_counted_and_its_sender_let_go() {
    let home = Home::new();
    let (_store, server, client) = home.serve();
    granted(acquire(&client, 1, NOW).await);
    let observe_7 = br#"{"ask":{"call":7,"request":{"observe":{"lock":"orders"}}}}"#;
    let wait_7 = serde_json::to_string(&asked(2, LONG)).unwrap();
    let wait_7 = format!(r#"{{"ask":{{"call":7,"request":{{"acquire":{wait_7}}}}}}}"#);
    let long_name = format!(
        r#"{{"ask":{{"call":7,"request":{{"observe":{{"lock":"{}"}}}}}}}}"#,
        "x".repeat(256)
    );
    for (n, frames) in [
        vec![b"".as_slice()],
        vec![b"\0\xff"],
        vec![b"[[[[[[[["],
        vec![br#"{"leave":{"call":-1}}"#],
        vec![br#"{"leave":{"call":1,"more":2}}"#],
        vec![br#"{"ask":{"call":7,"request":{"burn":{"lock":"orders"}}}}"#],
        vec![br#"{"ask":{"call":7,"request":{"observe":{"lock":""}}}}"#],
        vec![long_name.as_bytes()],
        vec![wait_7.as_bytes(), observe_7],
        vec![&[b' '; 5000]],
    ]
    .into_iter()
    .enumerate()
    {
        let mut socket = connect(server.path()).await;
        for frame in frames {
            // It may have hung up meanwhile.
            _ = socket.send(Bytes::copy_from_slice(frame)).await;
        }
        let end = timeout(LONG, async {
            while let Some(Ok(_)) = socket.next().await {}
        });
        end.await.expect("it is let go");
        assert_eq!(server.turned_away(), n as u64 + 1);
    }
    // Somebody who leaves what he never asked has done no harm, and others have not noticed.
    let mut socket = connect(server.path()).await;
    socket
        .send(Bytes::from_static(br#"{"leave":{"call":9}}"#))
        .await
        .unwrap();
    socket.send(Bytes::from_static(observe_7)).await.unwrap();
    assert!(socket.next().await.unwrap().is_ok());
    assert!(release(&client, 1).await);
}

#[test]
fn that_a_client_is_let_go_is_told() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let told = |name: &str| name == "lease.turned_away";
    heard::is_told(heard::STORES, told, || {
        runtime.block_on(async {
            let home = Home::new();
            let (_store, server, _) = home.serve();
            let mut socket = connect(server.path()).await;
            socket.send(Bytes::from_static(b"what?")).await.unwrap();
            assert!(socket.next().await.is_none());
        });
    });
}

/// A socket that has heard the hello.
async fn connect(path: &Path) -> Framed<UnixStream, LengthDelimitedCodec> {
    let stream = UnixStream::connect(path).await.unwrap();
    let mut socket = Framed::new(stream, LengthDelimitedCodec::new());
    let hello = socket.next().await.unwrap().unwrap();
    assert_eq!(&hello[..], br#"{"hello":{"murphy_lease":1}}"#);
    socket
}

#[tokio::test]
async fn too_many_clients_are_turned_away() {
    let home = Home::new();
    let (_store, server, _) = home.serve();
    let mut sockets = Vec::new();
    for _ in 0..256 {
        sockets.push(connect(server.path()).await);
    }
    let stream = UnixStream::connect(server.path()).await.unwrap();
    let mut socket = Framed::new(stream, LengthDelimitedCodec::new());
    assert!(socket.next().await.is_none());
    assert_eq!(server.turned_away(), 1);
    // One leaves, and there is room.
    drop(sockets.pop());
    let client = FileClient::new(server.path());
    let call = async {
        while client
            .clone()
            .oneshot(LeaseRequest::Acquire(asked(1, NOW)))
            .await
            .is_err()
        {}
    };
    timeout(LONG, call).await.unwrap();
}

#[tokio::test]
async fn as_many_calls_as_one_likes_are_answered() {
    let home = Home::new();
    let (_store, _server, client) = home.serve();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..3000 {
        let client = client.clone();
        calls.spawn(async move { observe(&client).await });
    }
    let all = async {
        while let Some(done) = calls.join_next().await {
            done.unwrap();
        }
    };
    timeout(LONG, all).await.unwrap();
}

#[tokio::test]
async fn a_path_that_cannot_be_served_is_named() {
    let home = Home::new();
    let (store, server, _) = home.serve();
    let again = store.serve(server.path()).unwrap_err();
    assert!(matches!(again, ServeError::InUse { .. }), "{again}");
    let file = store.serve(home.at("leases")).unwrap_err();
    assert!(matches!(file, ServeError::NoSocket { .. }), "{file}");
    let long = store.serve(home.at(&"x".repeat(200))).unwrap_err();
    assert!(matches!(long, ServeError::Io { .. }), "{long}");
    let nowhere = store.serve(home.at("no/such")).unwrap_err();
    assert!(matches!(nowhere, ServeError::Io { .. }), "{nowhere}");
    drop(server);
    assert!(!home.at("socket").exists());
}

#[tokio::test]
async fn only_the_same_user_may_connect() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let (_store, server, _) = home.serve();
    let mode = std::fs::metadata(server.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn whoever_else_listens_there_is_told_apart() {
    let home = Home::new();
    for (n, says) in [
        br#"{"hello":{"murphy_lease":2}}"#.as_slice(),
        br#"{"hello":{}}"#,
        b"220 mail.example ESMTP",
    ]
    .into_iter()
    .enumerate()
    {
        let path = home.at(&format!("{n}"));
        let listener = UnixListener::bind(&path).unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = Framed::new(stream, LengthDelimitedCodec::new());
            socket.send(Bytes::from_static(says)).await.unwrap();
            socket
        };
        let call = FileClient::new(&path).oneshot(LeaseRequest::Acquire(asked(1, NOW)));
        let (_socket, refused) = tokio::join!(server, call);
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, ClientError::Foreign { .. }),
            "{refused:?}"
        );
    }
}

/// What a child does that is told to.
#[test]
fn a_child_plays_its_role_if_it_has_one() {
    let (Ok(socket), Ok(role)) = (std::env::var(SOCKET), std::env::var(ROLE)) else {
        return;
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let socket = PathBuf::from(socket);
    runtime.block_on(async {
        match role.as_str() {
            "server" => {
                let options = FileOptions::new().restart(Restart::FenceOnly);
                let store = options.open(socket.with_file_name("leases")).unwrap();
                let _server = store.serve(socket).unwrap();
                std::future::pending::<()>().await;
            }
            number => count(&socket, number.parse().unwrap()).await,
        }
    });
}

/// Adds one to what a file says, 100 times: read, think, write.
async fn count(socket: &Path, worker: u128) {
    let (client, total) = (FileClient::new(socket), socket.with_file_name("total"));
    for round in 0..100 {
        let bits = worker << 64 | round;
        granted(acquire(&client, bits, LONG).await);
        let read: u32 = std::fs::read_to_string(&total).unwrap().parse().unwrap();
        tokio::task::yield_now().await;
        std::fs::write(&total, (read + 1).to_string()).unwrap();
        assert!(release(&client, bits).await);
    }
}

/// It does not outlive the test, also where that fails.
struct Child(process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn child(socket: &Path, role: &str) -> Child {
    let spawned = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_plays_its_role_if_it_has_one"])
        .env(SOCKET, socket)
        .env(ROLE, role)
        .stdout(Stdio::null())
        .spawn();
    Child(spawned.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_one_host_take_turns() {
    let home = Home::new();
    let (_store, server, _) = home.serve();
    std::fs::write(home.at("total"), "0").unwrap();
    let workers: Vec<_> = ["1", "2", "3"].map(|n| child(server.path(), n)).into();
    for mut worker in workers {
        let done = tokio::task::spawn_blocking(move || worker.0.wait().unwrap());
        assert!(done.await.unwrap().success());
    }
    assert_eq!(std::fs::read_to_string(home.at("total")).unwrap(), "300");
}

#[tokio::test]
async fn a_server_that_was_killed_is_replaced_and_its_clients_find_the_next() {
    let home = Home::new();
    let socket = home.at("socket");
    let client = FileClient::new(&socket);
    let mut last = Rank::ZERO;
    for life in 0..5 {
        let mut server = child(&socket, "server");
        let asked = || {
            client
                .clone()
                .oneshot(LeaseRequest::Acquire(asked(life, NOW)))
        };
        let reply = timeout(LONG, async {
            loop {
                match asked().await {
                    Ok(reply) => break reply,
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            }
        });
        let rank = granted(reply.await.unwrap()).rank;
        assert!(rank > last);
        last = rank;
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        assert!(socket.exists(), "it is left behind");
    }
    ask_nobody(&client).await;
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    let sent = kill.arg(name).arg(child.0.id().to_string()).status();
    assert!(sent.unwrap().success());
}

/// With a lock that nobody else wants.
async fn has_a_turn(locks: &Locks<FileClient>) {
    let lease = locks.acquire("warm").await.unwrap();
    lease.release().await.unwrap();
}

/// Stopped for longer than an acquire is waited for, and asked again meanwhile.
#[tokio::test]
async fn a_server_that_stood_still_during_an_acquire_has_one_holder() {
    let home = Home::new();
    let socket = home.at("socket");
    let server = child(&socket, "server");
    let locks = || Locks::new(FileClient::new(&socket)).ttl(Ttl::from_secs(3));
    let (one, other) = (locks(), locks());
    // Until it is there.
    has_a_turn(&one).await;
    has_a_turn(&other).await;
    signal(&server, "-STOP");
    let asked = tokio::spawn(async move { one.acquire("orders").await });
    sleep(Duration::from_millis(1_500)).await;
    signal(&server, "-CONT");
    let lease = asked.await.unwrap().unwrap();
    // Whatever was given back is so by then.
    has_a_turn(&other).await;
    sleep(Duration::from_millis(20)).await;
    let second = other.try_acquire("orders").await;
    assert!(lease.token().is_ok(), "or this shows nothing");
    assert!(
        matches!(second, Err(AcquireError::Held { .. })),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_dropped_late_leaves_the_next_ones_socket() {
    let home = Home::new();
    let (_store, late, _) = home.serve();
    std::fs::remove_file(home.at("socket")).unwrap();
    let options = FileOptions::new().restart(Restart::FenceOnly);
    let next = options.open(home.at("others")).unwrap();
    let next = next.serve(home.at("socket")).unwrap();
    drop(late);
    granted(acquire(&FileClient::new(next.path()), 1, NOW).await);
    drop(next);
    assert!(!home.at("socket").exists());
}

async fn ask_nobody(client: &FileClient) {
    for _ in 0..2 {
        let call = client.clone().oneshot(LeaseRequest::Acquire(asked(9, NOW)));
        assert!(call.await.is_err());
    }
}

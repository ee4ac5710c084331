//! A paused node looks to its peers like a process that was sent `SIGSTOP`: compared with one, over TCP.
//!
//! Real time, real processes. No reply is expected within a time; that there is none before the
//! process goes on is all that is asserted.
#![cfg(unix)]

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use murphy_core::Seed;
use murphy_fault::{Chaos, Node, Paused, Plan, TimeLimit};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Where a child reports the port that it listens at.
const REPORT_TO: &str = "MURPHY_SIGSTOP_CHILD_REPORTS_TO";

/// How long the peer waits for a reply that must not come.
const SHORT: Duration = Duration::from_millis(300);

/// How long it waits for one that must.
const LONG: Duration = Duration::from_secs(60);

/// Echoes lines. Each connection goes to `spawn`.
async fn echo(listener: TcpListener, spawn: impl Fn(TcpStream)) {
    while let Ok((stream, _)) = listener.accept().await {
        spawn(stream);
    }
}

async fn converse(stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if write
            .write_all(format!("{line}\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Something that can be stopped and continued.
trait Server {
    fn address(&self) -> SocketAddr;
    /// When it has returned, the server stands still.
    fn stop(&mut self);
    fn go_on(&mut self);
}

/// This binary once more, as a server.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    async fn start() -> Self {
        let report = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_child_serves_if_it_is_told_to"])
            .env(REPORT_TO, report.local_addr().unwrap().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (mut stream, _) = timeout(LONG, report.accept()).await.unwrap().unwrap();
        let mut address = String::new();
        stream.read_to_string(&mut address).await.unwrap();
        Self {
            child,
            address: address.parse().unwrap(),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Server for Process {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn stop(&mut self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        // The signal is on its way: the kernel says when it has arrived.
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED)
            .unwrap()
            .unwrap();
        assert!(status.stopped(), "{status:?}");
    }

    fn go_on(&mut self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same server on a node.
struct OnNode {
    node: Node,
    address: SocketAddr,
    pause: Option<Paused>,
}

impl OnNode {
    async fn start(node: Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let children = node.clone();
        node.spawn(echo(listener, move |stream| {
            children.spawn(converse(stream));
        }));
        Self {
            node,
            address,
            pause: None,
        }
    }
}

impl Server for OnNode {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn stop(&mut self) {
        self.pause = Some(self.node.pause().unwrap());
    }

    fn go_on(&mut self) {
        self.pause = None;
    }
}

/// One connection, and what is heard on it.
struct Peer {
    name: &'static str,
    stream: BufReader<TcpStream>,
}

impl Peer {
    async fn connect(name: &'static str, to: SocketAddr) -> Self {
        let stream = timeout(LONG, TcpStream::connect(to))
            .await
            .unwrap()
            .unwrap();
        Self {
            name,
            stream: BufReader::new(stream),
        }
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stream.write_all(line.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self, within: Duration) -> String {
        let mut line = String::new();
        match timeout(within, self.stream.read_line(&mut line)).await {
            Ok(read) => {
                read.unwrap();
                format!("{}: {}", self.name, line.trim_end())
            }
            Err(_) => format!("{}: silence", self.name),
        }
    }
}

/// What a peer hears of a server that is stopped and goes on.
async fn transcript(server: &mut impl Server) -> Vec<String> {
    let mut heard = Vec::new();
    let mut known = Peer::connect("known", server.address()).await;
    known.send("before").await;
    heard.push(known.hear(LONG).await);

    server.stop();
    known.send("during, one").await;
    known.send("during, two").await;
    heard.push(known.hear(SHORT).await);
    // The backlog is the kernel's, and takes new connections.
    let mut new = Peer::connect("new", server.address()).await;
    new.send("during, three").await;
    heard.push(new.hear(SHORT).await);
    heard.push(known.hear(SHORT).await);

    server.go_on();
    heard.push(known.hear(LONG).await);
    heard.push(known.hear(LONG).await);
    heard.push(new.hear(LONG).await);
    known.send("after").await;
    heard.push(known.hear(LONG).await);
    heard
}

const WHAT_IS_HEARD: [&str; 8] = [
    "known: before",
    "known: silence",
    "new: silence",
    "known: silence",
    "known: during, one",
    "known: during, two",
    "new: during, three",
    "known: after",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_node_looks_like_a_stopped_process() {
    let mut process = Process::start().await;
    let real = transcript(&mut process).await;

    let chaos = Chaos::new(Seed::new(42));
    let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let mut node = OnNode::start(chaos.node("server")).await;
    let ours = transcript(&mut node).await;

    assert_eq!(real, WHAT_IS_HEARD, "of the process");
    assert_eq!(ours, real, "of the node");
}

/// Not a test: what the other one starts.
#[tokio::test]
async fn a_child_serves_if_it_is_told_to() {
    let Ok(parent) = std::env::var(REPORT_TO) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut report = TcpStream::connect(parent).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    report.write_all(address.as_bytes()).await.unwrap();
    drop(report);
    // Until it is killed, and no longer than its parent's patience.
    let served = echo(listener, |stream| {
        tokio::spawn(converse(stream));
    });
    let _ = timeout(LONG, served).await;
}

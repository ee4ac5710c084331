//! [`Etcd`]: an etcd.

use std::ops::{Deref, DerefMut};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LONG, Process, free_port};

/// An etcd of one node.
#[derive(Debug)]
pub struct Etcd(Process);

impl Etcd {
    /// One that does not wait for its disk, and whose shortest lease is a second.
    pub async fn start() -> Self {
        Self::with(&["--unsafe-no-fsync"]).await
    }

    /// One that does wait.
    pub async fn durable() -> Self {
        Self::with(&[]).await
    }

    async fn with(options: &[&str]) -> Self {
        let mut process = Process::new("etcd");
        let data = process.directory.join("data");
        let client = format!("http://{}", process.address);
        let peer = format!("http://127.0.0.1:{}", free_port());
        let cluster = format!("n1={peer}");
        let fixed = [
            "etcd",
            "--name",
            "n1",
            "--data-dir",
            data.to_str().expect("a path that is text"),
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
            "--initial-cluster",
            &cluster,
            "--log-level",
            "error",
            // A short election: the shortest lease is half as much again, in whole seconds.
            "--heartbeat-interval",
            "10",
            "--election-timeout",
            "100",
        ];
        process.command(&[&fixed[..], options].concat());
        process.start().await;
        Self(process)
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.0.start().await;
    }

    /// The sum of all that it counts by this name, with this label.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn counted(&self, name: &str, label: &str) -> u64 {
        let mut stream = TcpStream::connect(self.address())
            .await
            .expect("it listens");
        let asked = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await;
        asked.expect("it hears");
        let mut said = String::new();
        let length = timeout(LONG, stream.read_to_string(&mut said)).await;
        length.expect("it answers").expect("it answers");
        let lines = said.lines().filter_map(|line| line.rsplit_once(' '));
        let counts = lines.filter(|(key, _)| key.starts_with(name) && key.contains(label));
        let sum: f64 = counts.filter_map(|(_, n)| n.parse::<f64>().ok()).sum();
        sum as u64
    }

    /// How to reach it, directly.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Deref for Etcd {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Etcd {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

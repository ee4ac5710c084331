//! [`Etcd`]: an etcd.

use std::ops::{Deref, DerefMut};

use super::{Process, free_port};

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

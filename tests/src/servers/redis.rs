//! [`Redis`]: a Redis.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{LONG, Process};
use crate::ms;

/// A Redis of its own.
#[derive(Debug)]
pub struct Redis(Process);

impl Redis {
    /// One that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"]).await
    }

    /// One that writes everything to disk before it answers.
    pub async fn durable() -> Self {
        Self::with(&[
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .await
    }

    async fn with(options: &[&str]) -> Self {
        let mut process = Process::new("redis");
        let port = process.address.port().to_string();
        let fixed = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ];
        process.command(&[&fixed[..], options].concat());
        process.start().await;
        let server = Self(process);
        server.answers().await;
        server
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.0.start().await;
        self.answers().await;
    }

    /// Waits until it has read what it has on disk.
    async fn answers(&self) {
        let ready = async {
            while !self.say("PING").await.starts_with("+PONG") {
                sleep(ms(5)).await;
            }
        };
        timeout(LONG, ready).await.expect("it answers");
    }

    /// Makes it a replica, and waits until it has what the primary has.
    ///
    /// # Panics
    ///
    /// If that takes longer than a minute.
    pub async fn follow(&self, primary: SocketAddr) {
        let (host, port) = (primary.ip(), primary.port());
        self.say(&format!("REPLICAOF {host} {port}")).await;
        let linked = async {
            while !self
                .say("INFO replication")
                .await
                .contains("master_link_status:up")
            {
                sleep(ms(5)).await;
            }
        };
        timeout(LONG, linked).await.expect("it follows");
    }

    /// Says a line, and gives what is answered at once: at most a few kilobytes.
    ///
    /// # Panics
    ///
    /// If nobody listens.
    pub async fn say(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address())
            .await
            .expect("it listens");
        let line = format!("{line}\r\n");
        stream.write_all(line.as_bytes()).await.expect("it hears");
        let mut answer = [0; 16_384];
        let length = timeout(LONG, stream.read(&mut answer)).await;
        let length = length.expect("it answers").expect("it answers");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }
}

impl Deref for Redis {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

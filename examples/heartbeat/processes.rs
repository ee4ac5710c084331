//! The processes: this binary again and again.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context, Result};
use murphy_core::order::NodeId;
use murphy_detect::Heartbeater;
use murphy_detect::wire::udp::UdpClient;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UdpSocket;

use crate::observer::Said;

/// How often a node beats.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// No child outlives this, whatever becomes of its parent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child, that is killed when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            // When the parent is gone it reads the end of this.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", arguments.join(" ")))?;
        Ok(Self(child))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// Hands on what it says, line by line, from a thread of its own.
    pub(crate) fn listen(&mut self, to: Sender<Said>) -> Result<()> {
        let said: ChildStdout = self.0.stdout.take().context("its output is taken")?;
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let Ok(said) = serde_json::from_str(&line) else {
                    continue;
                };
                if to.send(said).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also of one that is stopped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends this process with its parent, also one that stands still.
pub(crate) fn end_with_the_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// What a node is: it beats, and that is all.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn beat(name: &str, port: u16) -> Result<()> {
    end_with_the_parent();
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let client = UdpClient::new(socket, ([127, 0, 0, 1], port).into()).listening();
    let _beating = Heartbeater::new(NodeId::try_new(name)?, INTERVAL)?.spawn(client);
    tokio::time::sleep(PATIENCE).await;
    Ok(())
}

//! [`Process`]: a server that is started, killed, stopped and continued.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::LONG;
use crate::ms;

/// A server on loopback: its command, its directory, and the process while it runs.
#[derive(Debug)]
pub struct Process {
    pub(super) directory: PathBuf,
    pub(super) address: SocketAddr,
    words: Vec<String>,
    child: Option<Child>,
}

/// A port of loopback that nobody listens at.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Process {
    /// An empty directory for `name`, and a port.
    pub(super) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let directory = format!("murphy-{name}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir_all(&directory).expect("a directory");
        Self {
            directory,
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            words: Vec::new(),
            child: None,
        }
    }

    /// With which command it starts, from now on. On Linux it does not outlive the thread that starts it.
    pub(super) fn command(&mut self, words: &[&str]) {
        let guarded = ["setpriv", "--pdeathsig", "KILL", "--"];
        let guard = if cfg!(target_os = "linux") {
            &guarded[..]
        } else {
            &[]
        };
        self.words = guard.iter().chain(words).map(|w| (*w).into()).collect();
    }

    /// Starts it and waits until it listens; again if it ends at once, for what it left behind may still hold its port.
    pub(super) async fn start(&mut self) {
        for _ in 0..50 {
            let log = std::fs::File::create(self.log()).expect("a log");
            let errors = log.try_clone().expect("a log");
            let mut command = Command::new(&self.words[0]);
            command.args(&self.words[1..]).current_dir(&self.directory);
            command.stdin(Stdio::null()).stdout(log).stderr(errors);
            let child = command.spawn();
            self.child = Some(child.unwrap_or_else(|e| panic!("{:?}: {e}", self.words)));
            if timeout(LONG, self.listens()).await.expect("it listens") {
                return;
            }
            sleep(ms(100)).await;
        }
        let said = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!(
            "{:?} does not start (see `cargo xtask setup`): {said}",
            self.words
        );
    }

    /// Whether it comes to listen, before it ends.
    async fn listens(&mut self) -> bool {
        let child = self.child.as_mut().expect("a child");
        loop {
            if child.try_wait().expect("its state").is_some() {
                return false;
            }
            if TcpStream::connect(self.address).await.is_ok() {
                return true;
            }
            sleep(ms(5)).await;
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is its own on disk.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `SIGKILL`, to it and to its children. It has ended when this returns.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.signal(&child, Signal::KILL);
            let _ = child.wait();
        }
    }

    /// `SIGSTOP`, to it and to its children.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn stop(&self) {
        self.signal(self.child.as_ref().expect("it runs"), Signal::STOP);
    }

    /// `SIGCONT`.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn go_on(&self) {
        self.signal(self.child.as_ref().expect("it runs"), Signal::CONT);
    }

    fn signal(&self, child: &Child, signal: Signal) {
        let parent = Pid::from_child(child);
        // First the parent, so that it makes no more of them.
        for pid in std::iter::once(parent).chain(children(parent)) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The children of a process, where the system tells.
fn children(parent: Pid) -> Vec<Pid> {
    let pid = parent.as_raw_nonzero();
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.unwrap_or_default();
    let numbers = list.split_whitespace().filter_map(|n| n.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

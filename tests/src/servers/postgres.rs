//! [`Postgres`]: a PostgreSQL.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::time::{sleep, timeout};

use super::{LONG, Process};
use crate::ms;

/// A PostgreSQL of its own, for the user `postgres`, without a password.
#[derive(Debug)]
pub struct Postgres(Process);

impl Postgres {
    /// One that does not wait for its disk.
    pub async fn start() -> Self {
        Self::with(&["-c", "fsync=off"]).await
    }

    /// One that does.
    pub async fn durable() -> Self {
        Self::with(&[]).await
    }

    async fn with(options: &[&str]) -> Self {
        let mut process = Process::new("postgres");
        let programs = programs();
        let data = process.directory.join("data");
        let (data, sockets) = (text(&data), text(&process.directory).to_owned());
        let initdb = text(&programs.join("initdb")).to_owned();
        let user = user();
        if !user.is_empty() {
            run(&["chown", "postgres", &sockets]);
        }
        let settings = ["-A", "trust", "--no-sync", "-U", "postgres", "--locale=C"];
        run(&[&user[..], &[&*initdb, "-D", data], &settings].concat());
        let port = process.address.port().to_string();
        let server = text(&programs.join("postgres")).to_owned();
        let sockets = format!("unix_socket_directories={sockets}");
        let fixed = [
            &*server,
            "-D",
            data,
            "-p",
            &port,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            &sockets,
        ];
        let words = [&user[..], &fixed, options].concat();
        process.command(&words);
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

    /// It listens before it lets anybody in.
    async fn answers(&self) {
        let port = self.address().port().to_string();
        let ready = async {
            loop {
                let mut command = Command::new(programs().join("pg_isready"));
                command.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                if command.status().is_ok_and(|status| status.success()) {
                    return;
                }
                sleep(ms(10)).await;
            }
        };
        timeout(LONG, ready).await.expect("it lets us in");
    }

    /// How to reach it, directly.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address())
    }
}

/// It refuses to run as root: then it runs as its own user.
fn user() -> Vec<&'static str> {
    if rustix::process::geteuid().is_root() {
        let user = [
            "--reuid",
            "postgres",
            "--regid",
            "postgres",
            "--init-groups",
        ];
        [&["setpriv"], &user[..], &["--pdeathsig", "KILL", "--"]].concat()
    } else {
        Vec::new()
    }
}

/// Where its programs are: Debian keeps them apart, by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_default()
}

fn run(words: &[&str]) {
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{words:?} (see `cargo xtask setup`): {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

impl Deref for Postgres {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Postgres {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

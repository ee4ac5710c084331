//! Child processes: an example's own binary again and again, and signals for them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// How many lines a child may be behind with.
const LINES: usize = 1024;

/// A child, that is killed when this is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// This binary again, with these arguments.
    ///
    /// # Errors
    ///
    /// If the system starts no process.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            // When the parent is gone it reads the end of this.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", arguments.join(" ")))?;
        Ok(Self(child))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// Writes it a line, which it reads from [`orders`]. One that is stopped reads it later.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let to = self.0.stdin.as_mut().context("its input is taken")?;
        writeln!(to, "{line}").context("it does not listen any more")
    }

    /// Hands on what it [says](say), from a thread of its own, until the other end is gone.
    ///
    /// # Errors
    ///
    /// If it is listened to already.
    pub fn listen<T: DeserializeOwned>(
        &mut self,
        mut to: impl FnMut(T) -> bool + Send + 'static,
    ) -> Result<()> {
        let said = self.0.stdout.take().context("its output is taken")?;
        std::thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            for said in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if !to(said) {
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

/// The lines that a child's parent [tells](Process::tell) it. From now on this process ends with its parent, also one that
/// stands still.
#[must_use]
pub fn orders() -> mpsc::Receiver<String> {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let (to, orders) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = to.blocking_send(line);
        }
        std::process::exit(0);
    });
    orders
}

/// Says something to the parent: a line of JSON.
///
/// # Errors
///
/// If nobody reads it: the parent is gone.
pub fn say(said: &impl Serialize) -> Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(said)?)?;
    Ok(())
}

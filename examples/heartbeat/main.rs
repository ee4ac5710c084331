//! Who is alive? Five processes send heartbeats over UDP to a sixth, which has to know.
//!
//! One of the five is killed. One is stopped with `SIGSTOP`, and continued: a long garbage collection looks like that.
//! Then the observer itself is stopped: when it goes on, every node has been silent for seconds, by its clock. A detector
//! that only compares times takes them all for dead; this one knows that it was not there.
//!
//! ```text
//! cargo run --release --example heartbeat
//! cargo run --release --example heartbeat -- --json heartbeat.jsonl
//! ```
//!
//! It takes 19 s of real time, draws a table as long as it runs (plain lines where there is no terminal), and fails where the
//! killed node was not found, the stopped one did not come back, or the observer's own pause killed anybody.

#[cfg(unix)]
mod observer;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
mod screen;
#[cfg(unix)]
mod story;

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    use clap::Parser;

    match story::Args::parse().role {
        None => story::tell(),
        Some(story::Role::Observer) => observer::run(),
        Some(story::Role::Node { name, port }) => processes::beat(&name, port),
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This example stops processes with SIGSTOP, which is Unix's.");
}

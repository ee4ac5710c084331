//! Who leads? Five processes vote, over HTTP on loopback; whoever is elected leads for a term, and its term is its fencing token.
//!
//! The leader is killed, and another leads in a higher term. That one is stopped with `SIGSTOP`, which is no crash: when
//! it goes on it has been replaced, and knows it before it does anything. Then three of five are killed: nobody leads, since two are no
//! majority, until one of the three comes back, with its votes as they were on its disk.
//!
//! ```text
//! cargo run --release --example leader
//! cargo run --release --example leader -- --json leader.jsonl
//! ```
//!
//! It takes 8 s of real time, and fails where two led in one term, a term did not rise, or a minority had a leader.

#[cfg(unix)]
mod node;
#[cfg(unix)]
mod story;
#[cfg(unix)]
mod wire;

#[cfg(unix)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    use clap::Parser;

    let args = story::Args::parse();
    match args.role {
        None => story::tell(args.json).await,
        Some(story::Role::Node {
            name,
            folder,
            ports,
            first,
        }) => node::run(&name, &folder, &ports, first).await,
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This example stops processes with SIGSTOP, which is Unix's.");
}

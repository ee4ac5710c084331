//! A lease that expires under its holder: what its own check sees, what it cannot see, and who refuses it then.
//!
//! Two workers, each a process of its own, pay into two accounts. Each reads both balances, adds its deposit, and writes both
//! back: to an account that takes what it is sent, under an `UnfencedLock`, and to one that is fenced, under a `Lease` and with its
//! token. Three times the first is stopped with `SIGSTOP` for twice the lease that it was granted, and the second goes ahead:
//!
//! 1. before it checks that it still holds the locks: its check catches it;
//! 2. after that check: it writes over the other's deposit, and the fenced account refuses it;
//! 3. when its writes are on their way, and the network delays them: the same, and no check could help.
//!
//! ```text
//! cargo run --release --example fenced_lease
//! cargo run --release --example fenced_lease -- --json fenced_lease.jsonl
//! ```
//!
//! The locks are kept in a file, of which this process serves the workers over a socket. It takes 11 s of real time, and
//! fails where the account without a fence is not corrupted, or the fenced one is.
//!
//! # In a real server
//!
//! ```text
//! cargo run --features servers --example fenced_lease -- --store redis://127.0.0.1:6379
//! cargo run --features servers --example fenced_lease -- --store postgres://user:password@127.0.0.1/database
//! cargo run --features servers --example fenced_lease -- --store etcd://127.0.0.1:2379
//! ```
//!
//! `--store redis`, `postgres` or `etcd` starts one on loopback for the time, where it is installed (`cargo xtask setup`). To build
//! etcd's client takes `protoc`. In PostgreSQL the fenced accounts are a table beside the leases (`murphy_fenced`, rows
//! `fenced_lease/…`, which stay), and a write and the look at its token are one statement of the server's; Redis and etcd have no fenced
//! store here, and the accounts are in a file of the bank's, as by default. With etcd it takes some 20 s: its leases are two
//! seconds at least. There is no TLS.

#[cfg(unix)]
mod accounts;
#[cfg(unix)]
mod bank;
#[cfg(all(unix, feature = "servers"))]
mod servers;
#[cfg(unix)]
mod stores;
#[cfg(unix)]
mod story;
#[cfg(unix)]
mod worker;

#[cfg(unix)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    use clap::Parser;

    let args = story::Args::parse();
    match args.role {
        None => story::tell(args).await,
        Some(story::Role::Worker { bank }) => worker::run(&args.store, &bank).await,
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This example stops processes with SIGSTOP, which is Unix's.");
}

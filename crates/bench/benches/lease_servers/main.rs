//! What leases in Redis, PostgreSQL and etcd cost beside the bare drivers and other locks, in one run:
//!
//! ```text
//! cargo bench -p bench --features servers --bench lease_servers
//! ```
//!
//! It starts the servers itself (`cargo xtask setup`), on loopback; prints tables, and writes
//! `target/figures/lease_servers.jsonl`. Two kinds of figures:
//!
//! * pairs of an acquire and a release, one client ([`pairs`]): us, the bare driver that says the same, and peers; all of them
//!   in turn, round after round, and compared within a round;
//! * 32 clients on one lock ([`bench::crowd`]): waits, and the time from a release to the next grant.
//!
//! `-- --seconds 30` lets the crowd run for so long on each store; 3 by default. `-- --only etcd` (or `redis`, `postgres`) measures one.

mod etcd;
mod pairs;
mod postgres;
mod redis;

/// The statements of the store, for the bare driver to say the same.
#[expect(dead_code, reason = "only what is measured is said here")]
#[path = "../../../murphy-lease/src/store/postgres/sql.rs"]
mod sql;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use bench::crowd;
use bench::figure::{self, Figure};
use bench::process::folder;
use bench::report::{self, Promise};
use murphy_lease::{LeaseStore, Rank};

/// Long enough for no lease to end.
const TTL: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // In a task, as a service's calls are: whatever wakes what a runtime blocks on has it look at its sockets first.
    let measured = tokio::spawn(measured(Duration::from_secs(seconds())));
    match measured.await.map_err(anyhow::Error::from).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lease_servers: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn seconds() -> u64 {
    given("--seconds").and_then(|n| n.parse().ok()).unwrap_or(3)
}

/// What follows a word on the command line.
fn given(word: &str) -> Option<String> {
    env::args().skip_while(|arg| arg != word).nth(1)
}

/// Whether this server is to be measured: all are, unless one is named.
fn is_wanted(server: &str) -> bool {
    let is_wanted = given("--only").is_none_or(|only| only == server);
    if is_wanted {
        eprintln!("lease_servers: {server}");
    }
    is_wanted
}

async fn measured(time: Duration) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    if is_wanted("redis") {
        figures.extend(redis::measure(time).await?);
    }
    if is_wanted("postgres") {
        figures.extend(postgres::measure(time).await?);
    }
    if is_wanted("etcd") {
        figures.extend(etcd::measure(time).await?);
    }
    for (heading, unit) in [
        ("acquire and release", "pairs/s"),
        ("beside it", "ratio"),
        ("32 clients on one lock", "ms"),
        ("others that had it meanwhile", "turns"),
    ] {
        println!("{}", report::list(heading, &figures, unit));
    }
    println!("{}", report::reach(REACH, &figures));
    let path = figure::write(&folder(), "lease_servers", &figures)?;
    println!("{} figures in {}", figures.len(), path.display());
    Ok(())
}

/// Two crowds, one after the other.
async fn crowds<S>(name: &str, store: &S, time: Duration) -> anyhow::Result<Vec<Figure>>
where
    S: LeaseStore<Error: std::error::Error + Sync> + Sync,
{
    let mut figures = crowd::measure(name, store.clone(), crowd::SHORT, time).await?;
    figures.extend(crowd::measure(name, store.clone(), crowd::LONG, time).await?);
    Ok(figures)
}

/// What was promised. `time_by_raw`: our time for a pair, in units of the bare driver's.
const REACH: &[Promise] = &[
    ("lease.redis.time_by_raw", true, 1.05),
    ("lease.redis.rate_by_rslock", false, 1.0),
    ("lease.postgres.time_by_raw", true, 1.05),
    ("lease.etcd.time_by_raw", true, 1.05),
    ("lease.etcd.rate_by_grant_lock_unlock_revoke", false, 1.7),
    ("lease.etcd.wait_p99_by_fair", true, 3.0),
    ("lease.etcd.wait_p99_turns", true, 96.0),
    ("lease.etcd.long_wait_p99_by_fair", true, 3.0),
];

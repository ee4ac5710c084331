//! What the stores of leases of a process and of a host do in a second, and how long one waits, in one run:
//!
//! ```text
//! cargo bench -p bench --bench lease
//! ```
//!
//! It prints tables and writes `target/figures/lease.jsonl`. Two kinds of figures:
//!
//! * pairs of an acquire and a release a second, beside what the disk commits, one caller ([`pairs`]);
//! * 32 clients on one lock: waits, and the time from a release to the next grant ([`bench::crowd`]).
//!
//! `-- --seconds 30` measures each store for so long; 3 by default. Instructions and allocations of a pair are in the
//! bench `overhead`.

mod pairs;
mod stores;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use bench::crowd;
use bench::figure::{self, Figure};
use bench::process::folder;
use bench::report::{self, Promise};
use tokio::runtime::Runtime;

use crate::stores::Store;

fn main() -> ExitCode {
    match measured(Duration::from_secs(seconds())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lease: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn seconds() -> u64 {
    let mut args = env::args().skip_while(|arg| arg != "--seconds").skip(1);
    args.next().and_then(|n| n.parse().ok()).unwrap_or(3)
}

fn measured(time: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    eprintln!("lease: pairs a second");
    let mut figures = pairs::measure(&runtime, time)?;
    eprintln!("lease: 32 clients on one lock");
    figures.extend(crowds(&runtime, time)?);
    for (heading, unit) in [
        ("acquire and release", "pairs/s"),
        ("the disk", "commits/s"),
        ("32 clients on one lock", "ms"),
        ("others that had it meanwhile", "turns"),
        ("how fair that is", "ratio"),
    ] {
        println!("{}", report::list(heading, &figures, unit));
    }
    println!("{}", report::reach(REACH, &figures));
    let path = figure::write(&folder(), "lease", &figures)?;
    println!("{} figures in {}", figures.len(), path.display());
    Ok(())
}

fn crowds(runtime: &Runtime, time: Duration) -> anyhow::Result<Vec<Figure>> {
    let (_ground, stores) = Store::all(runtime)?;
    let mut figures = Vec::new();
    for (name, store) in stores {
        for turn in [crowd::SHORT, crowd::LONG] {
            figures.extend(runtime.block_on(async {
                match store.clone() {
                    Store::Memory(store) => crowd::measure(name, store, turn, time).await,
                    Store::File(store) => crowd::measure(name, store, turn, time).await,
                    Store::Socket(store) => crowd::measure(name, store, turn, time).await,
                }
            })?);
        }
    }
    Ok(figures)
}

const REACH: &[Promise] = &[
    ("lease.file.pairs_per_s", false, 50_000.0),
    ("lease.file.client.pairs_per_s", false, 50_000.0),
    ("lease.memory.wait_p99_by_fair", true, 3.0),
    ("lease.file.wait_p99_by_fair", true, 3.0),
    ("lease.socket.wait_p99_by_fair", true, 3.0),
    ("lease.memory.long_wait_p99_by_fair", true, 3.0),
    ("lease.file.long_wait_p99_by_fair", true, 3.0),
    ("lease.socket.long_wait_p99_by_fair", true, 3.0),
];

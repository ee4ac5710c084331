//! What an exploration costs:
//!
//! ```text
//! cargo bench -p bench --bench explore
//! ```
//!
//! Runs a second of a lock with leases ([`lease`]), requests a second through axum and hyper in virtual time ([`http`]), every single
//! fault of 64 calls, and how many replays it takes to shrink. Times are of the processor where the system tells (Linux, in hundredths
//! of a second), else of a clock; one thread explores. It prints a table and writes `target/figures/explore.jsonl`.

mod http;
mod lease;
mod singles;

use std::process::ExitCode;

use bench::figure::{self, Figure};
use bench::process::folder;
use bench::report::{self, Promise};
use criterion::measurement::{Measurement, WallTime};
use murphy_chaos::core::Seed;
use murphy_chaos::{Budget, Explore, explore};

fn main() -> ExitCode {
    let figures: Vec<Figure> = [lease::measure(), http::measure(), singles::measure()]
        .into_iter()
        .flatten()
        .collect();
    for (heading, unit) in [
        ("a second, of one core", "1/s"),
        ("every single fault", "ms"),
        ("to shrink", "replays"),
    ] {
        println!("{}", report::list(heading, &figures, unit));
    }
    println!("{}", report::reach(REACH, &figures));
    match figure::write(&folder(), "explore", &figures) {
        Ok(path) => println!("{} figures in {}", figures.len(), path.display()),
        Err(e) => eprintln!("explore: the figures could not be written: {e}"),
    }
    ExitCode::SUCCESS
}

/// What was promised.
const REACH: &[Promise] = &[
    ("explore.lease.runs", false, 5_000.0),
    ("explore.http.requests", false, 60_000.0),
    ("explore.singles_of_64.ms", true, 100.0),
    ("explore.shrink.replays", true, 20.0),
];

/// On one thread, and without what an earlier one left.
fn exploration(name: &str, runs: u64) -> Explore {
    let files = std::env::temp_dir().join(format!("murphy-explore-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&files);
    explore(name)
        .artifacts(files)
        .seed(Seed::new(1))
        .jobs(1)
        .budget(Budget::runs(runs))
}

/// What it gives, and the seconds of processor time that it took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let (start, before) = (WallTime.start(), processor());
    let given = run();
    let real = WallTime.end(start).as_secs_f64();
    let spent = processor().zip(before).map(|(now, before)| now - before);
    (given, spent.unwrap_or(real))
}

/// Seconds of processor time so far, of all threads.
fn processor() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

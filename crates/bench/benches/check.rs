//! What it costs to decide whether a history was legal:
//!
//! ```text
//! cargo bench -p bench --bench check
//! ```
//!
//! Histories of 100 clients and 10,000 calls on a key-value store ([`bench::check`]), each in a process of its own: milliseconds to the
//! verdict (witness included), and the most that was allocated at one time. It prints a table and writes
//! `target/figures/check.jsonl`. A verdict other than the one that is known makes the exit 1.

use std::alloc::System;
use std::env;
use std::process::ExitCode;

use bench::check::{Load, Store, history, loads};
use bench::figure::{self, Figure};
use bench::process::{PART, folder, lines_of, part};
use bench::report::{self, Promise};
use cap::Cap;
use criterion::measurement::{Measurement, WallTime};
use murphy_check::Checker;

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let loads = loads();
    match env::var(PART) {
        Ok(name) => {
            let load = loads.iter().find(|load| load.name == name);
            load.map(judge);
            ExitCode::SUCCESS
        }
        Err(_) => everything(&loads),
    }
}

/// Prints `verdict milliseconds megabytes operations-in-the-witness`.
fn judge(load: &Load) {
    let history = history(load);
    let held = ALLOCATED.allocated();
    let mut times = Vec::new();
    let mut said = String::new();
    for _ in 0..ROUNDS {
        let start = WallTime.start();
        let verdict = Checker::new().check(&Store::new(), &history);
        times.push(WallTime.end(start).as_secs_f64() * 1e3);
        let witness = verdict.witness().map_or(0, |w| w.operations.len());
        said = format!("{verdict} {witness}");
    }
    times.sort_by(f64::total_cmp);
    let most = (ALLOCATED.max_allocated() - held) as f64 / 1e6;
    println!("{said} {} {most}", times[ROUNDS / 2]);
}

fn everything(loads: &[Load]) -> ExitCode {
    let mut figures = Vec::new();
    let mut is_well = true;
    for load in loads {
        let wanted = if load.is_stale { "illegal" } else { "legal" };
        let note = format!(
            "{} clients, {} calls, {} keys, {} of 1,000 replies lost: {wanted}",
            load.clients, load.calls, load.keys, load.lost
        );
        let mut line = String::new();
        let status = part(load.name).and_then(|mut part| lines_of(&mut part, |said| line = said));
        let words: Vec<&str> = line.split(' ').collect();
        let [verdict, witness, ms, mb] = words.as_slice() else {
            eprintln!("check: {}: {line} ({status:?})", load.name);
            is_well = false;
            continue;
        };
        if *verdict != wanted {
            eprintln!("check: {}: {verdict}, not {wanted}", load.name);
            is_well = false;
        }
        let mut push = |what: &str, value: &str, unit| {
            let name = format!("check.{}.{what}", load.name);
            let value = value.parse().unwrap_or(f64::NAN);
            figures.push(Figure::new(name, "murphy", value, unit, &note));
        };
        push("ms", ms, "ms");
        push("mb", mb, "MB");
        if load.is_stale {
            push("witness", witness, "operations");
        }
    }
    for (heading, unit) in [
        ("to a verdict", "ms"),
        ("held at most", "MB"),
        ("in the witness", "operations"),
    ] {
        println!("{}", report::list(heading, &figures, unit));
    }
    println!("{}", report::reach(REACH, &figures));
    match figure::write(&folder(), "check", &figures) {
        Ok(path) => println!("{} figures in {}", figures.len(), path.display()),
        Err(e) => eprintln!("check: the figures could not be written: {e}"),
    }
    ExitCode::from(u8::from(!is_well))
}

/// What was promised.
const REACH: &[Promise] = &[
    ("check.kv_100_keys.ms", true, 5_000.0),
    ("check.kv_100_keys.mb", true, 500.0),
    ("check.kv_10_keys.ms", true, 5_000.0),
    ("check.kv_10_keys.mb", true, 500.0),
    ("check.kv_100_keys_illegal.ms", true, 5_000.0),
    ("check.kv_100_keys_illegal.mb", true, 500.0),
    ("check.kv_10_keys_illegal.ms", true, 5_000.0),
    ("check.kv_10_keys_illegal.mb", true, 500.0),
];

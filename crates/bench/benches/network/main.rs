//! What a network of links costs, in one run:
//!
//! ```text
//! cargo bench -p bench --bench network
//! ```
//!
//! It prints tables and writes `target/figures/network.jsonl`. Four kinds of figures:
//!
//! * instructions and allocations of calls over links, beside calls that a plain rule treats alike,
//!   by gungraun under valgrind ([`instructions`]);
//! * the memory of 1,000 nodes and 999,000 links, by DHAT ([`size`]);
//! * milliseconds to cut and heal all of them ([`change`]);
//! * round trips a second, in virtual time, beside turmoil ([`rate`]).
//!
//! Where valgrind or gungraun's runner is missing (`cargo xtask setup --bench`), the rest is measured
//! and printed all the same, and the exit is not 0.
//!
//! `-- --only CASE N` makes N calls of one case and measures nothing: for a profiler. `-- --list`
//! names the cases.

mod change;
mod instructions;
mod rate;
mod size;

use std::env;
use std::fs;
use std::process::ExitCode;

use bench::process::{PART, folder};
use bench::report::{self, Measured, Promise};
use bench::{cases, counts, figure};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match (env::var(PART).as_deref(), args.as_slice()) {
        // The runner starts this program for every single measurement.
        (_, ["--gungraun-run", ..]) | (Ok("instructions"), _) => instructions::run(),
        (Ok("size"), _) => size::run(),
        (_, ["--only", case, calls, ..]) => return cases::only(&cases::network(), case, calls),
        (_, ["--list", ..]) => cases::network()
            .iter()
            .for_each(|c| println!("{}", c.name())),
        _ => return everything(),
    }
    ExitCode::SUCCESS
}

fn everything() -> ExitCode {
    let cases = cases::network();
    // What an earlier run left must not be taken for this one's.
    let scratch = folder().join("network");
    _ = fs::remove_dir_all(&scratch);
    if let Err(e) = fs::create_dir_all(&scratch) {
        eprintln!("network: {}: {e}", scratch.display());
    }
    eprintln!(
        "network: instructions and allocations of {} cases",
        cases.len()
    );
    let counted = counts::measure(&scratch, cases.len());
    let measured = |(at, case): (usize, &cases::Case)| Measured {
        case: *case,
        ns: None,
        counts: counted
            .as_ref()
            .ok()
            .and_then(|counts| counts.get(at).copied()),
    };
    let measured: Vec<Measured> = cases.iter().enumerate().map(measured).collect();
    let mut figures = report::figures(&measured);
    eprintln!("network: memory of a million links");
    let sized = size::measure();
    figures.extend(sized.as_ref().ok().cloned());
    eprintln!("network: cutting and healing them");
    figures.extend(change::measure());
    eprintln!("network: round trips");
    figures.extend(rate::measure());

    println!("{}", report::table(&measured));
    for (heading, unit) in [
        ("a million links", "MB"),
        ("all of them", "ms"),
        ("round trips a second, virtual time", "trips/s"),
        ("how flat that is", "ratio"),
    ] {
        println!("{}", report::list(heading, &figures, unit));
    }
    println!("{}", report::reach(REACH, &figures));
    match figure::write(&folder(), "network", &figures) {
        Ok(path) => println!("{} figures in {}", figures.len(), path.display()),
        Err(e) => eprintln!("network: the figures could not be written: {e}"),
    }
    let problems: Vec<String> = [counted.err(), sized.err()].into_iter().flatten().collect();
    for problem in &problems {
        eprintln!("network: {problem}");
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}

/// What was promised. "Over bare" is over the plain rule.
const REACH: &[Promise] = &[
    ("network.link_clear.instructions_over_bare", true, 25.0),
    ("network.cut.instructions_over_bare", true, 25.0),
    ("network.link_delayed.instructions_over_bare", true, 25.0),
    ("network.profile.instructions_over_bare", true, 25.0),
    ("network.queue.instructions_over_bare", true, 25.0),
    ("network.queue_bytes.instructions_over_bare", true, 25.0),
    ("network.described_mb", true, 100.0),
    ("network.partition_ms", true, 10.0),
    ("network.partition_heal_ms", true, 10.0),
    ("network.isolate_ms", true, 10.0),
    ("network.majorities_ring_ms", true, 10.0),
    ("network.majorities_ring_repair_ms", true, 10.0),
    ("network.throughput.20_nodes.by_2_nodes", false, 0.7),
    ("network.throughput.200_nodes.by_2_nodes", false, 0.7),
    ("network.throughput.2000_nodes.by_2_nodes", false, 0.7),
    (
        "network.throughput_2_clients.2000_nodes.by_2_nodes",
        false,
        0.7,
    ),
];

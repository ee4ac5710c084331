//! What our layers cost, beside the peers, in one run:
//!
//! ```text
//! cargo bench -p bench --bench overhead
//! ```
//!
//! It prints a table and writes `target/figures/overhead.jsonl`. Four kinds of figures:
//!
//! * nanoseconds, by criterion, in many short rounds over all cases ([`time`]);
//! * instructions, by gungraun under valgrind, and exact ([`instructions`]);
//! * allocations, by the same and just as exact: DHAT counts them from outside, so that no counter
//!   in the allocator slows those down who allocate;
//! * calls a second that faults strike, in virtual time ([`rate`]).
//!
//! Instructions need valgrind and gungraun's runner: `cargo xtask setup --bench`. Where they are
//! missing, the rest is measured and printed all the same, and the exit is not 0.
//!
//! `-- --only CASE N` makes N calls of one case and measures nothing: for a profiler. `-- --list`
//! names the cases. `BENCH_ROWS=quorum` in the environment measures only the rows that begin so, and writes
//! `overhead-rows.jsonl`; `BENCH_ROWS=waiting` only the timeouts that wait.

mod instructions;
mod pending;
mod rate;
mod reach;
mod time;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use bench::cases::{self, Case};
use bench::counts;
use bench::figure::{self, Figure};
use bench::process::{PART, ROWS, folder, part};
use bench::report::{self, Measured};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match (env::var(PART).as_deref(), args.as_slice()) {
        // The runner starts this program for every single measurement.
        (_, ["--gungraun-run", ..]) | (Ok("instructions"), _) => instructions::run(),
        (Ok(part), _) if part.starts_with("pending-") => pending::run(&part["pending-".len()..]),
        (Ok("time"), _) => time::run(&folder().join("overhead/criterion")),
        (_, ["--only", case, calls, ..]) => return cases::only(&cases::all(), case, calls),
        (_, ["--list", ..]) => cases::all().iter().for_each(|c| println!("{}", c.name())),
        _ => return everything(),
    }
    ExitCode::SUCCESS
}

fn everything() -> ExitCode {
    let cases = cases::all();
    let mut figures = Vec::new();
    // What an earlier run left must not be taken for this one's.
    let scratch = folder().join("overhead");
    _ = fs::remove_dir_all(&scratch);
    if let Err(e) = fs::create_dir_all(&scratch) {
        eprintln!("overhead: {}: {e}", scratch.display());
    }
    eprintln!(
        "overhead: time, {} rounds of {} cases",
        time::ROUNDS,
        cases.len()
    );
    let timed = measure_time(&scratch);
    eprintln!(
        "overhead: instructions and allocations of {} cases",
        cases.len()
    );
    let counted = counts::measure(&scratch, cases.len());
    let times = |case: &Case| {
        timed
            .as_ref()
            .ok()
            .and_then(|folder| time::read(folder, case))
    };
    let counts = |at: usize| {
        counted
            .as_ref()
            .ok()
            .and_then(|counts| counts.get(at).copied())
    };
    let measured: Vec<Measured> = cases
        .iter()
        .enumerate()
        .map(|(at, case)| Measured {
            case: *case,
            ns: times(case),
            counts: counts(at),
        })
        .collect();
    figures.extend(report::figures(&measured));
    figures.extend(reach::ratios(&figures));
    let is_whole = env::var_os(ROWS).is_none();
    let memory = if is_whole {
        beside(&mut figures)
    } else {
        if env::var(ROWS).is_ok_and(|rows| rows == "waiting") {
            figures.extend(pending::measure());
        }
        Ok(())
    };

    println!("{}", report::table(&measured));
    let struck = "faulted calls a second, virtual time";
    println!("{}", report::list(struck, &figures, "calls/s"));
    for (heading, unit) in [
        ("timeouts that wait, idle budgets", "ns"),
        ("memory", "bytes"),
    ] {
        let own: Vec<_> = figures
            .iter()
            .filter(|f| is_own(&f.figure))
            .cloned()
            .collect();
        println!("{}", report::list(heading, &own, unit));
    }
    println!("{}", report::list("ratios", &figures, "ratio"));
    println!("{}", report::reach(reach::REACH, &figures));
    let name = if is_whole {
        "overhead"
    } else {
        "overhead-rows"
    };
    match figure::write(&folder(), name, &figures) {
        Ok(path) => println!("{} figures in {}", figures.len(), path.display()),
        Err(e) => eprintln!("overhead: the figures could not be written: {e}"),
    }
    let problems: Vec<String> = [timed.err(), counted.err(), memory.err()]
        .into_iter()
        .flatten()
        .collect();
    for problem in &problems {
        eprintln!("overhead: {problem}");
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}

/// What is no row of the table.
fn beside(figures: &mut Vec<Figure>) -> Result<(), String> {
    // First, since the first clock that is paused makes each look at one dearer, in the whole process.
    eprintln!("overhead: timeouts that wait");
    figures.extend(pending::measure());
    eprintln!("overhead: calls that faults strike");
    figures.extend(rate::measure());
    figures.extend(pending::memory()?);
    Ok(())
}

/// Whether a figure is none of the table's.
fn is_own(figure: &str) -> bool {
    figure.contains("_threads") || figure.contains("million") || figure.contains("idle")
}

/// In a process of its own, so that no clock was ever paused in it, and criterion's talk does not
/// bury the table.
fn measure_time(scratch: &Path) -> Result<PathBuf, String> {
    let mut part = part("time").map_err(|e| format!("time: {e}"))?;
    let log = scratch.join("criterion.log");
    let create = || fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()));
    let status = part.stdout(create()?).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(scratch.join("criterion")),
        Ok(status) => Err(format!("time was not measured: {status}")),
        Err(e) => Err(format!("time was not measured: {e}")),
    }
}

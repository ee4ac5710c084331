//! Instructions and allocations, exact, by gungraun under valgrind's callgrind and DHAT.
//!
//! Every case runs twice, for few and for many calls: the difference is what a call costs, whatever
//! the first ones cost. This process is started once a run by gungraun's runner.

use std::path::Path;

use bench::cases;
use bench::drive::{REQUESTS, Run};
use gungraun::prelude::*;
use gungraun::{Dhat, library_benchmark, library_benchmark_group, main};

/// Calls of the short run and of the long one.
pub(crate) const CALLS: [u64; 2] = [1_000, 3_000];

/// Case by case, the short run and then the long one.
fn runs() -> impl Iterator<Item = (usize, u64)> {
    (0..cases::all().len()).flat_map(|case| CALLS.map(|calls| (case, calls)))
}

fn warm((case, calls): (usize, u64)) -> (Run, u64) {
    let mut run = cases::all()[case].build();
    run(2 * REQUESTS);
    (run, calls)
}

// The run is handed back, so that its end is not counted.
#[library_benchmark]
#[benches::of(iter = runs(), setup = warm)]
fn calls((mut run, calls): (Run, u64)) -> Run {
    run(calls);
    run
}

library_benchmark_group!(name = overhead, benchmarks = calls);

main!(
    config = LibraryBenchmarkConfig::default().tool(Dhat::default()),
    library_benchmark_groups = overhead
);

pub(crate) fn run() {
    main();
}

/// What one call costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

/// Counts all cases, in order, through gungraun's runner.
pub(crate) fn measure(scratch: &Path, cases: usize) -> Result<Vec<Counts>, String> {
    let mut totals = vec![None; cases * CALLS.len()];
    let mut part = super::part("instructions").map_err(|e| e.to_string())?;
    part.args(["--output-format=json"]);
    part.env("GUNGRAUN_HOME", scratch.join("gungraun"));
    let status = super::lines_of(&mut part, |line| {
        if let Some((run, counts)) = total(&line)
            && let Some(place) = totals.get_mut(run)
        {
            *place = Some(counts);
        }
    });
    let whole: Option<Vec<Counts>> = totals.into_iter().collect();
    match (whole, status) {
        (Some(totals), Ok(_)) => Ok(totals.chunks_exact(CALLS.len()).map(per_call).collect()),
        (_, Ok(status)) => Err(format!("{MISSING} ({status})")),
        (_, Err(e)) => Err(format!("{MISSING} ({e})")),
    }
}

const MISSING: &str = "instructions and allocations were not counted. Run `cargo xtask setup --bench` \
    and try again";

/// Which run a line of gungraun's is about, and what that run cost.
fn total(line: &str) -> Option<(usize, Counts)> {
    let summary: serde_json::Value = serde_json::from_str(line).ok()?;
    let run = summary["id"].as_str()?.strip_prefix("of_")?.parse().ok()?;
    let metric = |tool: &str, name: &str| {
        let profiles = summary["profiles"].as_array()?;
        let profile = profiles.iter().find(|p| p["tool"] == tool)?;
        profile["data"]["total"]["metrics"][name]["values"]["new"].as_f64()
    };
    let counts = Counts {
        instructions: metric("Callgrind", "Ir")?,
        allocations: metric("DHAT", "TotalBlocks")?,
        bytes: metric("DHAT", "TotalBytes")?,
    };
    Some((run, counts))
}

fn per_call(runs: &[Counts]) -> Counts {
    let (short, long) = (runs[0], runs[1]);
    let calls = (CALLS[1] - CALLS[0]) as f64;
    let each = |of: fn(&Counts) -> f64| (of(&long) - of(&short)) / calls;
    Counts {
        instructions: each(|c| c.instructions),
        allocations: each(|c| c.allocations),
        bytes: each(|c| c.bytes),
    }
}

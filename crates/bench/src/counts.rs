//! Instructions and allocations of each case, as gungraun's runner prints them.
//!
//! Every case runs twice, for few and for many calls: the difference is what a call costs, whatever
//! the first ones cost.

use std::path::Path;

use crate::cases::Case;
use crate::drive::{REQUESTS, Run};
use crate::process;

/// Calls of the short run and of the long one.
const CALLS: [u64; 2] = [1_000, 3_000];

/// What one call costs.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Callgrind's.
    pub instructions: f64,
    /// DHAT's.
    pub allocations: f64,
    /// What was allocated, by the same.
    pub bytes: f64,
}

/// Case by case, the short run and then the long one.
pub fn runs(cases: &[Case]) -> impl Iterator<Item = (usize, u64)> + use<> {
    (0..cases.len()).flat_map(|case| CALLS.map(|calls| (case, calls)))
}

/// A case that was built, and has made its first calls.
#[must_use]
pub fn warm(case: &Case) -> Run {
    let mut run = case.build();
    run(2 * REQUESTS);
    run
}

/// Counts all cases, in order, in the part `instructions` of this program.
///
/// # Errors
///
/// What is missing, and how to come by it.
pub fn measure(scratch: &Path, cases: usize) -> Result<Vec<Counts>, String> {
    let mut totals = vec![None; cases * CALLS.len()];
    let mut part = process::part("instructions").map_err(|e| e.to_string())?;
    part.args(["--output-format=json"]);
    part.env("GUNGRAUN_HOME", scratch.join("gungraun"));
    let status = process::lines_of(&mut part, |line| {
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

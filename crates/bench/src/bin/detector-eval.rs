//! Failure detectors, side by side, and held to what was published of them.
//!
//! ```text
//! cargo run --release -p bench --bin detector-eval
//! cargo run --release -p bench --bin detector-eval -- --json detectors.jsonl
//! cargo run --release -p bench --bin detector-eval -- --quick --traces FOLDER
//! ```
//!
//! * Chen's closed forms, and the same simulated;
//! * all detectors at the same mean time to detection, on three workloads;
//! * the same on silences alone: drawn ones, and recorded ones (`--traces`: one a line, in milliseconds or with a unit);
//! * an observer that stands still;
//! * Chen's example of a configuration;
//! * a million nodes: what a beat costs, and what a node weighs.
//!
//! It fails where a figure is off. Time is not among those.

use std::alloc::System;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bench::detect::verdicts::Verdicts;
use bench::detect::{closed_form, configured, pause, scale, silences, table};
use bench::figure;
use cap::Cap;
use clap::Parser;
use murphy_core::Seed;

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

#[derive(Parser)]
#[command(about = "Failure detectors, side by side", version)]
struct Args {
    /// Other chances: a number. Three standard errors are exceeded by one seed in fifteen.
    #[arg(long, default_value = "42")]
    seed: Seed,
    /// Write the figures to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// An eighth of the beats, and no million nodes.
    #[arg(long)]
    quick: bool,
    /// Recorded silences to judge as well: files, or folders of them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    traces: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let Args {
        seed,
        json,
        quick,
        traces,
    } = Args::parse();
    let mut verdicts = Verdicts::default();
    let recorded = silences::read(&traces)?;
    println!("seed {seed}");

    let millions = if quick { 6 } else { 48 };
    println!("\nChen's closed forms, {millions} million periods (`!` is off)\n");
    println!("{}", closed_form::measure(seed, millions, &mut verdicts));

    println!("\nAt the same mean time to detection\n");
    let part = if quick { 8 } else { 1 };
    println!("{}", table::measure(seed, part, &mut verdicts));

    println!("\nSilences alone\n");
    let mut all = silences::drawn(seed, 400_000 / part);
    all.extend(recorded);
    println!("{}", silences::measure(&all, &mut verdicts));

    println!("\nAn observer that stands still, 100 peers\n");
    println!("{}", pause::measure(seed, &mut verdicts));

    println!("\nChen's configurator\n");
    println!("{}", configured::measure(&mut verdicts));

    if !quick {
        println!("\nA million nodes\n");
        println!(
            "{}",
            scale::measure(|| ALLOCATED.allocated(), &mut verdicts)
        );
    }
    if let Some(path) = json {
        figure::write_to(&path, &verdicts.figures)
            .with_context(|| format!("--json: cannot write `{}`", path.display()))?;
    }
    ensure!(
        verdicts.off.is_empty(),
        "off:\n  {}",
        verdicts.off.join("\n  ")
    );
    Ok(())
}

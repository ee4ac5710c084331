//! A retry storm against a real payments service.
//!
//! An axum service on loopback charges accounts. A hyper client calls it through a link that
//! delays, loses requests, loses replies, refuses and duplicates, and whose way back breaks for
//! three seconds. The same orders, with the same fates at their first attempts, go through seven
//! stacks: nothing; an attempt timeout; naive retries on top; deadline, jitter and budget on top;
//! then a key for each order; a hedge; a breaker.
//!
//! ```text
//! cargo run --release --example storm
//! cargo run --release --example storm -- --seed 7 --json storm.jsonl
//! cargo run --release --example storm -- --list
//! cargo run --release --example storm -- --seeds 20
//! ```
//!
//! It takes about 13 seconds, and fails if its lesson does not appear: retries lift success, and
//! charge somebody twice; with a key they charge nobody twice, and the last row's success is the best. With
//! `--seeds N` it looks for the same lesson under each of so many seeds, without sockets and in virtual time.

mod figures;
mod payments;
mod report;
mod row;
mod seeds;
mod stacks;
mod waterfall;
mod wire;
mod workload;

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use indicatif::MultiProgress;
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};

use row::Row;
use wire::Wire;

/// The site: the link from checkout to payments.
const SITE: &str = "checkout->payments";

/// Where the ledgers go.
const LEDGERS: &str = "target/storm";

#[derive(Parser)]
#[command(about = "A retry storm against a real payments service", version)]
struct Args {
    /// Repeat a storm: the seed that it printed. Else `MURPHY_SEED`, else a fresh one.
    #[arg(long)]
    seed: Option<Seed>,
    /// Other weather: a plan for the site `checkout->payments`, or a ledger to replay. Else
    /// `MURPHY_PLAN`.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Write the figures as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Look for the lesson under so many seeds, one after the other, from this one on: without sockets,
    /// in virtual time.
    #[arg(long, value_name = "N", conflicts_with = "json")]
    seeds: Option<NonZeroU32>,
    /// Say what the plan amounts to, and send nothing.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let plan = match &args.plan {
        Some(file) => Plan::from_file(file)?,
        None => match Plan::from_env()? {
            Some(plan) => plan,
            None => workload::weather()?,
        },
    };
    // The argument wins over the plan's own seed, and that over the environment's.
    let seed = match args.seed.or(plan.chosen_seed()) {
        Some(seed) => seed,
        None => Seed::resolve(None)?,
    };
    let plan = plan.seed(seed);
    // A plan for a site that is not here is refused before anything is sent.
    let (chaos, here) = (Chaos::new(seed), TimeLimit::None);
    let _ = chaos.site(SITE);
    drop(chaos.arm(&plan, here)?);
    if args.list {
        print!("{}", plan.describe());
        println!("seed {seed}; {}", workload::describe(&plan));
        return Ok(());
    }
    if let Some(seeds) = args.seeds {
        return seeds::run(seed, seeds.get(), &plan);
    }
    let _guard = seed.report_on_panic();
    println!("murphy storm, seed {seed}\n");
    // Refused before anything is sent, if it cannot be written later.
    let json = args.json.as_deref().map(figures::create).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let progress = MultiProgress::new();
    let rows = runtime.block_on(storm(seed, &plan, Wire::Sockets, &progress))?;
    // Calls that nobody answered are still waiting: they end here.
    runtime.shutdown_background();

    report::table(&rows);
    report::faults(&rows);
    if let Some(naive) = rows.iter().find(|r| r.name == stacks::NAIVE) {
        waterfall::tell(naive);
    }
    let files = report::write_ledgers(&rows, LEDGERS).context("cannot write the ledgers")?;
    println!("\nseed {seed}; ledgers: {files}");
    println!("again: cargo run --release --example storm -- --seed {seed}");
    if let Some(file) = json {
        figures::write(file, &rows)?;
    }
    lesson(&rows)?;
    println!(
        "\nRetries lift success, and each one repeats a charge whose reply was lost. A budget bounds the load, \
         not the harm:\nfor that, a charge must be safe to repeat, which a key makes it. Then a slow one can be asked for twice, \
         and a\nbreaker keeps its calls until somebody is there to hear them."
    );
    Ok(())
}

/// All stacks at the same time, each with a service, a link and a ledger of its own.
async fn storm(seed: Seed, plan: &Plan, wire: Wire, progress: &MultiProgress) -> Result<Vec<Row>> {
    let mut running = Vec::new();
    for stack in stacks::all(seed)? {
        running.push(tokio::spawn(row::run(
            stack,
            seed,
            plan.clone(),
            wire,
            workload::bar(progress, plan),
        )));
    }
    let mut rows = Vec::new();
    for row in running {
        rows.push(row.await??);
    }
    progress.clear()?;
    Ok(rows)
}

/// What the storm is run for.
fn lesson(rows: &[Row]) -> Result<()> {
    let row = |name| {
        rows.iter()
            .find(|r| r.name == name)
            .context("a row is missing")
    };
    let (timeout, naive) = (row(stacks::TIMEOUT)?, row(stacks::NAIVE)?);
    ensure!(
        rows.iter().all(|r| r.first_fates == rows[0].first_fates),
        "the rows did not meet the same first-attempt fates, so they cannot be compared: is the machine too busy?"
    );
    ensure!(
        naive.success() > timeout.success(),
        "the lesson did not appear: retries did not lift success ({:.1} % to {:.1} %)",
        timeout.success(),
        naive.success()
    );
    ensure!(
        naive.doubled > timeout.doubled,
        "the lesson did not appear: naive retries charged nobody twice who was not without them ({} orders): \
         does the plan lose replies?",
        timeout.doubled
    );
    for keyed in [stacks::KEYED, stacks::HEDGED, stacks::BREAKER] {
        let row = row(keyed)?;
        ensure!(
            row.doubled == 0,
            "the lesson did not appear: {} orders with a key were charged twice ({keyed})",
            row.doubled
        );
    }
    let best = |row: &Row| rows.iter().all(|other| other.success() <= row.success());
    ensure!(
        best(row(stacks::BREAKER)?),
        "the lesson did not appear: the last row is not the best"
    );
    Ok(())
}

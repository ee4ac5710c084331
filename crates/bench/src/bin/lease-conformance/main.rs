//! Locks put to the test by the conformance suite: ours over each store, and other crates'.
//!
//! ```text
//! cargo run -p bench --features servers --bin lease-conformance
//! cargo run -p bench --features servers --bin lease-conformance -- --only redis rslock --json conformance.jsonl
//! ```
//!
//! It starts Redis, PostgreSQL and etcd itself (`cargo xtask setup`), on loopback, one for each subject. Each report is printed, then
//! one table of all of them. It fails if one of *ours* breaks a promise, or does not make it; what its store cannot be made to do is
//! no failure.

mod ash_lock;
mod distributed_lock;
mod etcd_lock;
mod rslock;
mod table;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::figure;
use clap::{Parser, ValueEnum};
use futures_util::StreamExt;
use futures_util::stream;
use murphy_lease::conformance::{Report, Verdict, examine};
use tests::conformance as ours;

#[derive(Parser)]
#[command(about = "Locks put to the test", version)]
struct Args {
    /// Write the verdicts to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long a lease is, in whole seconds, as etcd has them. A fifth of it is how late may be on time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    ttl: u64,
    /// How many subjects are examined at once, each with its own server.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    at_once: u8,
    /// These alone.
    #[arg(long, value_name = "SUBJECT", num_args = 1..)]
    only: Vec<Subject>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    Memory,
    File,
    Redis,
    Postgres,
    Etcd,
    Quorum,
    Rslock,
    DistributedLock,
    AshLock,
    EtcdLock,
}

impl Subject {
    const fn is_ours(self) -> bool {
        use Subject::{AshLock, DistributedLock, EtcdLock, Rslock};
        !matches!(self, Rslock | DistributedLock | AshLock | EtcdLock)
    }

    async fn examined(self, ttl: Duration) -> Result<Report> {
        Ok(match self {
            Self::Memory => examine(ours::Memory::new(ttl)).await,
            Self::File => examine(ours::File::open(ttl)).await,
            Self::Redis => examine(ours::Redis::start(ttl).await).await,
            Self::Postgres => examine(ours::Postgres::start(ttl).await).await,
            Self::Etcd => examine(ours::Etcd::start(ttl).await).await,
            Self::Quorum => examine(ours::Quorum::new(ttl)).await,
            Self::Rslock => examine(rslock::Rslock::start(ttl).await).await,
            Self::DistributedLock => {
                examine(distributed_lock::DistributedLock::start(ttl).await).await
            }
            Self::AshLock => examine(ash_lock::AshLock::start(ttl).await).await,
            Self::EtcdLock => examine(etcd_lock::EtcdLock::start(ttl).await).await,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match examined().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lease-conformance: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn examined() -> Result<()> {
    let Args {
        json,
        ttl,
        at_once,
        only,
    } = Args::parse();
    let ttl = Duration::from_secs(ttl);
    let mut subjects = Subject::value_variants().to_vec();
    subjects.retain(|subject| only.is_empty() || only.contains(subject));
    let reports = stream::iter(subjects).map(|subject| async move {
        eprintln!("lease-conformance: {subject:?}");
        Ok::<_, anyhow::Error>((subject, subject.examined(ttl).await?))
    });
    let mut reports = reports.buffered(at_once.into());
    let (mut seen, mut failed) = (Vec::new(), Vec::new());
    while let Some(report) = reports.next().await {
        let (subject, report) = report?;
        println!("{report}");
        if subject.is_ours() {
            failed.extend(not_kept(&report));
        }
        seen.push(report);
    }
    println!("{}", table::of(&seen));
    if let Some(path) = json {
        figure::write_to(&path, &table::figures(&seen))
            .with_context(|| format!("--json: cannot write `{}`", path.display()))?;
    }
    ensure!(failed.is_empty(), "not kept:\n  {}", failed.join("\n  "));
    Ok(())
}

/// What is to be kept and was not. What could not be tried is not among it.
fn not_kept(report: &Report) -> Vec<String> {
    let bad = |verdict: &Verdict| matches!(verdict, Verdict::Broken(_) | Verdict::Missing(_));
    let bad = report.verdicts().iter().filter(|(_, v)| bad(v));
    bad.map(|(promise, verdict)| format!("{}: {promise}: {verdict}", report.subject()))
        .collect()
}

//! Set-up and test driver of the workspace.
//!
//! `cargo xtask test` is everything that is checked, here and in CI; `--quick` is what to run
//! before a commit; `--list` prints the steps. `cargo xtask setup` installs what is missing.
//!
//! It runs under the one toolchain that it finds: that the declared `rust-version`s are enough is
//! *not* checked.

mod plan;
mod run;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::plan::Mode;
use crate::workspace::Workspace;

/// Set-up and test driver of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check, one step after the other, up to the first that fails.
    Test {
        /// Format, lints, floors, unit and integration tests: no releases, no feature matrix.
        #[arg(long)]
        quick: bool,
        /// The full run, each feature of each crate by itself, and a hundred thousand schedules: for whoever changed a manifest,
        /// a store or an election, and before a release.
        #[arg(long, conflicts_with = "quick")]
        thorough: bool,
        /// Print the steps and run none.
        #[arg(long)]
        list: bool,
    },
    /// Install what the full run needs and this machine lacks.
    Setup {
        /// Also what running the benchmarks needs.
        #[arg(long)]
        bench: bool,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    match Arguments::parse().task {
        Task::Setup { bench } => {
            tools::install(&workspace, bench)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Test {
            quick,
            thorough,
            list,
        } => {
            let mode = match (quick, thorough) {
                (true, _) => Mode::Quick,
                (_, true) => Mode::Thorough,
                _ => Mode::Full,
            };
            let steps = plan::steps(&workspace, mode);
            run::print_plan(&steps);
            if list {
                return Ok(ExitCode::SUCCESS);
            }
            Ok(run::all(&workspace, &steps))
        }
    }
}

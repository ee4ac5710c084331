//! The chapter's snippets on trial: each is broken by one fault that exploration finds, in seconds, and each has a twin
//! that survives the same.
//!
//! ```text
//! cargo run --release --example chapter_on_trial
//! cargo run --release --example chapter_on_trial -- --seed 7
//! MURPHY_REPLAY=.. cargo run --release --example chapter_on_trial
//! ```
//!
//! Snippets are written as the chapter has them, in Rust; what it leaves open is answered in their favour. It takes about three
//! seconds, and fails if a snippet is not broken, if it takes more than one fault or another one than it should, or if a
//! twin breaks a promise.

mod account;
mod detector;
mod election;
mod fenced;
mod log;
mod retry;
mod safe_lock;
mod trial;
mod unsafe_lock;

use anyhow::{Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use murphy_chaos::REPLAY_VARIABLE;
use murphy_core::Seed;

use trial::{Sentence, Trial};

#[derive(Parser)]
#[command(
    about = "The chapter's snippets on trial: what breaks each, and what survives it",
    version
)]
struct Args {
    /// The seed of all explorations.
    #[arg(long, default_value = "8")]
    seed: Seed,
    /// Runs of each exploration.
    #[arg(long, default_value = "1000")]
    runs: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let trials = [
        retry::trial(),
        detector::stepped(),
        detector::paused(),
        log::trial(),
        unsafe_lock::trial(),
        safe_lock::trial(),
        election::trial(),
    ];
    if std::env::var_os(REPLAY_VARIABLE).is_some() {
        return replay(&trials, &args);
    }
    let held: Vec<(&Trial, Sentence)> = trials
        .iter()
        .map(|trial| (trial, trial.hold(args.seed, args.runs)))
        .collect();
    report(&held);
    for (trial, sentence) in &held {
        trial.lesson(sentence)?;
    }
    println!(
        "\nEach snippet works until one thing goes wrong at the one place where it must not. Nobody had to think of the place: \
         there are few enough\nto try them all."
    );
    Ok(())
}

/// The code's own exploration repeats its run; all others skip themselves.
fn replay(trials: &[Trial], args: &Args) -> Result<()> {
    let mut repeated = 0;
    for trial in trials {
        let Sentence { chapter, twin } = trial.hold(args.seed, args.runs);
        for outcome in [chapter, twin] {
            if outcome.runs > 0 {
                println!("{outcome}");
                repeated += 1;
            }
        }
    }
    ensure!(repeated > 0, "the code is of another program");
    Ok(())
}

fn report(held: &[(&Trial, Sentence)]) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["snippet", "broken promise", "by", "its twin", "clean runs"]);
    for (trial, sentence) in held {
        let (mut promise, mut by) = ("none".to_owned(), "nothing".to_owned());
        if let Some(failure) = sentence.failure() {
            let violation = &failure.violation;
            promise = format!("{}\n({})", violation.name, violation.detail);
            let injections = failure.injections.iter().map(ToString::to_string);
            by = injections
                .collect::<Vec<_>>()
                .join("\n")
                .replace(": ", ":\n");
        }
        let clean = match sentence.twin.passed() {
            true => sentence.twin.runs.to_string(),
            false => "broken".to_owned(),
        };
        let row = [trial.snippet, &promise, &by, trial.made_of, &clean];
        table.add_row(row);
    }
    println!("{table}\n\nTo repeat one, with this example:");
    for (_, sentence) in held {
        if let Some(failure) = sentence.failure() {
            println!("  {REPLAY_VARIABLE}={}", failure.code);
        }
    }
}

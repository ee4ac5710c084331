//! Runs a plan: one step after the other, up to the first that fails.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::plan::{Action, Step};
use crate::tools;
use crate::workspace::Workspace;

/// One line a step.
pub(crate) fn print_plan(steps: &[Step]) {
    let width = steps.iter().map(|step| step.name.chars().count()).max();
    for (number, Step { name, action }) in (1..).zip(steps) {
        println!(
            "{number:>3}  {name:<width$}  {action}",
            width = width.unwrap_or(0)
        );
    }
}

/// Runs the steps, then prints what each took, and last of all `N passed, N failed`.
pub(crate) fn all(workspace: &Workspace, steps: &[Step]) -> ExitCode {
    let mut done = Vec::new();
    let mut failure = None;
    for (number, step) in (1..).zip(steps) {
        println!(
            "\n── {number}/{}  {}: {}",
            steps.len(),
            step.name,
            step.action
        );
        let (took, outcome) = timed(|| perform(workspace, &step.action));
        done.push((step, took, outcome.is_ok()));
        if let Err(e) = outcome {
            failure = Some((step, e));
            break;
        }
    }

    println!();
    for (step, took, passed) in &done {
        let word = if *passed { "passed" } else { "FAILED" };
        println!("{word} {:>7.1}s  {}", took.as_secs_f64(), step.name);
    }
    let total: Duration = done.iter().map(|(_, took, _)| *took).sum();
    println!("       {:>7.1}s  in all", total.as_secs_f64());
    let failed = usize::from(failure.is_some());
    let passed = done.len() - failed;
    if let Some((step, e)) = failure {
        let left = steps.len() - done.len();
        println!(
            "\n{}: {e:#}\nto repeat it: {}\n{left} steps were not run",
            step.name, step.action
        );
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn perform(workspace: &Workspace, action: &Action) -> anyhow::Result<()> {
    match action {
        Action::Setup => tools::install(workspace, false),
        Action::Run { environment, words } => {
            let (program, arguments) = words.split_first().context("an empty command")?;
            let mut command = Command::new(program);
            command
                .args(arguments)
                .envs(environment.iter().map(|(name, value)| (name, value)));
            command.current_dir(&workspace.workspace_root);
            // What `cargo run` told us of this package, not of theirs: it would make cargo build
            // anew whatever looks at it.
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy();
                if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                    command.env_remove(name);
                }
            }
            succeed(&mut command)
        }
    }
}

/// Runs a command to its end, with our terminal for its own.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("could not start `{program}`"))?;
    if !status.success() {
        bail!("`{program}` ended with {status}");
    }
    Ok(())
}

#[expect(
    clippy::disallowed_types,
    reason = "a stopwatch for builds: no runtime here, and nothing to pause"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = std::time::Instant::now();
    let result = work();
    (start.elapsed(), result)
}

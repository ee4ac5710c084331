//! Runs a plan: one step after the other, up to the first that fails, whose last lines are said again at the end.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::plan::{Action, Step};
use crate::tools;
use crate::workspace::Workspace;

/// How many of a failed step's last lines the summary repeats: a log that is cut from above still says why.
const REPEATED: usize = 60;

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
        let mut last = VecDeque::new();
        let (took, outcome) = timed(|| perform(workspace, &step.action, &mut last));
        done.push((step, took, outcome.is_ok()));
        if let Err(e) = outcome {
            failure = Some((step, e, last));
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
    if let Some((step, e, last)) = failure {
        let left = steps.len() - done.len();
        if !last.is_empty() {
            println!("\nthe last lines of {}:", step.name);
            last.iter().for_each(|line| println!("  {line}"));
        }
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

fn perform(
    workspace: &Workspace,
    action: &Action,
    last: &mut VecDeque<String>,
) -> anyhow::Result<()> {
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
            // Else cargo takes the pipe for a reason to do without.
            if io::IsTerminal::is_terminal(&io::stdout()) {
                command.env("CARGO_TERM_COLOR", "always");
            }
            let (reader, writer) = io::pipe().context("a pipe for its output")?;
            command.stdout(writer.try_clone()?).stderr(writer);
            let mut child = command
                .spawn()
                .with_context(|| format!("could not start `{program}`"))?;
            drop(command); // and with it our end of the pipe, so that the child's is the last
            *last = pass_on(reader, io::stdout(), REPEATED)?;
            ended_well(program, child.wait()?)
        }
    }
}

/// Runs a command to its end, with our terminal for its own.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("could not start `{program}`"))?;
    ended_well(&program, status)
}

fn ended_well(program: &str, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("`{program}` ended with {status}");
    }
    Ok(())
}

/// Writes what is read, line by line as it comes, and gives the last `keep` lines.
fn pass_on(from: impl Read, mut to: impl Write, keep: usize) -> io::Result<VecDeque<String>> {
    let (mut from, mut line, mut last) = (BufReader::new(from), Vec::new(), VecDeque::new());
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        if last.len() == keep {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        line.clear();
    }
    to.flush()?;
    Ok(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_passed_on_and_the_last_lines_are_kept() {
        let mut seen = Vec::new();
        let last = pass_on(&b"one\ntwo\r\n\xff\nend"[..], &mut seen, 3).unwrap();
        assert_eq!(seen, b"one\ntwo\r\n\xff\nend");
        assert_eq!(last, ["two", "\u{fffd}", "end"]);
    }
}

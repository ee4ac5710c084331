//! A bench runs in several processes of one program, each with its part to play.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Tells a process of ours which part it plays.
pub const PART: &str = "BENCH_PART";

/// This program, to play a part.
///
/// # Errors
///
/// Where the system does not say what this program is.
pub fn part(name: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(PART, name).arg("--bench");
    Ok(command)
}

/// The lines of what a part prints, each as it comes.
///
/// # Errors
///
/// Where it cannot be started or waited for.
pub fn lines_of(command: &mut Command, each: impl FnMut(String)) -> io::Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    if let Some(out) = child.stdout.take() {
        BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .for_each(each);
    }
    child.wait()
}

/// `target/figures`, wherever target is.
#[must_use]
pub fn folder() -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    // target/release/deps/overhead
    let target = exe.ancestors().nth(3).unwrap_or(Path::new("target"));
    target.join("figures")
}

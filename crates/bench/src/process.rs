//! A bench runs in several processes of one program, each with its part to play.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Tells a process of ours which part it plays.
pub const PART: &str = "BENCH_PART";

/// Names the rows that are measured, by how they begin: `quorum`. All, unless set.
pub const ROWS: &str = "BENCH_ROWS";

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

/// What a part allocates and holds at one time, at most, in bytes: by DHAT.
///
/// # Errors
///
/// Where there is no valgrind.
pub fn most_bytes(name: &str) -> Result<f64, String> {
    const MISSING: &str = "memory was not counted. Run `cargo xtask setup --bench` and try again";
    let missing = |e: io::Error| format!("{MISSING} ({e})");
    let part = part(name).map_err(missing)?;
    let mut dhat = Command::new("valgrind");
    dhat.args(["--tool=dhat", "--dhat-out-file=/dev/null"])
        .arg(part.get_program())
        .args(part.get_args())
        .envs(
            part.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = dhat.spawn().map_err(missing)?;
    let said = child.stderr.take().map(BufReader::new);
    let lines = said
        .into_iter()
        .flat_map(|said| said.lines().map_while(Result::ok));
    let most = lines.filter_map(|line| bytes(&line)).last();
    let status = child.wait().map_err(missing)?;
    most.ok_or_else(|| format!("{MISSING} ({status})"))
}

/// `==1== At t-gmax:  12,345 bytes in 6 blocks`.
fn bytes(line: &str) -> Option<f64> {
    let (_, said) = line.split_once("At t-gmax:")?;
    let number = said.split_whitespace().next()?.replace(',', "");
    number.parse().ok()
}

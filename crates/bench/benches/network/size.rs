//! How much memory a network takes that is described link by link.

use std::io::{BufRead, BufReader};
use std::mem;
use std::process::{Command, Stdio};

use bench::figure::Figure;
use bench::network::{self, NODES};
use bench::process;

/// The part that describes it, and does nothing else.
pub(crate) fn run() {
    mem::forget(network::described());
}

/// What that part allocates and holds at one time, at most, by DHAT.
pub(crate) fn measure() -> Result<Figure, String> {
    let missing = |e: std::io::Error| format!("{MISSING} ({e})");
    let part = process::part("size").map_err(missing)?;
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
    let most = most.ok_or_else(|| format!("{MISSING} ({status})"))?;
    let links = NODES * (NODES - 1);
    let note =
        format!("{NODES} nodes and {links} links, a profile of its own each; at its most, DHAT");
    let name = "network.described_mb".to_owned();
    Ok(Figure::new(name, "murphy", most / 1e6, "MB", &note))
}

const MISSING: &str = "memory was not counted. Run `cargo xtask setup --bench` and try again";

/// `==1== At t-gmax:  12,345 bytes in 6 blocks`.
fn bytes(line: &str) -> Option<f64> {
    let (_, said) = line.split_once("At t-gmax:")?;
    let number = said.split_whitespace().next()?.replace(',', "");
    number.parse().ok()
}

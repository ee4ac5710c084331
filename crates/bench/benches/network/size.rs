//! How much memory a network takes that is described link by link.

use std::mem;

use bench::figure::Figure;
use bench::network::{self, NODES};
use bench::process;

/// The part that describes it, and does nothing else.
pub(crate) fn run() {
    mem::forget(network::described());
}

/// What that part allocates and holds at one time, at most, by DHAT.
pub(crate) fn measure() -> Result<Figure, String> {
    let most = process::most_bytes("size")?;
    let links = NODES * (NODES - 1);
    let note =
        format!("{NODES} nodes and {links} links, a profile of its own each; at its most, DHAT");
    let name = "network.described_mb".to_owned();
    Ok(Figure::new(name, "murphy", most / 1e6, "MB", &note))
}

//! Which version of a peer is examined: what the lock file of this workspace says.

const LOCK: &str = include_str!("../../../../../Cargo.lock");

/// `rslock 0.10.0`; of several versions the highest.
pub(crate) fn named(package: &str) -> String {
    let head = format!("name = \"{package}\"\nversion = \"");
    let versions = LOCK.split(&head).skip(1);
    let last = versions.last().and_then(|rest| rest.split('"').next());
    format!("{package} {}", last.unwrap_or("?"))
}

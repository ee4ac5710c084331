//! What any lock should promise, and whether it does.
//!
//! The suite drives a lock, ours or another crate's, through what breaks locks in production: a partition without a word,
//! a reply that is lost, a renewal whose answer is late, a holder that is paused, a clock that is slow, a store that restarts. It reports, promise for promise, what was
//! seen.
//!
//! ```text
//!            ┌ station: a thread, a runtime, your Client ─── Wire ───┐
//!  scenario ─┤                                                       ├─▶ the store
//!            └ station: another                        ─── Wire ───┘
//! ```
//!
//! To test a lock, implement [`Client`] for what a program holds of it, and [`Rig`] for how one is made: with its
//! connection through the [`Wire`] that it is given ([`Wire::proxy`] for any TCP server, [`Wire::layer`] for a store that is a
//! tower service). Then [`examine`] it. What it cannot be asked for (to set the clock of a lock that takes none, say) is
//! [not tried](Verdict::Unable).
//!
//! # Limits
//!
//! It runs in real time, since other crates' locks do: a few seconds, all promises at once. What it saw broken is
//! broken; what it saw kept was kept this once, on this machine. A machine that stalls for longer than
//! [`Rig::slack`] shows up as a broken promise. Many a promise is seen broken by another's getting the lock: of a lock that excludes
//! nobody that shows nothing, and the promise is [not tried](Verdict::Unable).

mod promise;
mod report;
mod rig;
mod scenarios;
mod signs;
mod station;
mod wire;
mod wired;

pub use promise::Promise;
pub use report::{Report, Verdict};
pub use rig::{BoxError, Client, Offer, Rig, Unable};
pub use wire::{Cut, Wire};
pub use wired::Wired;

use std::sync::Arc;

/// Puts the locks of a rig to the test, all promises at once, but for those that wipe or restart the store.
///
/// Takes about ten times [`Rig::ttl`]. Threads and connections end with it.
///
/// # Panics
///
/// Outside a tokio runtime with time and network.
pub async fn examine<R: Rig>(rig: R) -> Report {
    let rig = Arc::new(rig);
    // Those that wipe or restart the store run by themselves.
    let (alone, together): (Vec<_>, Vec<_>) = Promise::ALL.into_iter().partition(|p| p.disturbs());
    let mut verdicts = try_all(&together, &rig).await;
    for promise in alone {
        verdicts.extend(try_all(&[promise], &rig).await);
    }
    verdicts.sort_by_key(|(promise, _)| *promise);
    Report::new(rig.name(), verdicts)
}

async fn try_all<R: Rig>(promises: &[Promise], rig: &Arc<R>) -> Vec<(Promise, Verdict)> {
    let start = |promise: &Promise| {
        let run = scenarios::run(*promise, Arc::clone(rig));
        (*promise, tokio::spawn(run))
    };
    let running: Vec<_> = promises.iter().map(start).collect();
    let mut verdicts = Vec::new();
    for (promise, run) in running {
        let ended = run.await;
        let early = |e| Verdict::Unable(format!("the scenario ended early: {e}"));
        verdicts.push((promise, ended.unwrap_or_else(early)));
    }
    verdicts
}

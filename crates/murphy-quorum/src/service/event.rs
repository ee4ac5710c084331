//! What is said, and counted.

use tracing::Span;

use crate::Why;

const TARGET: &str = "murphy::quorum";

#[cfg(feature = "metrics")]
fn count(what: &'static str, site: &str) {
    metrics::counter!(what, "site" => site.to_owned()).increment(1);
}

#[cfg(not(feature = "metrics"))]
const fn count(_: &'static str, _: &str) {}

/// What a member is readied and called in, also when it is late.
#[inline]
pub(super) fn calling(site: &str, member: usize) -> Span {
    tracing::debug_span!(target: TARGET, "quorum.call", site, member)
}

#[cold]
pub(super) fn impossible(site: &str, why: &Why, is_quiet: bool) {
    const SAID: &str = "no quorum, and none to come";
    count("murphy_quorum_impossible_total", site);
    if is_quiet {
        tracing::debug!(name: "quorum.impossible", target: TARGET, site, %why, "{SAID}");
    } else {
        tracing::warn!(name: "quorum.impossible", target: TARGET, site, %why, "{SAID}");
    }
}

#[cold]
pub(super) fn hedged(site: &str, member: usize) {
    count("murphy_quorum_hedges_total", site);
    tracing::debug!(name: "quorum.hedged", target: TARGET, site, member, "one more is asked");
}

#[cold]
pub(super) fn no_room(site: &str) {
    count("murphy_quorum_stragglers_dropped_total", site);
    tracing::warn!(name: "quorum.straggler_dropped", target: TARGET, site, "no room for it");
}

#[cold]
pub(super) fn undone(site: &str, member: usize, attempts: u32) {
    count("murphy_quorum_undone_total", site);
    tracing::debug!(name: "quorum.undone", target: TARGET, site, member, attempts, "a grant was taken back");
}

#[cold]
pub(super) fn not_undone(site: &str, member: usize, attempts: u32) {
    count("murphy_quorum_not_undone_total", site);
    tracing::error!(name: "quorum.not_undone", target: TARGET, site, member, attempts, "a grant may be left behind");
}

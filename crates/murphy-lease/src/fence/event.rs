//! What is said, and counted.

use crate::Lost;

/// The target of what is said here.
const TARGET: &str = "murphy_lease";

#[cold]
pub(super) fn lost(lost: &Lost) {
    count("murphy_lease_fenced_lost_total", "call");
    let Lost { lock, rank, why } = lost;
    tracing::debug!(
        name: "fence.lost", target: TARGET,
        %lock, %rank, %why, "a call ended, for its lease is lost",
    );
}

/// What came over the wire is not in it.
#[cfg(feature = "http")]
#[cold]
pub(super) fn denied(why: &super::Denied) {
    count("murphy_lease_fence_denied_total", why.label());
    let why = why.label();
    tracing::debug!(name: "fence.denied", target: TARGET, why, "a request was not admitted");
}

/// A caller left, and its handler goes on.
#[cfg(feature = "http")]
#[cold]
pub(super) fn handed_over() {
    count("murphy_lease_fence_handed_over_total", "gone");
    tracing::debug!(
        name: "fence.handed_over", target: TARGET,
        "the caller is gone, and its handler goes on: the next holder waits for it",
    );
}

#[cfg(feature = "metrics")]
fn count(what: &'static str, why: &'static str) {
    metrics::counter!(what, "why" => why).increment(1);
}

#[cfg(not(feature = "metrics"))]
const fn count(_: &'static str, _: &'static str) {}

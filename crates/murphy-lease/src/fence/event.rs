//! What is said, and counted.

use crate::Lost;
use crate::metered::tally;

/// The target of what is said here.
const TARGET: &str = "murphy::lease";

#[cold]
pub(super) fn lost(lost: &Lost) {
    tally("murphy_lease_fenced_lost_total", &[]);
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
    let why = why.label();
    tally("murphy_lease_fence_denied_total", &[("why", why)]);
    tracing::debug!(name: "fence.denied", target: TARGET, why, "a request was not admitted");
}

/// A caller left, and its handler goes on.
#[cfg(feature = "http")]
#[cold]
pub(super) fn handed_over() {
    tally("murphy_lease_fence_handed_over_total", &[]);
    tracing::debug!(
        name: "fence.handed_over", target: TARGET,
        "the caller is gone, and its handler goes on: the next holder waits for it",
    );
}

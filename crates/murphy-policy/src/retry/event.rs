//! What a retry says of itself. All of it is off the path on which nothing goes wrong.

use std::time::Duration;

use tracing::Span;

use super::decide::Stop;
use super::{Attempt, Kind};
use crate::TARGET;
use crate::metered::count;

/// Another attempt was decided on.
pub(crate) fn waits(site: &str, next: Attempt, kind: Kind, wait: Duration) {
    tracing::debug!(
        name: "retry.wait", target: TARGET,
        site, attempt = next.number(), of = next.max(), ?kind, ?wait, "waits to try again",
    );
}

/// Another attempt leaves.
pub(super) fn attempt(site: &str, attempt: Attempt) {
    count("murphy_policy_retry_attempts_total", site);
    tracing::debug!(
        name: "retry.attempt", target: TARGET,
        site, attempt = attempt.number(), of = attempt.max(), "tries again",
    );
}

/// What another attempt runs in.
pub(super) fn span(site: &str, attempt: Attempt) -> Span {
    tracing::debug_span!(
        target: TARGET, "retry.call", site, attempt = attempt.number(), of = attempt.max(),
    )
}

/// There is none.
pub(crate) fn stops(site: &str, after: Attempt, stop: Stop) {
    let attempts = after.number();
    if stop != Stop::Pass {
        count("murphy_policy_retry_given_up_total", site);
    }
    match stop {
        Stop::Pass => {}
        Stop::Exhausted => tracing::warn!(
            name: "retry.exhausted", target: TARGET, site, attempts, "gave up",
        ),
        Stop::Budget => tracing::warn!(
            name: "retry.over_budget", target: TARGET, site, attempts, "no budget to try again",
        ),
        Stop::Deadline { needed, left } => tracing::warn!(
            name: "retry.past_deadline", target: TARGET,
            site, attempts, ?needed, ?left, "no time to try again",
        ),
        Stop::Deferred { hint, longest } => tracing::warn!(
            name: "retry.deferred", target: TARGET,
            site, attempts, ?hint, ?longest, "asked to wait for too long",
        ),
        Stop::Forbidden => tracing::debug!(
            name: "retry.forbidden", target: TARGET, site, attempts, "asked not to try again",
        ),
        Stop::NotReplayable => tracing::debug!(
            name: "retry.not_replayable", target: TARGET,
            site, attempts, "the request cannot be repeated",
        ),
    }
}

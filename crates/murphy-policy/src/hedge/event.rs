//! What a hedge says of itself, off the path on which nothing is slow.

use tracing::Span;

use crate::TARGET;
use crate::metered::count;
use crate::retry::Attempt;

pub(super) fn sent(site: &str, attempt: Attempt) {
    count("murphy_policy_hedge_sent_total", site);
    tracing::debug!(
        name: "hedge.sent", target: TARGET,
        site, attempt = attempt.number(), of = attempt.max(), "asks once more",
    );
}

/// What one more request runs in.
pub(super) fn span(site: &str, attempt: Attempt) -> Span {
    tracing::debug_span!(
        target: TARGET, "hedge.call", site, attempt = attempt.number(), of = attempt.max(),
    )
}

pub(super) fn won(site: &str, attempt: Attempt) {
    count("murphy_policy_hedge_won_total", site);
    tracing::debug!(
        name: "hedge.won", target: TARGET, site, attempt = attempt.number(), "was answered first",
    );
}

pub(super) fn over_budget(site: &str) {
    count("murphy_policy_hedge_withheld_total", site);
    tracing::warn!(name: "hedge.over_budget", target: TARGET, site, "no budget to ask once more");
}

#[cold]
pub(super) fn not_repeatable(site: &str) {
    tracing::debug!(
        name: "hedge.not_repeatable", target: TARGET, site, "may not be asked twice",
    );
}

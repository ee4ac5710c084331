//! What a breaker says of itself.

use super::State;
use super::machine::Change;
use crate::TARGET;
use crate::metered::count;

pub(super) fn changed(site: &str, change: Change, state: State) {
    match change {
        Change::Opened {
            cause,
            wait,
            openings,
        } => {
            count("murphy_policy_breaker_opened_total", site);
            tracing::warn!(
                name: "breaker.opened", target: TARGET,
                site, %cause, ?wait, openings, "opened",
            );
        }
        Change::Probation => {
            count("murphy_policy_breaker_probation_total", site);
            tracing::info!(name: "breaker.probation", target: TARGET, site, "lets trials through");
        }
        Change::Closed => {
            count("murphy_policy_breaker_closed_total", site);
            tracing::info!(name: "breaker.closed", target: TARGET, site, "closed");
        }
        Change::Forced => tracing::warn!(
            name: "breaker.forced", target: TARGET, site, ?state, "forced",
        ),
    }
}

pub(super) fn refused(site: &str) {
    count("murphy_policy_breaker_refused_total", site);
    tracing::debug!(name: "breaker.refused", target: TARGET, site, "open");
}

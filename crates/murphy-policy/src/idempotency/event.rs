//! What is said, and counted.

use super::{Refused, StoreError};
use crate::{TARGET, metered};

#[cold]
pub(super) fn replayed(site: &str) {
    metered::count("murphy_policy_idempotency_replayed_total", site);
    tracing::debug!(
        name: "idempotency.replayed", target: TARGET, site, "a repeat got the reply of the first",
    );
}

#[cold]
pub(super) fn refused(site: &str, why: Refused) {
    metered::count("murphy_policy_idempotency_refused_total", site);
    match why {
        Refused::Full | Refused::Failed | Refused::Overran => tracing::warn!(
            name: "idempotency.refused", target: TARGET, site, ?why, "a request was refused",
        ),
        _ => tracing::debug!(
            name: "idempotency.refused", target: TARGET, site, ?why, "a request was refused",
        ),
    }
}

#[cold]
pub(super) fn too_long(site: &str) {
    metered::count("murphy_policy_idempotency_too_long_total", site);
    tracing::warn!(
        name: "idempotency.too_long", target: TARGET,
        site, "a reply was too long to be kept: repeats cannot have it",
    );
}

#[cold]
pub(super) fn late(site: &str) {
    metered::count("murphy_policy_idempotency_late_total", site);
    tracing::warn!(
        name: "idempotency.late", target: TARGET,
        site, "an operation ended after its lease: it may have been done twice",
    );
}

#[cold]
pub(super) fn store_failed(site: &str, error: &StoreError) {
    metered::count("murphy_policy_idempotency_store_failed_total", site);
    tracing::warn!(
        name: "idempotency.store_failed", target: TARGET, site, %error, "the store failed",
    );
}

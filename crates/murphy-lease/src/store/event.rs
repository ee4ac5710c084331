//! What is said of stores, and counted: the crate's docs list it.
//!
//! None of it has a site: a store does not know who asks it.

use crate::metered::tally;

const TARGET: &str = "murphy::lease";

/// Numbers are not on the disk, and nobody is granted one of them.
#[cfg(feature = "file")]
#[cold]
pub(super) fn not_reserved(error: &crate::FileError) {
    tally("murphy_lease_not_reserved_total", &[]);
    tracing::error!(name: "lease.not_reserved", target: TARGET, %error, "no numbers could be reserved");
}

#[cfg(all(feature = "file", unix))]
#[cold]
pub(super) fn turned_away(why: &'static str) {
    tally("murphy_lease_turned_away_total", &[("why", why)]);
    tracing::warn!(name: "lease.turned_away", target: TARGET, why, "a client was turned away");
}

#[cfg(feature = "redis")]
#[cold]
pub(super) fn evictable(policy: &str) {
    tally("murphy_lease_evictable_total", &[]);
    tracing::warn!(
        name: "lease.evictable", target: TARGET, policy,
        "this Redis evicts leases when it is full: their holders are fenced, not excluded",
    );
}

#[cfg(any(feature = "etcd", feature = "redis"))]
#[cold]
pub(super) fn redialled(server: &'static str) {
    tally("murphy_lease_redialled_total", &[("server", server)]);
    tracing::debug!(name: "lease.redialled", target: TARGET, server, "a connection of no use was dialled anew");
}

#[cfg(feature = "etcd")]
#[cold]
pub(super) fn not_watched(most: usize) {
    tally("murphy_lease_not_watched_total", &[]);
    tracing::debug!(name: "lease.not_watched", target: TARGET, most, "a lease is not watched, only renewed");
}

#[cfg(all(test, feature = "etcd", feature = "file", feature = "redis", unix))]
mod tests {
    use std::collections::BTreeSet;

    use crate::heard::{STORES, rows};

    #[test]
    fn what_is_said_is_listed_and_nothing_else() {
        let parts = include_str!("event.rs").split("name: \"").skip(1);
        let said = parts.filter_map(|part| part.split('"').next());
        let listed: Vec<_> = rows(STORES).map(|(row, _)| row.name).collect();
        assert_eq!(
            said.collect::<BTreeSet<_>>(),
            listed.iter().map(String::as_str).collect()
        );
    }
}

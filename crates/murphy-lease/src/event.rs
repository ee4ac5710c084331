//! What is said, and counted: the crate's docs list it.

use std::fmt;
use std::time::Duration;

use tracing::Span;

use crate::metered::count;
use crate::{FencingToken, LockName, Why};

const TARGET: &str = "murphy::lease";

/// What a lock is acquired in: all attempts, and the waits between them.
pub(crate) fn acquiring(site: &str, lock: &LockName) -> Span {
    tracing::debug_span!(target: TARGET, "lease.acquire", site, %lock)
}

/// What a lease is kept in, from its grant until it is released. It follows from what it was acquired in, and does not keep
/// that open.
pub(crate) fn holding(site: &str, token: &FencingToken) -> Span {
    let (lock, rank) = (token.lock(), token.rank());
    let span = tracing::debug_span!(target: TARGET, parent: None, "lease.hold", site, %lock, %rank);
    if !span.is_disabled() {
        span.follows_from(Span::current());
    }
    span
}

pub(crate) fn acquired(site: &str, token: &FencingToken, waited: Duration, attempts: u32) {
    count("murphy_lease_acquired_total", site);
    let (lock, rank) = (token.lock(), token.rank());
    tracing::debug!(name: "lease.acquired", target: TARGET, site, %lock, %rank, ?waited, attempts, "acquired");
}

pub(crate) fn renewed(site: &str, token: &FencingToken, left: Duration) {
    count("murphy_lease_renewed_total", site);
    let (lock, rank) = (token.lock(), token.rank());
    tracing::debug!(name: "lease.renewed", target: TARGET, site, %lock, %rank, ?left, "renewed");
}

#[cold]
pub(crate) fn renewal_failed(
    site: &str,
    token: &FencingToken,
    left: Duration,
    why: &dyn fmt::Display,
) {
    count("murphy_lease_renewals_failed_total", site);
    let (lock, rank) = (token.lock(), token.rank());
    tracing::warn!(name: "lease.renewal_failed", target: TARGET, site, %lock, %rank, ?left, %why, "not renewed; again soon");
}

#[cold]
pub(crate) fn expiring(site: &str, token: &FencingToken, left: Duration) {
    count("murphy_lease_expiring_total", site);
    let (lock, rank) = (token.lock(), token.rank());
    tracing::warn!(name: "lease.expiring", target: TARGET, site, %lock, %rank, ?left, "about to expire");
}

#[cold]
pub(crate) fn lost(site: &str, token: &FencingToken, why: Why) {
    count("murphy_lease_lost_total", site);
    let (lock, rank) = (token.lock(), token.rank());
    tracing::warn!(name: "lease.lost", target: TARGET, site, %lock, %rank, %why, "lost");
}

pub(crate) fn released(site: &str, lock: &LockName, was_held: bool, attempts: u32) {
    count("murphy_lease_released_total", site);
    tracing::debug!(name: "lease.released", target: TARGET, site, %lock, was_held, attempts, "released");
}

#[cold]
pub(crate) fn not_released(site: &str, lock: &LockName, attempts: u32, why: &dyn fmt::Display) {
    count("murphy_lease_not_released_total", site);
    tracing::warn!(name: "lease.not_released", target: TARGET, site, %lock, attempts, %why, "left to its ttl");
}

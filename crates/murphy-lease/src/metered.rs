//! Counters through the `metrics` facade, or nothing where that feature is off.

/// Adds one to the counter `what` of `site`.
#[cfg(feature = "metrics")]
pub(crate) fn count(what: &'static str, site: &str) {
    metrics::counter!(what, "site" => site.to_owned()).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn count(_: &'static str, _: &str) {}

/// Adds one to the counter `what` with these labels: of what has no site.
#[cfg(feature = "metrics")]
pub(crate) fn tally(what: &'static str, labels: &[(&'static str, &'static str)]) {
    metrics::counter!(what, labels).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn tally(_: &'static str, _: &[(&'static str, &'static str)]) {}

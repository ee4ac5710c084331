//! Counters through the `metrics` facade, or nothing where that feature is off.

/// Adds one to the counter `what` of `site`.
#[cfg(feature = "metrics")]
pub(crate) fn count(what: &'static str, site: &str) {
    metrics::counter!(what, "site" => site.to_owned()).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn count(_: &'static str, _: &str) {}

/// Sets the gauge `what` of `site`.
#[cfg(feature = "metrics")]
pub(crate) fn gauge(what: &'static str, site: &str, value: u32) {
    metrics::gauge!(what, "site" => site.to_owned()).set(f64::from(value));
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn gauge(_: &'static str, _: &str, _: u32) {}

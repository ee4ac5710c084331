//! Counters through the `metrics` facade.

use metrics::counter;

use crate::Leg;

/// Counts a fault that struck: `murphy_fault_injected_total`.
pub(crate) fn injected(site: &str, fault: &str, kind: &str, leg: Leg, masked: bool) {
    counter!(
        "murphy_fault_injected_total",
        "site" => site.to_owned(),
        "fault" => fault.to_owned(),
        "kind" => kind.to_owned(),
        "leg" => leg.to_string(),
        "masked" => if masked { "true" } else { "false" },
    )
    .increment(1);
}

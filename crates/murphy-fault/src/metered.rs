//! Counters through the `metrics` facade.

use metrics::counter;

use crate::Fault;

/// Counts a fault that struck: `murphy_fault_injected_total`.
pub(crate) fn injected(site: &str, fault: &Fault, masked: bool) {
    counter!(
        "murphy_fault_injected_total",
        "site" => site.to_owned(),
        "fault" => fault.name().to_owned(),
        "kind" => fault.effect().kind(),
        "leg" => fault.effect().leg().to_string(),
        "masked" => if masked { "true" } else { "false" },
    )
    .increment(1);
}

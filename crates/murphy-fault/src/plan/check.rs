//! What a plan must be before anything is done.

use std::time::Duration;

use super::{BadPlan, MOST_DISTURBANCES, MOST_FAULTS, Plan};
use crate::disturbance::Deed;
use crate::link::OURS;

impl Plan {
    /// Refuses two faults of one name at one site, and too many of them.
    pub(crate) fn check(&self) -> Result<(), BadPlan> {
        let mut names = std::collections::BTreeMap::<&str, Vec<&str>>::new();
        for (index, (site, fault)) in self.faults.iter().enumerate() {
            let at_site = names.entry(site).or_default();
            if at_site.contains(&fault.name()) {
                return Err(BadPlan::Field {
                    field: format!("fault[{index}].name"),
                    value: fault.name().to_owned(),
                    remedy: format!(
                        "site `{site}` has a fault of this name already: give this one another name"
                    ),
                });
            }
            if fault.name().starts_with(OURS) {
                return Err(BadPlan::Field {
                    field: format!("fault[{index}].name"),
                    value: fault.name().to_owned(),
                    remedy: format!(
                        "names that begin with `{OURS}` are the network's: choose another"
                    ),
                });
            }
            at_site.push(fault.name());
            if at_site.len() > MOST_FAULTS {
                return Err(BadPlan::Field {
                    field: format!("fault[{index}].site"),
                    value: site.to_string(),
                    remedy: format!("a site holds {MOST_FAULTS} faults at most"),
                });
            }
        }
        self.check_disturbances()
    }

    fn check_disturbances(&self) -> Result<(), BadPlan> {
        let bad = |field: String, value: String, remedy: &str| {
            Err(BadPlan::Field {
                field,
                value,
                remedy: remedy.to_owned(),
            })
        };
        if self.disturbances.len() > MOST_DISTURBANCES {
            let have = self.disturbances.len().to_string();
            return bad("event".into(), have, "a plan holds 1024 events at most");
        }
        for (index, disturbance) in self.disturbances.iter().enumerate() {
            let field = |name| format!("event[{index}].{name}");
            let span = |d: Duration| humantime::format_duration(d).to_string();
            if disturbance.lasting == Some(Duration::ZERO) {
                return bad(
                    field("for"),
                    "0s".into(),
                    "it ends as it begins: give it time",
                );
            }
            let least = Duration::from_millis(1);
            match disturbance.flapping {
                Some((on, _)) if on < least => {
                    return bad(field("flap.on"), span(on), "at least 1ms");
                }
                Some((_, off)) if off < least => {
                    return bad(field("flap.off"), span(off), "at least 1ms");
                }
                _ => {}
            }
            if let Deed::Swizzle { .. } = disturbance.deed {
                if disturbance.lasting.is_none() {
                    return bad(
                        field("for"),
                        "missing".into(),
                        "a swizzle heals within a time: say which",
                    );
                }
                if disturbance.flapping.is_some() {
                    return bad(
                        field("flap"),
                        "set".into(),
                        "a swizzle goes on and off by itself",
                    );
                }
            }
        }
        Ok(())
    }
}

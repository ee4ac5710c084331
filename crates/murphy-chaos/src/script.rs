//! From injections to a plan of the fault crate, and from its ledger back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::Seed;
use murphy_core::clock::Offset;
use murphy_fault::{
    Bend, Disturbance, Fault, Finding, Outcome, Plan, Record, Script, ScriptPoint, Select,
};

use crate::catalogue::Passed;
use crate::injection::{CallId, Injection, Upset};
use crate::kind::Kind;

/// The name of the rule that never strikes and, while the ledger explains itself, writes every call
/// down.
pub(crate) const WATCH: &str = "watch";

/// The plan that does just this.
pub(crate) fn plan(seed: Seed, injections: &[Injection]) -> Plan {
    let mut scripts: BTreeMap<(&Arc<str>, Kind), Vec<ScriptPoint>> = BTreeMap::new();
    let mut plan = Plan::new().seed(seed);
    for injection in injections {
        match injection {
            Injection::Call {
                call,
                kind,
                magnitude,
            } => {
                let point = ScriptPoint::keyed(call.key, call.occurrence);
                let point = magnitude.map_or(point, |by| point.lasting(by));
                scripts.entry((&call.site, *kind)).or_default().push(point);
            }
            Injection::Upset { what, at, lasting } => {
                plan = disturbed(plan, what, *at, *lasting);
            }
        }
    }
    for ((site, kind), points) in scripts {
        let select = Select::Script(Script::new(points));
        plan = plan.with(Arc::clone(site), kind.scripted(select));
    }
    plan
}

/// The plan with this upset in it.
pub(crate) fn disturbed(plan: Plan, what: &Upset, at: Duration, lasting: Duration) -> Plan {
    let all = disturbances(what).into_iter();
    all.fold(plan, |plan, one| plan.disturb(one.at(at).lasting(lasting)))
}

fn disturbances(what: &Upset) -> Vec<Disturbance> {
    let name = |node: &Arc<str>| Arc::clone(node);
    let one = match what {
        Upset::Pause(node) => Disturbance::pause(name(node)),
        Upset::Crash(node) => Disturbance::crash(name(node)),
        Upset::Isolate(node) => Disturbance::isolate(name(node)),
        // A partition has a side for every node, and this is about two of them.
        Upset::Cut(a, b) => {
            return vec![
                Disturbance::partition_oneway([a], [b]),
                Disturbance::partition_oneway([b], [a]),
            ];
        }
        Upset::CutOneway(a, b) => Disturbance::partition_oneway([a], [b]),
        Upset::Step(node, ms) => {
            let by = Offset::from_nanos(ms.saturating_mul(1_000_000));
            Disturbance::clock(name(node), Bend::Jump(by))
        }
    };
    vec![one]
}

/// The rule that writes a site's calls down.
pub(crate) fn watch() -> Fault {
    Fault::lost_request(Select::Script(Script::default())).named(WATCH)
}

/// The faults that struck, by the names of their calls. What was to break a body and found an empty one struck nothing.
pub(crate) fn struck(records: &[Record]) -> Vec<Injection> {
    let acted = records.iter().filter(|r| r.finding == Finding::Injected);
    acted
        .filter_map(|record| {
            let kind: Kind = record.fault.parse().ok()?;
            if is_spared(kind, record) {
                return None;
            }
            Some(Injection::Call {
                call: id(record),
                kind,
                // A paused clock rounds up to whole milliseconds: so does what is kept.
                magnitude: kind
                    .has_magnitude()
                    .then(|| whole(record.magnitude.unwrap_or_default())),
            })
        })
        .collect()
}

/// How many were to break a body, and found an empty one.
pub(crate) fn spared(records: &[Record]) -> usize {
    let acted = records.iter().filter(|r| r.finding == Finding::Injected);
    acted
        .filter(|record| {
            let kind = record.fault.parse();
            kind.is_ok_and(|kind| is_spared(kind, record))
        })
        .count()
}

fn is_spared(kind: Kind, record: &Record) -> bool {
    matches!(kind, Kind::ResetReply | Kind::StalledReply) && record.outcome == Outcome::Nothing
}

/// The calls that were written down.
pub(crate) fn passed(records: &[Record]) -> Vec<Passed> {
    let watched = records.iter().filter(|r| r.fault == WATCH);
    watched
        .map(|record| Passed {
            call: id(record),
            at: record.at,
        })
        .collect()
}

fn id(record: &Record) -> CallId {
    CallId {
        site: record.site.as_str().into(),
        key: record.key,
        occurrence: record.occurrence,
    }
}

fn whole(by: Duration) -> Duration {
    Duration::from_millis(by.as_nanos().div_ceil(1_000_000) as u64)
}

#[cfg(test)]
mod tests {
    use murphy_core::Key;

    use super::*;

    #[test]
    fn a_plan_says_what_the_injections_say() {
        let call = |key, kind: Kind, by| Injection::Call {
            call: CallId {
                site: "a->b".into(),
                key: Key::new(key),
                occurrence: 1,
            },
            kind,
            magnitude: by,
        };
        let s = Duration::from_secs;
        let plan = plan(
            Seed::new(3),
            &[
                call(7, Kind::LostReply, None),
                call(8, Kind::LostReply, None),
                call(7, Kind::Latency, Some(s(2))),
                Injection::Upset {
                    what: Upset::Cut("a".into(), "b".into()),
                    at: s(1),
                    lasting: s(5),
                },
            ],
        );
        assert_eq!(plan.faults().len(), 2, "one a kind and site");
        assert_eq!(plan.disturbances().len(), 2, "one a direction");
        assert!(
            plan.describe().contains("from 1s for 5s: partition b -> a"),
            "{plan}"
        );
        // It is a plan like any other: it can be written, and read.
        assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
    }

    #[test]
    fn what_is_kept_is_whole_milliseconds() {
        for (ns, ms) in [(0, 0), (1, 1), (1_000_000, 1), (1_500_000, 2)] {
            assert_eq!(whole(Duration::from_nanos(ns)), Duration::from_millis(ms));
        }
    }
}

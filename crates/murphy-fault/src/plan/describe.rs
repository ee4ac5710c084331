//! A plan in words.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use humantime::format_duration;
use murphy_core::Probability;

use super::Plan;
use crate::Fault;
use crate::disturbance::Disturbance;
use crate::effect::Effect;
use crate::fault::Narrow;
use crate::select::percent;

pub(super) fn describe(plan: &Plan) -> String {
    let mut sites = BTreeMap::<&str, Vec<&Fault>>::new();
    for (site, fault) in &plan.faults {
        sites.entry(site).or_default().push(fault);
    }
    let mut out = String::new();
    if let Some(seed) = plan.seed {
        line(&mut out, format_args!("seed {seed}"));
    }
    for (site, faults) in &sites {
        line(&mut out, format_args!("{site}"));
        let (mut spared, mut rated) = (1.0, false);
        for fault in faults {
            line(
                &mut out,
                format_args!("  {}: {}; {}", fault.name, fault.effect, reach(fault)),
            );
            if let Some(rate) = effective(fault) {
                spared *= 1.0 - rate;
                rated = true;
            }
        }
        if rated {
            line(
                &mut out,
                format_args!(
                    "  any of them: {} % of calls in the long run",
                    percent(1.0 - spared)
                ),
            );
        }
    }
    for disturbance in &plan.disturbances {
        line(&mut out, format_args!("{}", when(disturbance)));
    }
    if sites.is_empty() && plan.disturbances.is_empty() {
        line(&mut out, format_args!("nothing goes wrong"));
    }
    limits(&mut out, plan);
    out
}

fn when(d: &Disturbance) -> String {
    let mut s = format!("from {}", format_duration(d.at));
    match d.lasting {
        Some(lasting) => _ = write!(s, " for {}", format_duration(lasting)),
        None => s.push_str(" to the end"),
    }
    if let Some((on, off)) = d.flapping {
        let (on, off) = (format_duration(on), format_duration(off));
        _ = write!(s, ", {on} on and {off} off");
    }
    _ = write!(s, ": {}", d.deed);
    s
}

/// What share of all calls of all runs a fault strikes, outside of windows it may not be in.
fn effective(fault: &Fault) -> Option<f64> {
    let active = fault.narrow.active.map_or(1.0, Probability::get);
    Some(fault.select.rate()? * active)
}

fn reach(fault: &Fault) -> String {
    let Narrow {
        only,
        except,
        window,
        calls,
        active,
        at_most,
        requested,
    } = &fault.narrow;
    let mut s = fault.select.to_string();
    if let (Some(active), Some(rate)) = (active, effective(fault)) {
        let _ = write!(
            s,
            " in {} % of runs (effective {} %)",
            percent(active.get()),
            percent(rate)
        );
    }
    if !only.is_empty() {
        let _ = write!(s, ", only {}", only.join(" or "));
    }
    if !except.is_empty() {
        let _ = write!(s, ", except {}", except.join(" and "));
    }
    if let Some((from, until)) = window {
        let _ = write!(
            s,
            ", from {} to {}",
            format_duration(*from),
            until_text(*until)
        );
    }
    if let Some(calls) = calls {
        let _ = write!(s, ", calls {} to {}", calls.start, calls.end);
    }
    if let Some(n) = at_most {
        let _ = write!(s, ", at most {n} times");
    }
    if *requested {
        let _ = write!(s, ", only where the request's header asks for it");
    }
    if let Some(after) = fault.give_up {
        let after = format_duration(after);
        let _ = match fault.effect {
            Effect::Lose(_) => write!(s, "; refused after {after}"),
            _ => write!(s, "; reset after {after}"),
        };
    }
    let _ = write!(s, "{}", fault.answer);
    s
}

fn until_text(until: Duration) -> String {
    if until == Duration::MAX {
        "the end".into()
    } else {
        format_duration(until).to_string()
    }
}

fn limits(out: &mut String, plan: &Plan) {
    let limits = &plan.limits;
    if limits.ratio < Probability::ALWAYS {
        line(
            out,
            format_args!(
                "at most {} % of a site's calls",
                percent(limits.ratio.get())
            ),
        );
    }
    if !limits.exclude.is_empty() {
        line(out, format_args!("never {}", limits.exclude.join(" nor ")));
    }
    if let Some(h) = plan.halt.errors {
        line(
            out,
            format_args!(
                "ends at {} % failed calls, after {}",
                percent(h.share.get()),
                h.after
            ),
        );
    }
    if let Some((over, h)) = plan.halt.latency {
        let over = format_duration(over);
        line(
            out,
            format_args!(
                "ends at {} % of calls over {over}, after {}",
                percent(h.share.get()),
                h.after
            ),
        );
    }
}

fn line(out: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{args}");
}

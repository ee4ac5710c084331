//! Random runs: two-level activation, swarm masks, nudges, upsets; all of it drawn from one seed.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Distribution, Lane, Point, Probability, Seed, Stream};
use murphy_fault::Plan;

use crate::catalogue::Catalogue;
use crate::injection::{Injection, Upset};
use crate::kind::Kind;
use crate::menu::Menu;
use crate::script;

/// What strikes in one random run.
#[derive(Clone, Debug)]
pub(crate) struct Storm {
    /// Faults by chance and upsets by time.
    pub(crate) plan: Plan,
    /// The upsets of the plan, as injections.
    pub(crate) upsets: Vec<Injection>,
}

/// The storm of this seed: faults of a few kinds (each is in or out for the whole run, Groce's swarm testing)
/// at a few sites (two-level activation), with one of three strengths, and nothing after `until`.
pub(crate) fn storm(seed: Seed, catalogue: &Catalogue, menu: &Menu, until: Duration) -> Storm {
    let dice = Dice(seed);
    let strength = [0.01, 0.05, 0.2][dice.below("strength", 0, 3)];
    let active = [0.25, 0.5, 1.0][dice.below("active", 0, 3)];
    let mut plan = Plan::new().seed(seed);
    let mut kinds: Vec<Kind> = (menu.kinds.iter().copied())
        .filter(|kind| dice.below("swarm", *kind as u64, 2) == 0)
        .collect();
    if kinds.is_empty() && !menu.kinds.is_empty() {
        kinds.push(menu.kinds[dice.below("one", 0, menu.kinds.len())]);
    }
    for site in catalogue.sites() {
        for &kind in kinds.iter().filter(|kind| catalogue.able(site, **kind)) {
            let fault = kind.fault(magnitude(kind, menu), chance(strength));
            let fault = fault
                .active_in(chance(active))
                .during(Duration::ZERO, until);
            plan = plan.with(Arc::clone(site), fault);
        }
    }
    if dice.below("nudged", 0, 2) == 0 {
        plan = nudged(plan, catalogue, chance(0.3), until);
    }
    let upsets = upsets(&dice, catalogue, menu, until);
    for upset in &upsets {
        if let Injection::Upset { what, at, lasting } = upset {
            plan = script::disturbed(plan, what, *at, *lasting);
        }
    }
    Storm { plan, upsets }
}

/// No faults, but another order: requests and replies let others go first, or are up to three milliseconds late.
pub(crate) fn perturbation(seed: Seed, catalogue: &Catalogue, until: Duration) -> Storm {
    let share = [0.1, 0.3, 0.6][Dice(seed).below("share", 0, 3)];
    let plan = Plan::new().seed(seed);
    Storm {
        plan: nudged(plan, catalogue, chance(share), until),
        upsets: Vec::new(),
    }
}

fn nudged(mut plan: Plan, catalogue: &Catalogue, p: Probability, until: Duration) -> Plan {
    for site in catalogue.sites() {
        for kind in Kind::NUDGES {
            let fault = kind.fault(up_to(Duration::from_millis(3)), p);
            plan = plan.with(Arc::clone(site), fault.during(Duration::ZERO, until));
        }
    }
    plan
}

fn magnitude(kind: Kind, menu: &Menu) -> Distribution {
    let largest = |of: &[Duration]| of.iter().copied().max().unwrap_or_default();
    match kind {
        Kind::Latency | Kind::SlowReply => up_to(largest(&menu.delays)),
        Kind::Duplicate => up_to(largest(&menu.copies)),
        _ => Distribution::fixed(Duration::ZERO),
    }
}

/// Up to three upsets, of lengths between the shortest and the longest outage.
fn upsets(dice: &Dice, catalogue: &Catalogue, menu: &Menu, until: Duration) -> Vec<Injection> {
    let (nodes, inhabited) = (catalogue.nodes(), catalogue.inhabited());
    if nodes.is_empty() || menu.outages.is_empty() {
        return Vec::new();
    }
    let last = catalogue.calls().last().map_or(Duration::ZERO, |c| c.at);
    let span = (last * 2 + Duration::from_millis(10)).min(until);
    let ms = |d: Duration| (d.as_millis() as usize).max(1);
    let all = (0..dice.below("upsets", 0, 4) as u64).map(|n| {
        let node = || Arc::clone(&nodes[dice.below("node", n, nodes.len())]);
        let other = || Arc::clone(&nodes[dice.below("other", n, nodes.len())]);
        let inhabitant = || Arc::clone(&inhabited[dice.below("node", n, inhabited.len())]);
        let what = match dice.below("what", n, 6) {
            0 if !inhabited.is_empty() => Upset::Pause(inhabitant()),
            1 if !inhabited.is_empty() => Upset::Crash(inhabitant()),
            3 if node() != other() => Upset::Cut(node(), other()),
            4 if node() != other() => Upset::CutOneway(node(), other()),
            5 if !inhabited.is_empty() && !menu.steps.is_empty() => Upset::Step(
                inhabitant(),
                menu.steps[dice.below("step", n, menu.steps.len())],
            ),
            _ => Upset::Isolate(node()),
        };
        let at = Duration::from_millis(dice.below("at", n, ms(span)) as u64);
        let outage = menu.outages[dice.below("outage", n, menu.outages.len())];
        let lasting = Duration::from_millis(1 + dice.below("lasting", n, ms(outage)) as u64);
        Injection::Upset { what, at, lasting }
    });
    all.collect()
}

fn chance(p: f64) -> Probability {
    Probability::try_new(p).unwrap_or(Probability::ALWAYS)
}

fn up_to(most: Duration) -> Distribution {
    Distribution::uniform(Duration::ZERO, most).unwrap_or(Distribution::fixed(most))
}

/// Numbers from a seed, by name.
struct Dice(Seed);

impl Dice {
    /// A number from 0 to below `n`, which is not 0.
    fn below(&self, what: &str, nth: u64, n: usize) -> usize {
        let draw =
            Stream::new(self.0, "murphy.storm", what, Lane::Fires).at(Point::positional(nth));
        ((u128::from(draw.bits()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const UNTIL: Duration = Duration::from_secs(60);

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for site in ["a->b", "b->c", "db"] {
            catalogue.site(&site.into());
        }
        for node in ["a", "b", "c"] {
            catalogue.node(&node.into());
            catalogue.placed(&node.into());
        }
        catalogue.unable("db", Kind::Refused);
        catalogue
    }

    #[test]
    fn a_seed_is_a_storm_and_another_is_another() {
        let (catalogue, menu) = (catalogue(), Menu::default());
        let of = |seed| storm(Seed::new(seed), &catalogue, &menu, UNTIL).plan;
        assert_eq!(of(1), of(1));
        let different: BTreeSet<String> = (0..50).map(|seed| of(seed).to_toml()).collect();
        assert!(different.len() > 45, "{}", different.len());
    }

    #[test]
    fn in_many_storms_all_that_can_happen_happens_and_nothing_else() {
        let (catalogue, menu) = (catalogue(), Menu::default());
        let mut seen = BTreeSet::new();
        for seed in 0..500 {
            let storm = storm(Seed::new(seed), &catalogue, &menu, UNTIL);
            for (site, fault) in storm.plan.faults() {
                seen.insert((site.to_string(), fault.name().to_owned()));
                assert_eq!(fault.window(), Some((Duration::ZERO, UNTIL)));
            }
            seen.extend(
                storm
                    .upsets
                    .iter()
                    .map(|u| (String::new(), u.kind().into())),
            );
            assert!(storm.upsets.len() <= 3);
            // The fault crate takes it for a plan.
            assert_eq!(Plan::from_toml(&storm.plan.to_toml()).unwrap(), storm.plan);
        }
        let kinds = Kind::FAULTS.len() + Kind::NUDGES.len();
        assert_eq!(seen.len(), 3 * kinds - 1 + 6, "{seen:?}");
        assert!(!seen.contains(&("db".into(), "refused".into())));
    }
}

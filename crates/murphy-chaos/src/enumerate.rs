//! The order in which things go wrong one by one, and in pairs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Seed, mix};

use crate::catalogue::{Catalogue, Passed};
use crate::injection::{Injection, Upset};
use crate::kind::Kind;
use crate::menu::Menu;

/// The most moments at which nodes and links are upset.
const MOST_MOMENTS: usize = 16;
/// The most nodes of which every pair is cut; of more, each is only isolated.
const MOST_NODES_IN_PAIRS: usize = 8;

/// Every single thing that can go wrong: each kind that a site can do at each of its calls, then each
/// upset of each node. The first and the later calls of each site come before the rest, so that an
/// enumeration that is cut short has seen some of everything.
pub(crate) fn singles(catalogue: &Catalogue, menu: &Menu) -> Vec<Injection> {
    let mut seen = BTreeSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for passed in catalogue.calls() {
        for injection in at_call(passed, catalogue, menu) {
            let Injection::Call { call, kind, .. } = &injection else {
                continue;
            };
            let class = (Arc::clone(&call.site), *kind, call.occurrence > 0);
            if seen.insert(class) {
                first.push(injection);
            } else {
                rest.push(injection);
            }
        }
    }
    first.extend(rest);
    first.extend(upsets(catalogue, menu));
    first
}

/// What can happen to one call.
pub(crate) fn at_call(passed: &Passed, catalogue: &Catalogue, menu: &Menu) -> Vec<Injection> {
    let able = menu
        .kinds
        .iter()
        .filter(|kind| catalogue.able(&passed.call.site, **kind));
    let of = |kind: &Kind| {
        let (kind, call) = (*kind, passed.call.clone());
        let magnitudes = menu.magnitudes(kind).into_iter();
        magnitudes.map(move |magnitude| Injection::Call {
            call: call.clone(),
            kind,
            magnitude,
        })
    };
    able.flat_map(of).collect()
}

/// What can happen to nodes and links, at moments when calls are made and a millisecond later, when they are
/// under way.
fn upsets(catalogue: &Catalogue, menu: &Menu) -> Vec<Injection> {
    let (nodes, inhabited) = (catalogue.nodes(), catalogue.inhabited());
    let moments = moments(catalogue.calls());
    let mut whats: Vec<Upset> = Vec::new();
    for node in &inhabited {
        whats.push(Upset::Pause(Arc::clone(node)));
        whats.push(Upset::Crash(Arc::clone(node)));
    }
    if nodes.len() > 1 {
        whats.extend(nodes.iter().cloned().map(Upset::Isolate));
    }
    // Of two nodes, the one that is isolated is cut off from the other.
    if (3..=MOST_NODES_IN_PAIRS).contains(&nodes.len()) {
        for (i, a) in nodes.iter().enumerate() {
            for b in &nodes[i + 1..] {
                whats.push(Upset::Cut(Arc::clone(a), Arc::clone(b)));
            }
        }
    }
    if (2..=MOST_NODES_IN_PAIRS).contains(&nodes.len()) {
        for a in &nodes {
            for b in nodes.iter().filter(|b| *b != a) {
                whats.push(Upset::CutOneway(Arc::clone(a), Arc::clone(b)));
            }
        }
    }
    let mut all = Vec::new();
    for &at in &moments {
        for &lasting in &menu.outages {
            all.extend(whats.iter().map(|what| Injection::Upset {
                what: what.clone(),
                at,
                lasting,
            }));
        }
        for node in &inhabited {
            all.extend(menu.steps.iter().map(|ms| Injection::Upset {
                what: Upset::Step(Arc::clone(node), *ms),
                at,
                lasting: Duration::from_secs(3600),
            }));
        }
    }
    all
}

/// When calls are made, and when they are under way, thinned out evenly.
fn moments(calls: &[Passed]) -> Vec<Duration> {
    let whole = |at: Duration| Duration::from_millis(at.as_millis() as u64);
    let all: BTreeSet<Duration> = calls
        .iter()
        .flat_map(|c| [whole(c.at), whole(c.at) + Duration::from_millis(1)])
        .collect();
    let all: Vec<Duration> = all.into_iter().collect();
    let n = all.len().min(MOST_MOMENTS);
    (0..n).map(|i| all[i * all.len() / n]).collect()
}

/// All pairs of `n` things, each once, in an order that is as good as random and takes no memory.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    n: u64,
    all: u64,
    start: u64,
    step: u64,
    next: u64,
}

impl Pairs {
    pub(crate) fn new(n: usize, seed: Seed) -> Self {
        let n = n as u64;
        let all = n * n.saturating_sub(1) / 2;
        let mut step = if all > 1 {
            1 + mix(seed.bits()) % (all - 1)
        } else {
            1
        };
        // Coprime to the number of pairs: each is met once.
        while gcd(step, all.max(1)) != 1 {
            step += 1;
        }
        Self {
            n,
            all,
            start: mix(!seed.bits()) % all.max(1),
            step,
            next: 0,
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> u64 {
        self.all
    }
}

impl Iterator for Pairs {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        if self.next == self.all {
            return None;
        }
        let wide = u128::from(self.start) + u128::from(self.step) * u128::from(self.next);
        self.next += 1;
        let index = (wide % u128::from(self.all)) as u64;
        // The pairs (i, j), i < j, row by row of j: j rows have j(j-1)/2 pairs.
        let mut j = ((1.0 + (8.0 * index as f64 + 1.0).sqrt()) / 2.0) as u64;
        let below = |j: u64| j * j.saturating_sub(1) / 2;
        while below(j) > index {
            j -= 1;
        }
        while j + 1 < self.n && below(j + 1) <= index {
            j += 1;
        }
        Some(((index - below(j)) as usize, j as usize))
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use murphy_core::Key;
    use proptest::prelude::*;

    use super::*;
    use crate::injection::CallId;

    fn catalogue(calls: &[(&str, u64, u64, u64)], nodes: &[&str]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (site, key, occurrence, ms) in calls {
            let site: Arc<str> = (*site).into();
            catalogue.site(&site);
            catalogue.call(&Passed {
                call: CallId {
                    site,
                    key: Key::new(*key),
                    occurrence: *occurrence,
                },
                at: Duration::from_millis(*ms),
            });
        }
        for node in nodes {
            catalogue.node(&(*node).into());
            catalogue.placed(&(*node).into());
        }
        catalogue
    }

    #[test]
    fn every_kind_that_a_site_can_do_strikes_every_call() {
        let mut catalogue = catalogue(&[("a", 1, 0, 0), ("a", 2, 0, 5), ("b", 0, 0, 5)], &[]);
        catalogue.unable("b", Kind::LostReply);
        let menu = Menu::only([Kind::LostRequest, Kind::LostReply, Kind::Latency]);
        let all = singles(&catalogue, &menu);
        let told: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "lost-request: passage 0 of key 0x1 at a",
                "lost-reply: passage 0 of key 0x1 at a",
                "latency: passage 0 of key 0x1 at a, by 10s",
                "lost-request: call 0 at b",
                "latency: call 0 at b, by 10s",
                "lost-request: passage 0 of key 0x2 at a",
                "lost-reply: passage 0 of key 0x2 at a",
                "latency: passage 0 of key 0x2 at a, by 10s",
            ]
        );
    }

    #[test]
    fn every_node_and_link_is_upset_at_every_moment() {
        let catalogue = catalogue(&[("a->b", 1, 0, 7)], &["a", "b"]);
        let menu = Menu::only([]).outages([Duration::from_secs(2)]).steps([]);
        let all = singles(&catalogue, &menu);
        // At 7 and 8 ms: pause, crash, isolate each of two; two one-way cuts.
        assert_eq!(all.len(), 2 * (3 * 2 + 2), "{all:?}");
        assert!(
            all.iter()
                .any(|i| i.to_string() == "cut b -> a from 8ms for 2s")
        );
    }

    #[test]
    fn moments_are_thinned_out_and_keep_the_first() {
        let calls: Vec<_> = (0..100).map(|i| ("a", i, 0, i * 10)).collect();
        let catalogue = catalogue(&calls, &[]);
        let moments = moments(catalogue.calls());
        assert_eq!((moments.len(), moments[0]), (MOST_MOMENTS, Duration::ZERO));
    }

    proptest! {
        #[test]
        fn every_pair_comes_once(n in 0usize..60, seed in any::<u64>()) {
            let pairs = Pairs::new(n, Seed::new(seed));
            let total = pairs.total() as usize;
            let seen: BTreeSet<_> = pairs.collect();
            prop_assert_eq!(seen.len(), total);
            prop_assert_eq!(total, n * n.saturating_sub(1) / 2);
            prop_assert!(seen.iter().all(|(i, j)| i < j && *j < n));
        }

        #[test]
        fn many_things_have_pairs_too(n in 2usize..1_000_000, seed in any::<u64>()) {
            for (i, j) in Pairs::new(n, Seed::new(seed)).take(50) {
                prop_assert!(i < j && j < n);
            }
        }
    }
}

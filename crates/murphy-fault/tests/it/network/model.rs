//! Any sequence of disturbances, against a set of blocked pairs.

use std::collections::BTreeSet;

use murphy_fault::{Cut, FaultService, Held, Network};
use proptest::collection::vec;
use proptest::prelude::*;
use tower::ServiceExt;

use super::{armed, lines, run, wire};
use crate::support::{Echo, ms, within};

type Pairs = BTreeSet<(usize, usize)>;

/// One thing that is done; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Groups(Vec<usize>),
    Two(Vec<bool>),
    Bridge(usize, Vec<bool>),
    OneWay(Vec<u8>),
    Hold(Vec<u8>),
    Isolate(usize),
    Ring,
    EndOne(usize),
    KeepOne(usize),
    Repair,
    Release,
    RepairLink(usize, usize),
    Rearm,
}

fn step() -> impl Strategy<Value = Step> {
    let sides = || vec(any::<bool>(), 6);
    let thirds = || vec(0..3u8, 6);
    prop_oneof![
        vec(0..3usize, 6).prop_map(Step::Groups),
        sides().prop_map(Step::Two),
        (0..6usize, sides()).prop_map(|(bridge, sides)| Step::Bridge(bridge, sides)),
        thirds().prop_map(Step::OneWay),
        thirds().prop_map(Step::Hold),
        (0..6usize).prop_map(Step::Isolate),
        Just(Step::Ring),
        any::<usize>().prop_map(Step::EndOne),
        any::<usize>().prop_map(Step::KeepOne),
        Just(Step::Repair),
        Just(Step::Release),
        (0..6usize, 0..6usize).prop_map(|(a, b)| Step::RepairLink(a, b)),
        Just(Step::Rearm),
    ]
}

#[derive(Debug)]
enum Guard {
    Cut(Cut),
    Held(Held),
}

/// What is going on, said naively.
#[derive(Debug)]
struct Trouble {
    holds: bool,
    pairs: Pairs,
    guard: Option<Guard>,
}

struct World {
    names: Vec<String>,
    network: Network,
    troubles: Vec<Trouble>,
}

impl World {
    fn nodes(&self) -> usize {
        self.names.len()
    }

    fn pairs(&self, struck: impl Fn(usize, usize) -> bool) -> Pairs {
        let all = (0..self.nodes()).flat_map(|a| (0..self.nodes()).map(move |b| (a, b)));
        all.filter(|(a, b)| a != b && struck(*a, *b)).collect()
    }

    fn those(&self, is: impl Fn(usize) -> bool) -> Vec<&str> {
        let nodes = (0..self.nodes()).filter(|n| is(*n));
        nodes.map(|n| &*self.names[n]).collect()
    }

    fn cut(&mut self, cut: Cut, pairs: Pairs) {
        let guard = Some(Guard::Cut(cut));
        self.troubles.push(Trouble {
            holds: false,
            pairs,
            guard,
        });
    }

    /// Does it, to the network and to the model. What is refused changes neither.
    fn does(&mut self, step: &Step) {
        let n = self.nodes();
        match step {
            Step::Groups(of) => {
                let groups: Vec<_> = (0..3).map(|g| self.those(|n| of[n] == g)).collect();
                let empty = groups.iter().any(Vec::is_empty);
                let cut = self.network.partition_groups(groups);
                assert_eq!(cut.is_err(), empty);
                if let Ok(cut) = cut {
                    self.cut(cut, self.pairs(|a, b| of[a] != of[b]));
                }
            }
            Step::Two(side) => {
                let [one, other] = [true, false].map(|s| self.those(|n| side[n] == s));
                if let Ok(cut) = self.network.partition(one, other) {
                    self.cut(cut, self.pairs(|a, b| side[a] != side[b]));
                }
            }
            Step::Bridge(bridge, side) => {
                let bridge = bridge % n;
                let [one, other] =
                    [true, false].map(|s| self.those(|n| n != bridge && side[n] == s));
                let cut = self.network.bridge(&self.names[bridge], one, other);
                if let Ok(cut) = cut {
                    let spared = |n| n == bridge;
                    let pairs = self.pairs(|a, b| !spared(a) && !spared(b) && side[a] != side[b]);
                    self.cut(cut, pairs);
                }
            }
            Step::OneWay(side) => {
                let [from, to] = [0, 1].map(|s| self.those(|n| side[n] == s));
                if let Ok(cut) = self.network.partition_oneway(from, to) {
                    self.cut(cut, self.pairs(|a, b| side[a] == 0 && side[b] == 1));
                }
            }
            Step::Hold(side) => {
                let [from, to] = [0, 1].map(|s| self.those(|n| side[n] == s));
                if let Ok(held) = self.network.hold(from, to) {
                    let pairs = self.pairs(|a, b| side[a] == 0 && side[b] == 1);
                    let guard = Some(Guard::Held(held));
                    self.troubles.push(Trouble {
                        holds: true,
                        pairs,
                        guard,
                    });
                }
            }
            Step::Isolate(node) => {
                let node = node % n;
                let cut = self.network.isolate(&self.names[node]).unwrap();
                self.cut(cut, self.pairs(|a, b| a == node || b == node));
            }
            Step::Ring => match self.network.majorities_ring() {
                Ok(cut) => {
                    // Half of the majority to the left, half to the right.
                    let reach = (n / 2).div_ceil(2);
                    let near = |a: usize, b: usize| (1..=reach).any(|d| (a + d) % n == b);
                    self.cut(cut, self.pairs(|a, b| !near(a, b) && !near(b, a)));
                }
                Err(_) => assert!(n < 3),
            },
            Step::EndOne(which) => {
                if !self.troubles.is_empty() {
                    let which = which % self.troubles.len();
                    if self.troubles[which].guard.is_some() {
                        self.troubles.remove(which);
                    }
                }
            }
            Step::KeepOne(which) => {
                if !self.troubles.is_empty() {
                    let which = which % self.troubles.len();
                    match self.troubles[which].guard.take() {
                        Some(Guard::Cut(cut)) => cut.keep(),
                        Some(Guard::Held(held)) => held.keep(),
                        None => {}
                    }
                }
            }
            Step::Repair => {
                self.network.repair();
                self.troubles.retain(|t| t.holds);
            }
            Step::Release => {
                self.network.release();
                self.troubles.retain(|t| !t.holds);
            }
            Step::RepairLink(a, b) => {
                let (a, b) = (a % n, b % n);
                self.network
                    .repair_link(&self.names[a], &self.names[b])
                    .unwrap();
                for cut in self.troubles.iter_mut().filter(|t| !t.holds) {
                    cut.pairs.remove(&(a, b));
                }
            }
            Step::Rearm => self.troubles.clear(),
        }
    }

    /// What a link does: what the ledger calls it, or nothing.
    fn state(&self, a: usize, b: usize) -> Option<&'static str> {
        let strikes = |holds| {
            let mut troubles = self.troubles.iter();
            troubles.any(|t| t.holds == holds && t.pairs.contains(&(a, b)))
        };
        match (strikes(false), strikes(true)) {
            (true, _) => Some("partition"),
            (false, true) => Some("hold"),
            (false, false) => None,
        }
    }
}

async fn holds(nodes: usize, steps: Vec<Step>) {
    let names: Vec<String> = (0..nodes).map(|n| format!("n{n}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let (chaos, network, first) = armed(&refs);
    let troubles = Vec::new();
    let mut world = World {
        names: names.clone(),
        network,
        troubles,
    };
    let mut links: Vec<((usize, usize), FaultService<Echo>, Echo)> = Vec::new();
    for (a, b) in world.pairs(|_, _| true) {
        let (service, echo) = wire(&chaos, &names[a], &names[b]);
        links.push(((a, b), service, echo));
    }
    let mut on = Some(first);
    for (number, step) in steps.iter().enumerate() {
        if matches!(step, Step::Rearm) {
            on = None;
            drop(on.take());
            on = Some(run(&chaos));
        }
        world.does(step);
        let before = on.as_ref().map_or(0, |on| on.ledger().records().len());
        let mut want = Vec::new();
        for ((a, b), service, echo) in &links {
            let ran = echo.began();
            let heard = within(ms(3), service.clone().oneshot(7)).await.is_some();
            let (there, back) = (world.state(*a, *b), world.state(*b, *a));
            let context = format!("{a} to {b} after {number} of {steps:?}");
            assert_eq!(echo.began() > ran, there.is_none(), "{context}");
            assert_eq!(heard, there.is_none() && back.is_none(), "{context}");
            let site = format!("n{a}->n{b}");
            match (there, back) {
                (Some("hold"), _) => want.push(format!("{site} link.hold CallerLeft")),
                (Some(what), _) => want.push(format!("{site} link.{what} NeverRan")),
                (None, Some(what)) => want.push(format!("{site} link.{what}.reply Ran")),
                (None, None) => {}
            }
        }
        let ledger = on.as_ref().map(|on| on.ledger()).unwrap();
        assert_eq!(
            lines(&ledger)[before..],
            want,
            "after {number} of {steps:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_disturbances_block_what_a_set_of_pairs_says(
        nodes in 2..7usize,
        steps in vec(step(), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(holds(nodes, steps));
    }
}

//! Random weather for a few nodes: what a schedule of the tests of quorums is.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Distribution, Draw, Lane, Point, Probability, Seed, Stream};
use murphy_fault::{Chaos, Disturbance, Fault, Plan};

use crate::ms;

/// Draws of a schedule, by name.
#[derive(Clone, Debug)]
pub struct Draws(Seed);

impl Draws {
    /// Those of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Seed::new(seed))
    }

    /// The `n`-th under a name.
    #[must_use]
    pub fn draw(&self, name: &str, n: u64) -> Draw {
        Stream::new(self.0, name, "schedule", Lane::Jitter).at(Point::positional(n))
    }

    /// One of `0..bound`.
    #[must_use]
    pub fn below(&self, name: &str, n: u64, bound: u64) -> u64 {
        ((self.draw(name, n).unit() * bound as f64) as u64).min(bound - 1)
    }
}

/// Latencies, losses of requests and of replies, copies; a partition, a node that is cut off and one that
/// pauses, at some time or other. All drawn from the seed.
///
/// # Panics
///
/// Never: its numbers are right.
#[must_use]
pub fn weather(seed: u64, chaos: &Chaos, clients: &[&str], nodes: &[&str]) -> Plan {
    let draws = Draws::new(seed);
    let share = |name, most: f64| {
        let share = draws.draw(name, 0).unit() * most;
        Probability::try_new(share).expect("a share")
    };
    let uniform = |most| Distribution::uniform(ms(0), ms(most)).expect("in order");
    let mut plan = Plan::new();
    let (requests, replies, copies) = (
        share("requests", 0.3),
        share("replies", 0.3),
        share("copies", 0.3),
    );
    for client in clients {
        for node in nodes {
            let site: Arc<str> = format!("{client}->{node}").into();
            drop(chaos.site(&site));
            for fault in [
                Fault::latency(uniform(30), Probability::ALWAYS),
                Fault::slow_reply(uniform(30), Probability::ALWAYS),
                Fault::lost_request(requests),
                Fault::lost_reply(replies),
                Fault::duplicate(uniform(120), copies),
            ] {
                plan = plan.with(Arc::clone(&site), fault);
            }
        }
    }
    let when = |name| {
        (
            ms(draws.below(name, 1, 200)),
            ms(1 + draws.below(name, 2, 200)),
        )
    };
    let is_on = |name, bits| draws.draw(name, 3).bits() >> 13 & bits == 0;
    let disturb = |plan: Plan, disturbance: Disturbance, (at, lasting): (Duration, Duration)| {
        plan.disturb(disturbance.at(at).lasting(lasting))
    };
    if is_on("partition", 1) {
        let split = draws.draw("partition", 0).bits() >> 20;
        let side = |of: u64| {
            let all = clients.iter().chain(nodes).enumerate();
            all.filter(move |(n, _)| split >> n & 1 == of)
                .map(|(_, name)| *name)
                .collect::<Vec<_>>()
        };
        let (one, other) = (side(0), side(1));
        if !one.is_empty() && !other.is_empty() {
            plan = disturb(
                plan,
                Disturbance::partition([one, other]),
                when("partition"),
            );
        }
    }
    let node = |name| nodes[draws.below(name, 0, nodes.len() as u64) as usize];
    if is_on("isolate", 3) {
        plan = disturb(plan, Disturbance::isolate(node("isolate")), when("isolate"));
    }
    if is_on("pause", 1) {
        plan = disturb(plan, Disturbance::pause(node("pause")), when("pause"));
    }
    plan
}

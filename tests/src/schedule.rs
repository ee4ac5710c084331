//! Many schedules in virtual time, each in a runtime of its own.

use murphy_core::clock::Drift;
use murphy_fault::{Bend, Chaos, Disturbance, Plan};
use tokio::runtime::Builder;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service};

use crate::ms;
use crate::rough::Draws;

/// How many: a hundred thousand where the compiler optimises, fewer where it does not.
pub const SCHEDULES: u64 = if cfg!(debug_assertions) { 40 } else { 100_000 };

/// How many for a twin that is wrong, and for what is looked at besides.
pub const FEWER: u64 = if cfg!(debug_assertions) { 12 } else { 5_000 };

/// Runs each schedule, on two threads, and gives what came of those that say something.
///
/// # Panics
///
/// When one of them does.
pub fn schedules<T: Send>(schedules: u64, run: impl Fn(u64) -> Option<T> + Sync) -> Vec<(u64, T)> {
    let half = |from: u64| {
        (from..schedules)
            .step_by(2)
            .filter_map(|seed| Some((seed, run(seed)?)))
            .collect()
    };
    let mut found: Vec<(u64, T)> = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all: Vec<_> = half(0);
        all.extend(other.join().expect("no schedule panics"));
        all
    });
    found.sort_by_key(|(seed, _)| *seed);
    found
}

/// The first of at most so many schedules that says something: for what is to be found at all. On two threads, a block after the
/// other, so that it is the first whoever was faster.
pub fn first<T: Send>(of: u64, run: impl Fn(u64) -> Option<T> + Sync) -> Option<(u64, T)> {
    const BLOCK: u64 = 16;
    (0..of).step_by(BLOCK as usize).find_map(|from| {
        let block = schedules(BLOCK.min(of - from), |seed| run(from + seed));
        let (seed, found) = block.into_iter().next()?;
        Some((from + seed, found))
    })
}

/// Runs it on a paused clock.
///
/// # Panics
///
/// When there can be no runtime.
pub fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    builder.build().expect("a runtime").block_on(run)
}

/// A line from a client to a node: through the network's faults, to a service on the node.
pub fn line<S, Req, Res>(
    chaos: &Chaos,
    client: &str,
    node: &str,
    service: S,
) -> BoxCloneSyncService<Req, Res, BoxError>
where
    S: Service<Req, Response = Res> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
    Req: Clone + Send + 'static,
    Res: Clone + Send + 'static,
{
    use tower::ServiceExt;
    let service = service.map_err(Into::into);
    let service = chaos.node(node).layer().layer(service);
    let site = chaos.site(&format!("{client}->{node}"));
    BoxCloneSyncService::new(site.layer().duplicating().layer(service))
}

/// Every one of these has a clock of its own rate, up to `most` times the true one, or as much slower.
///
/// # Panics
///
/// Never: its numbers are right.
#[must_use]
pub fn skewed(seed: u64, mut plan: Plan, nodes: &[&str], most: f64) -> Plan {
    let draws = Draws::new(seed);
    for node in nodes {
        let rate = most.powf(2.0 * draws.draw("rate", 0).nth(hash(node)).unit() - 1.0);
        let drift = Drift::ppm((rate - 1.0) * 1e6).expect("a rate");
        plan = plan.disturb(Disturbance::clock(*node, Bend::Drift(drift)));
    }
    plan
}

/// Some of these pause, and some crash, at some time or other within the first second and a half.
#[must_use]
pub fn unsteady(seed: u64, mut plan: Plan, paused: &[&str], crashed: &[&str]) -> Plan {
    let draws = Draws::new(seed);
    for node in paused {
        for n in 0..4 {
            if draws.draw(node, 100 + n).unit() < 0.8 {
                let pause = Disturbance::pause(*node).at(ms(draws.below(node, 110 + n, 1500)));
                plan = plan.disturb(pause.lasting(ms(250 + draws.below(node, 120 + n, 350))));
            }
        }
    }
    for node in crashed {
        if draws.draw(node, 130).unit() < 0.3 {
            let crash = Disturbance::crash(*node).at(ms(draws.below(node, 131, 1000)));
            plan = plan.disturb(crash.lasting(ms(1 + draws.below(node, 132, 200))));
        }
    }
    plan
}

/// These crash often within the first two seconds, and are back soon.
#[must_use]
pub fn restless(seed: u64, mut plan: Plan, nodes: &[&str]) -> Plan {
    let draws = Draws::new(seed);
    for node in nodes {
        for n in 0..6 {
            let crash = Disturbance::crash(*node).at(ms(draws.below(node, 140 + n, 2000)));
            plan = plan.disturb(crash.lasting(ms(1 + draws.below(node, 150 + n, 30))));
        }
    }
    plan
}

fn hash(name: &str) -> u64 {
    murphy_core::hash_bytes(name.as_bytes())
}

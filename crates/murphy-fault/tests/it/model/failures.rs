//! What becomes of faulty nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use murphy_core::{Draw, Seed};
use murphy_fault::byzantine::Equivocator;
use murphy_fault::{Chaos, Failures, Model, NodeState, TimeLimit, Timing, Verb};
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

use super::cluster::{Ballot, Cluster};
use super::{ASYNCHRONOUS, SYNCHRONOUS, partial};
use crate::support::ms;

/// Counts its own steps, one every ten milliseconds.
fn ticking(node: &murphy_fault::Node) -> Arc<AtomicU64> {
    let steps = Arc::new(AtomicU64::new(0));
    let program = node.serve({
        let steps = Arc::clone(&steps);
        move |_| {
            let steps = Arc::clone(&steps);
            async move {
                loop {
                    steps.fetch_add(1, SeqCst);
                    sleep(ms(10)).await;
                }
            }
        }
    });
    tokio::spawn(program);
    steps
}

#[tokio::test(start_paused = true)]
async fn crash_stop_who_crashed_never_runs_again() {
    for (seed, timing) in [SYNCHRONOUS, partial(500), ASYNCHRONOUS].iter().enumerate() {
        let cluster = Cluster::new(seed as u64, 5);
        let model = Model::new(*timing, Failures::CrashStop).within(ms(1_000));
        let faulty = model.faulty_nodes(&cluster.chaos).unwrap();
        assert_eq!(faulty.len(), 2, "the largest minority");
        let plan = model.plan(&cluster.chaos).unwrap();
        let armed = cluster.chaos.arm(&plan, TimeLimit::None).unwrap();
        let steps: Vec<_> = cluster.nodes.iter().map(ticking).collect();
        sleep(ms(1_000)).await;
        let by_then: Vec<u64> = steps.iter().map(|n| n.load(SeqCst)).collect();
        sleep(ms(10_000)).await;
        for (n, node) in cluster.nodes.iter().enumerate() {
            let ran_on = steps[n].load(SeqCst) > by_then[n];
            let is_faulty = faulty.iter().any(|f| **f == *node.name());
            assert_eq!((node.is_up(), ran_on), (!is_faulty, !is_faulty), "{node:?}");
            assert_eq!(node.incarnation(), 0);
        }
        let events = armed.ledger().events();
        let restarts = events.iter().filter(|e| e.verb == Verb::Restart);
        assert_eq!(restarts.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn crash_recovery_who_crashed_comes_back_with_what_was_durable_and_nothing_else() {
    for seed in 0..8 {
        let cluster = Cluster::new(seed, 5);
        let model = Model::new(SYNCHRONOUS, Failures::CrashRecovery).within(ms(1_000));
        let faulty = model.faulty_nodes(&cluster.chaos).unwrap();
        let plan = model.plan(&cluster.chaos).unwrap();
        let on_disk = |term| Ballot { term, vote: None };
        let memory: Vec<_> = cluster
            .nodes
            .iter()
            .map(|node| node.memory(0_u64))
            .collect();
        for (n, memory) in memory.iter().enumerate() {
            cluster.ballot(n).store(on_disk(7)).unwrap();
            cluster.ballot(n).set(on_disk(8)).unwrap();
            memory.set(3).unwrap();
        }
        let armed = cluster.chaos.arm(&plan, TimeLimit::None).unwrap();
        let steps: Vec<_> = cluster.nodes.iter().map(ticking).collect();
        let (begun, mut most_down) = (Instant::now(), 0);
        while begun.elapsed() < ms(1_000) {
            let down = |n: &&murphy_fault::Node| n.state() == NodeState::Down;
            most_down = most_down.max(cluster.nodes.iter().filter(down).count());
            sleep(ms(1)).await;
        }
        assert!((1..=2).contains(&most_down), "never more than a minority");
        let by_then: Vec<u64> = steps.iter().map(|n| n.load(SeqCst)).collect();
        sleep(ms(1_000)).await;
        for (n, node) in cluster.nodes.iter().enumerate() {
            assert!(node.is_up() && steps[n].load(SeqCst) > by_then[n]);
            let lives = node.incarnation();
            if faulty.iter().any(|f| **f == *node.name()) {
                assert!((2..=4).contains(&lives), "{lives} crashes");
                assert_eq!(cluster.ballot(n).get(), Some(on_disk(7)));
                assert_eq!(memory[n].get(), 0);
            } else {
                assert_eq!(lives, 0);
                assert_eq!(cluster.ballot(n).get(), Some(on_disk(8)));
                assert_eq!(memory[n].get(), 3);
            }
        }
        drop(armed);
    }
}

type Replica = BoxCloneSyncService<(), u64, BoxError>;

const TRUTH: u64 = 42;

/// A client and four replicas, each of which would lie as its link's hook has it.
fn replicas(chaos: &Chaos) -> Vec<Replica> {
    let names = ["r0", "r1", "r2", "r3"];
    chaos.network().nodes(names).unwrap();
    chaos.network().nodes(["client"]).unwrap();
    let replica = |name: &str| {
        let link = chaos.network().link("client", name).unwrap();
        let lie = |reply: &mut u64, draw: Draw| *reply = TRUTH + 1 + draw.bits() % 2;
        let two_faces = Equivocator::new(chaos.seed(), link.name());
        let service = ServiceBuilder::new()
            .layer(link.layer().altering_replies(two_faces.telling(lie)))
            .service(service_fn(|()| async { Ok::<u64, BoxError>(TRUTH) }));
        BoxCloneSyncService::new(service)
    };
    names.into_iter().map(replica).collect()
}

/// The first answer that `enough` replicas agree on. Whoever is silent is asked again.
async fn matching(replicas: &[Replica], enough: usize) -> Option<u64> {
    let mut asked = tokio::task::JoinSet::new();
    for replica in replicas {
        let replica = replica.clone();
        asked.spawn(async move {
            loop {
                if let Ok(Ok(answer)) = timeout(ms(200), replica.clone().oneshot(())).await {
                    return answer;
                }
            }
        });
    }
    let mut answers = Vec::new();
    while let Some(Ok(answer)) = asked.join_next().await {
        answers.push(answer);
        if answers.iter().filter(|a| **a == answer).count() == enough {
            return Some(answer);
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn byzantine_two_equal_answers_of_four_are_right_about_one_liar_and_wrong_about_two() {
    // The answers under forty seeds, of those that got one.
    let answers = async |timing: Timing, liars: Option<usize>| {
        let mut answers = Vec::new();
        for seed in 0..40 {
            let chaos = Chaos::new(Seed::new(seed));
            let replicas = replicas(&chaos);
            let mut model = Model::new(timing, Failures::Byzantine);
            if let Some(liars) = liars {
                model = model.faulty(liars);
            }
            let many = model.faulty_nodes(&chaos).unwrap().len();
            assert_eq!(many, liars.unwrap_or(1), "f of 3f + 1");
            let _armed = chaos
                .arm(&model.plan(&chaos).unwrap(), TimeLimit::None)
                .unwrap();
            answers.extend(matching(&replicas, 2).await);
        }
        answers
    };
    for timing in [SYNCHRONOUS, partial(100), ASYNCHRONOUS] {
        let right = answers(timing, None).await;
        assert_eq!(right, [TRUTH; 40], "{timing}");
        let misled = answers(timing, Some(2)).await;
        assert!(misled.iter().any(|a| *a != TRUTH), "{timing}: {misled:?}");
        assert!(misled.contains(&TRUTH), "{timing}: {misled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn byzantine_a_liar_lies_on_each_link_and_on_each_its_own() {
    let chaos = Chaos::new(Seed::new(3));
    let names = ["a", "b", "c", "d"];
    chaos.network().nodes(names).unwrap();
    let mut links = Vec::new();
    for from in names {
        for to in names.into_iter().filter(|to| *to != from) {
            let site = chaos.network().link(from, to).unwrap();
            let layer = site.layer();
            let layer = layer.altering_replies(|reply: &mut u64, draw: Draw| *reply = draw.bits());
            let service = service_fn(|()| async { Ok::<u64, BoxError>(TRUTH) });
            links.push((to, ServiceBuilder::new().layer(layer).service(service)));
        }
    }
    let model = Model::new(SYNCHRONOUS, Failures::Byzantine);
    let liars = model.faulty_nodes(&chaos).unwrap();
    let plan = model.plan(&chaos).unwrap();
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let mut lies = Vec::new();
    for (to, link) in links {
        let reply = link.oneshot(()).await.unwrap();
        assert_eq!(reply != TRUTH, liars.iter().any(|l| **l == *to), "{to}");
        lies.extend((reply != TRUTH).then_some(reply));
    }
    lies.sort_unstable();
    lies.dedup();
    assert_eq!(lies.len(), 3, "three callers, three lies");
}

//! Fate depends on (seed, site, fault, key, occurrence) and on nothing else.

use std::collections::BTreeSet;
use std::future::Future;

use murphy_core::{Scope, Seed};
use murphy_fault::{Chaos, Fault, Grade, Leg, Plan, Record, TimeLimit};
use tower::{Layer, Service, ServiceExt};

use crate::support::{Echo, SITE, arm, chaos, fixed, ms, p, plan, within};

/// The (key, occurrence) of the calls that `fault` struck.
fn struck(records: &[Record], fault: &str) -> BTreeSet<(u64, u64)> {
    records
        .iter()
        .filter(|r| r.fault == fault)
        .map(|r| (r.key.bits(), r.occurrence))
        .collect()
}

/// 64 tasks with 50 calls each, on four threads.
async fn storm(faults: Vec<Fault>, keyed: bool) -> (Vec<Record>, Grade) {
    let chaos = chaos();
    let service = chaos.site(SITE).layer().layer(Echo::default());
    let armed = arm(&chaos, faults);
    let tasks: Vec<_> = (0..64u64)
        .map(|task| {
            let mut service = service.clone();
            let calls = async move {
                for n in 0..50 {
                    let call = service.ready().await.unwrap().call(n);
                    let _ = within(ms(1), call).await;
                }
            };
            let scope = Scope::current();
            let scope = if keyed {
                scope.with_key(task + 1)
            } else {
                scope
            };
            tokio::spawn(scope.enter(calls))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (armed.ledger().records(), armed.ledger().grade())
}

fn on_four_threads<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn keyed_calls_share_one_fault_set_under_any_threads() {
    on_four_threads(async {
        let sets: Vec<_> = {
            let mut sets = Vec::new();
            for _ in 0..20 {
                let (records, grade) = storm(vec![Fault::slow_reply(fixed(0), p(0.1))], true).await;
                assert_eq!(grade, Grade::Keyed);
                sets.push(struck(&records, "slow-reply"));
            }
            sets
        };
        assert!(sets[0].len() > 250, "{}", sets[0].len());
        assert!(sets.iter().all(|set| *set == sets[0]));
    });
}

#[test]
fn positional_calls_share_their_ordinals_and_the_grade_says_so() {
    on_four_threads(async {
        let mut sets = Vec::new();
        for _ in 0..20 {
            let (records, grade) = storm(vec![Fault::slow_reply(fixed(0), p(0.1))], false).await;
            assert_eq!(grade, Grade::Positional);
            sets.push(records.iter().map(|r| r.ordinal).collect::<BTreeSet<_>>());
        }
        assert!(sets.iter().all(|set| *set == sets[0]));
    });
}

/// The fates of 200 calls with keys, called in order; polled in the order that `poll` makes.
async fn fates(
    faults: Vec<Fault>,
    poll: impl Fn(&mut Vec<u64>),
    also: impl Fn(&Chaos),
) -> Vec<Record> {
    let chaos = chaos();
    let layer = chaos
        .site(SITE)
        .layer()
        .keyed_by(|r: &u64| *r + 1)
        .duplicating();
    let mut service = layer.layer(Echo::default());
    let _other = chaos.site("api->stock");
    let armed = chaos.arm(&plan(faults), TimeLimit::None).unwrap();
    also(&chaos);
    let mut calls = Vec::new();
    for n in 0..200 {
        calls.push(Some(Box::pin(service.ready().await.unwrap().call(n))));
    }
    let mut order: Vec<u64> = (0..200).collect();
    poll(&mut order);
    for n in order {
        let call = calls[n as usize].take().unwrap();
        let _ = within(ms(1), call).await;
    }
    armed.ledger().records()
}

#[tokio::test(start_paused = true)]
async fn nothing_else_moves_a_fate() {
    let loss = || Fault::lost_request(p(0.1));
    let base = struck(&fates(vec![loss()], |_| {}, |_| {}).await, "lost-request");
    assert!(base.len() > 10);

    let reversed = fates(vec![loss()], |order| order.reverse(), |_| {}).await;
    assert_eq!(struck(&reversed, "lost-request"), base, "poll order");

    let others = vec![
        Fault::latency(fixed(1), p(0.5)),
        loss(),
        Fault::duplicate(fixed(1), p(0.3)),
        Fault::reorder(Leg::Reply, 1, ms(1), p(0.5)),
    ];
    let beside = fates(others, |_| {}, |_| {}).await;
    assert_eq!(struck(&beside, "lost-request"), base, "other rules");

    let elsewhere = fates(
        vec![loss()],
        |_| {},
        |chaos| {
            let other = chaos.site("api->stock").layer().layer(Echo::default());
            drop(other.oneshot(1));
        },
    );
    assert_eq!(
        struck(&elsewhere.await, "lost-request"),
        base,
        "another site"
    );
}

#[tokio::test(start_paused = true)]
async fn an_added_keyed_call_moves_no_other_fate() {
    let chaos = chaos();
    let run = |extra: bool| {
        let service = chaos
            .site(SITE)
            .layer()
            .keyed_by(|r: &u64| *r)
            .layer(Echo::default());
        let armed = arm(&chaos, [Fault::slow_reply(fixed(0), p(0.1))]);
        async move {
            if extra {
                service.clone().oneshot(999_999).await.unwrap();
            }
            for n in 1..=200 {
                service.clone().oneshot(n).await.unwrap();
            }
            let set = struck(&armed.ledger().records(), "slow-reply");
            set.into_iter()
                .filter(|(key, _)| *key != 999_999)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(run(false).await, run(true).await);
}

#[tokio::test(start_paused = true)]
async fn a_higher_probability_only_adds_faults() {
    let at = |x: f64| fates(vec![Fault::lost_request(p(x))], |_| {}, |_| {});
    let (low, high) = (
        struck(&at(0.1).await, "lost-request"),
        struck(&at(0.2).await, "lost-request"),
    );
    assert!(low.is_subset(&high) && low.len() < high.len());
}

#[tokio::test(start_paused = true)]
async fn two_sites_two_names_and_two_seeds_are_three_different_fates() {
    let set = |seed: u64, site: &'static str, name: &'static str| async move {
        let chaos = Chaos::new(Seed::new(seed));
        let service = chaos.site(site).layer().layer(Echo::default());
        let plan = Plan::new().with(site, Fault::slow_reply(fixed(0), p(0.5)).named(name));
        let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
        for n in 0..64 {
            service.clone().oneshot(n).await.unwrap();
        }
        struck(&armed.ledger().records(), name)
    };
    let base = set(1, "a->b", "x").await;
    assert_eq!(base, set(1, "a->b", "x").await);
    for other in [
        set(2, "a->b", "x").await,
        set(1, "b->a", "x").await,
        set(1, "a->b", "y").await,
    ] {
        assert_ne!(base, other);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_key_is_positional_among_those_that_have_one() {
    let chaos = chaos();
    let layer = chaos.site(SITE).layer();
    let layer = layer.keyed_if(|r: &u64| (*r > 0).then(|| (*r).into()));
    let mut service = layer.layer(Echo::default());
    let armed = arm(&chaos, [Fault::slow_reply(fixed(0), p(1.0))]);
    for n in [7, 0, 7] {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
    let seen: Vec<_> = armed.ledger().injected();
    let seen: Vec<_> = seen
        .iter()
        .map(|r| (r.keyed, r.key.bits(), r.occurrence))
        .collect();
    assert_eq!(seen, [(true, 7, 0), (false, 0, 1), (true, 7, 1)]);
}

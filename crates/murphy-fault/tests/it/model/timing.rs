//! How long messages take, and what an algorithm can make of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use murphy_core::Seed;
use murphy_fault::{Chaos, Effect, Failures, Leg, Model, Plan, TimeLimit, Timing};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{Layer, ServiceExt, service_fn};

use super::cluster::{Cluster, Pace, is_safe};
use super::{ASYNCHRONOUS, DELTA, FAILURES, SYNCHRONOUS, partial};
use crate::support::{Echo, ms};

/// Two nodes and a link, and nobody fails.
fn link(seed: u64) -> Chaos {
    let chaos = Chaos::new(Seed::new(seed));
    chaos.network().nodes(["a", "b"]).unwrap();
    chaos.network().link("a", "b").unwrap();
    chaos
}

fn quiet(timing: Timing, chaos: &Chaos) -> Plan {
    let model = Model::new(timing, Failures::CrashStop).faulty(0);
    model.plan(chaos).unwrap()
}

#[tokio::test(start_paused = true)]
async fn synchronous_no_leg_of_a_hundred_thousand_takes_longer_than_delta() {
    const CALLS: u64 = 100_000;
    let chaos = link(42);
    let plan = quiet(SYNCHRONOUS, &chaos).limits(|l| l.ledger = 1 << 18);
    // It answers at once, with the moment at which it was asked.
    let service = chaos.site("a->b").layer().layer(service_fn(|()| async {
        Ok::<_, Infallible>(Instant::now())
    }));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let started = Instant::now();
    let mut longest = [ms(0); 2];
    let mut calls = JoinSet::new();
    for _ in 0..CALLS / 1000 {
        for _ in 0..1000 {
            let call = service.clone().oneshot(());
            calls.spawn(async move {
                let sent = Instant::now();
                let Ok(arrived) = call.await;
                [arrived - sent, arrived.elapsed()]
            });
        }
        while let Some(legs) = calls.join_next().await {
            let legs = legs.unwrap();
            longest = [0, 1].map(|leg| legs[leg].max(longest[leg]));
        }
    }
    assert_eq!(longest, [DELTA; 2], "the bound is kept, and reached");
    let records = armed.ledger().records();
    assert_eq!(
        records.len() as u64,
        2 * CALLS,
        "nothing is lost, no leg is spared"
    );
    for leg in [Leg::Request, Leg::Reply] {
        let magnitudes = records.iter().filter(|r| r.leg == leg);
        let longest = magnitudes.filter_map(|r| r.magnitude).max().unwrap();
        assert!(longest < DELTA && longest > DELTA * 99 / 100, "{longest:?}");
    }
    assert!(started.elapsed() <= 2 * DELTA * (CALLS / 1000) as u32);
}

/// When a request was sent and seen, and its reply; as milliseconds after arming.
#[derive(Clone, Copy, Debug)]
struct Trip {
    sent: u64,
    seen: Option<u64>,
    answered: u64,
    heard: Option<u64>,
}

/// A request every millisecond, each worked on for a while, over a link of five nodes.
async fn trips(seed: u64, gst: u64, until: u64) -> Vec<Trip> {
    let cluster = Cluster::new(seed, 5);
    let site = cluster.chaos.network().link("n0", "n3").unwrap();
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let armed = cluster
        .chaos
        .arm(&quiet(partial(gst), &cluster.chaos), TimeLimit::None)
        .unwrap();
    let started = Instant::now();
    let since = move || started.elapsed().as_millis() as u64;
    let mut calls = JoinSet::new();
    for sent in 0..until {
        let seen = Arc::clone(&seen);
        let work = ms(sent % 400);
        let service = site.layer().layer(service_fn(move |sent: u64| {
            let at = since();
            seen.lock().unwrap().insert(sent, at);
            async move {
                sleep(work).await;
                Ok::<_, Infallible>(since())
            }
        }));
        calls.spawn(async move {
            sleep_until(started + ms(sent)).await;
            let reply = timeout(ms(10 * until), service.oneshot(sent)).await;
            (
                sent,
                reply.ok().map(|answered| (answered.unwrap(), since())),
            )
        });
    }
    let heard = calls.join_all().await;
    drop(armed);
    let seen = seen.lock().unwrap();
    let trip = |(sent, heard): (u64, Option<(u64, u64)>)| Trip {
        sent,
        seen: seen.get(&sent).copied(),
        answered: seen.get(&sent).map_or(0, |at| at + sent % 400),
        heard: heard.map(|(_, heard)| heard),
    };
    heard.into_iter().map(trip).collect()
}

#[tokio::test(start_paused = true)]
async fn partially_synchronous_each_message_keeps_what_is_promised_of_when_it_was_sent() {
    const GST: u64 = 2_000;
    let delta = DELTA.as_millis() as u64;
    let (mut lost, mut late) = ([0; 2], [0; 2]);
    for seed in 0..4 {
        for trip in trips(seed, GST, GST + 500).await {
            let mut legs = vec![(0, trip.sent, trip.seen)];
            if trip.seen.is_some() {
                legs.push((1, trip.answered, trip.heard));
            }
            for (leg, sent, arrived) in legs {
                match arrived {
                    Some(at) if sent >= GST => assert!(at - sent <= delta, "{trip:?}"),
                    Some(at) => {
                        assert!(at <= GST + delta, "{trip:?}");
                        late[leg] += usize::from(at - sent > 5 * delta);
                    }
                    None => {
                        assert!(sent < GST, "{trip:?}");
                        lost[leg] += 1;
                    }
                }
            }
        }
    }
    assert!(
        lost.iter().chain(&late).all(|n| *n > 50),
        "{lost:?} {late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn partially_synchronous_an_election_stalls_before_gst_and_completes_after_it() {
    let pace = Pace {
        votes: 20,
        least: 30,
        most: 90,
    };
    for seed in 0..24 {
        let failures = FAILURES[seed as usize % 2];
        let cluster = Cluster::new(seed, 5);
        let model = Model::new(partial(2_000), failures).within(ms(2_000));
        let elected = cluster.elect(&model, pace, ms(3_000)).await;
        assert!(is_safe(&elected), "seed {seed}: {elected:?}");
        let first = elected.first();
        let first = first.unwrap_or_else(|| panic!("seed {seed}: nobody in a hundred deltas"));
        let stalled = first.at >= ms(2_000) && first.term > 5;
        assert!(stalled, "seed {seed}: {first:?}");
        assert!(first.at <= ms(2_000) + 50 * DELTA, "seed {seed}: {first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn synchronous_the_same_election_completes_at_once() {
    let pace = Pace {
        votes: 20,
        least: 30,
        most: 90,
    };
    for seed in 0..10 {
        let model = Model::new(SYNCHRONOUS, Failures::CrashStop);
        let elected = Cluster::new(seed, 5).elect(&model, pace, ms(1_000)).await;
        assert!(is_safe(&elected) && !elected.is_empty(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn asynchronous_an_election_is_safe_and_need_not_end() {
    let pace = Pace {
        votes: 16,
        least: 20,
        most: 60,
    };
    let mut without_end = 0;
    for seed in 0..60 {
        let failures = FAILURES[seed as usize % 2];
        let model = Model::new(ASYNCHRONOUS, failures).within(ms(500));
        let elected = Cluster::new(seed, 5).elect(&model, pace, ms(500)).await;
        assert!(is_safe(&elected), "seed {seed}: {elected:?}");
        without_end += usize::from(elected.is_empty());
    }
    assert!((1..60).contains(&without_end), "{without_end} of 60");
}

#[tokio::test(start_paused = true)]
async fn asynchronous_there_is_no_bound_no_loss_and_no_order() {
    let chaos = link(7);
    let plan = quiet(ASYNCHRONOUS, &chaos);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let echo = Echo::default();
    let service = chaos.site("a->b").layer().layer(echo.clone());
    let mut calls = JoinSet::new();
    for n in 0..2_000 {
        calls.spawn(service.clone().oneshot(n));
        sleep(ms(1)).await;
    }
    // Virtual time: whoever waits long enough hears of all.
    assert!(
        calls
            .join_all()
            .await
            .into_iter()
            .all(|reply| reply.is_ok())
    );
    let seen = echo.seen();
    assert_eq!(seen.len(), 2_000);
    assert!(!seen.is_sorted(), "they overtake each other");
    let mut legs: Vec<_> = armed
        .ledger()
        .records()
        .iter()
        .filter_map(|r| r.magnitude)
        .collect();
    legs.sort_unstable();
    assert!(legs[0] >= DELTA / 2);
    let median = legs[legs.len() / 2];
    assert!(
        (DELTA * 9 / 10..DELTA * 11 / 10).contains(&median),
        "{median:?}"
    );
    assert!(*legs.last().unwrap() > 100 * DELTA, "{:?}", legs.last());
    for (_, fault) in plan.faults() {
        let Effect::Delay { by, .. } = fault.effect() else {
            panic!("{fault:?} is no delay");
        };
        assert_eq!((by.mean(), by.cap()), (None, None), "no mean and no bound");
    }
}

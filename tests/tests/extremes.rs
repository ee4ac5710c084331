//! The largest, the smallest, the most and all at once: nothing panics, hangs or goes missing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use murphy_core::{Distribution, Key, Probability, Scope, Seed};
use murphy_fault::{ArmError, Chaos, Fault, Ledger, Leg, Outcome, Plan, TimeLimit, refuse};
use tests::{Arrivals, SITE, ms, quiet};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

const ALWAYS: Probability = Probability::ALWAYS;

fn echo()
-> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static
{
    service_fn(|n: u64| async move { Ok(n) })
}

#[tokio::test(start_paused = true)]
async fn the_longest_durations_there_are() {
    let ever = || Distribution::fixed(Duration::MAX);
    for fault in [
        Fault::latency(ever(), ALWAYS),
        Fault::slow_server(ever(), ALWAYS),
        Fault::slow_reply(ever(), ALWAYS),
        Fault::duplicate(ever(), ALWAYS).keeping_last(),
        Fault::reorder(Leg::Request, u32::MAX, Duration::MAX, ALWAYS),
        Fault::reorder(Leg::Reply, u32::MAX, Duration::MAX, ALWAYS),
        Fault::lost_request(ALWAYS).giving_up(Duration::MAX),
        Fault::lost_reply(ALWAYS)
            .giving_up(Duration::MAX)
            .during(Duration::ZERO, Duration::MAX),
    ] {
        let (chaos, name) = (Chaos::new(Seed::new(1)), fault.name().to_owned());
        let layer = chaos.site(SITE).layer().duplicating();
        let service = layer.refusing(refuse::boxed).layer(echo());
        // Delays that add up to more than there is.
        let plan = Plan::new()
            .with(SITE, fault)
            .with(SITE, Fault::latency(ever(), ALWAYS).named("more"));
        let _armed = chaos.arm(&plan, Duration::MAX).unwrap();
        let reply = timeout(Duration::from_secs(3_600), service.oneshot(7)).await;
        assert!(reply.is_err(), "{name}: {reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn durations_of_nothing_take_no_time() {
    let nothing = || Distribution::fixed(Duration::ZERO);
    for fault in [
        Fault::latency(nothing(), ALWAYS),
        Fault::slow_server(nothing(), ALWAYS),
        Fault::slow_reply(nothing(), ALWAYS),
        Fault::duplicate(nothing(), ALWAYS),
        Fault::duplicate(nothing(), ALWAYS).keeping_last(),
        Fault::reorder(Leg::Request, 9, Duration::ZERO, ALWAYS),
        Fault::reorder(Leg::Reply, 0, Duration::MAX, ALWAYS),
        Fault::lost_request(ALWAYS).giving_up(Duration::ZERO),
        Fault::lost_reply(ALWAYS).giving_up(Duration::ZERO),
    ] {
        let (chaos, name) = (Chaos::new(Seed::new(1)), fault.name().to_owned());
        let layer = chaos.site(SITE).layer().duplicating();
        let service = layer.refusing(refuse::boxed).layer(echo());
        let armed = chaos
            .arm(&Plan::new().with(SITE, fault), TimeLimit::None)
            .unwrap();
        let start = Instant::now();
        let reply = timeout(ms(1_000), service.oneshot(7)).await;
        assert!(reply.is_ok(), "{name}");
        assert!(start.elapsed() <= ms(1), "{name}");
        quiet(&armed.ledger()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_no_time_is_over_at_once() {
    let chaos = Chaos::new(Seed::new(1));
    let _ = chaos.site(SITE);
    let plan = Plan::new().with(SITE, Fault::lost_request(ALWAYS));
    let _armed = chaos.arm(&plan, Duration::ZERO).unwrap();
    tokio::time::sleep(ms(2)).await;
    assert!(!chaos.is_armed());
}

#[tokio::test(start_paused = true)]
async fn every_key_counts_its_passages() {
    for key in [0, 1, u64::MAX - 1, u64::MAX] {
        let chaos = Chaos::new(Seed::new(1));
        let service = chaos
            .site(SITE)
            .layer()
            .keyed_by(|n: &u64| *n)
            .layer(echo());
        let late = Fault::latency(Distribution::fixed(ms(1)), ALWAYS);
        let armed = chaos
            .arm(&Plan::new().with(SITE, late), TimeLimit::None)
            .unwrap();
        for _ in 0..3 {
            service.clone().oneshot(key).await.unwrap();
        }
        let seen = armed.ledger().records();
        let seen: Vec<_> = seen.iter().map(|r| (r.key, r.occurrence)).collect();
        assert_eq!(seen, [0, 1, 2].map(|n| (Key::new(key), n)));
        assert!(!armed.ledger().summaries()[0].keys_overflowed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_holds_sixty_four_faults_and_no_more() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(1)), Arrivals::default());
    let noted = arrivals.clone();
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .layer(service_fn(move |n: u64| {
            let charged = noted.note(n);
            async move { Ok::<_, BoxError>(charged) }
        }));
    let copy =
        |n: u64| Fault::duplicate(Distribution::fixed(ms(n)), ALWAYS).named(format!("copy {n}"));
    let most = (0..64).fold(Plan::new(), |plan, n| plan.with(SITE, copy(n)));
    let armed = chaos.arm(&most, TimeLimit::None).unwrap();
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
    quiet(&armed.ledger()).await;
    assert_eq!(arrivals.take().len(), 65);
    assert!(
        armed
            .ledger()
            .records()
            .iter()
            .all(|r| r.outcome == Outcome::Ran)
    );
    drop(armed);

    let refused = chaos
        .arm(&most.with(SITE, copy(64)), TimeLimit::None)
        .unwrap_err();
    assert!(matches!(&refused, ArmError::Plan(_)), "{refused}");
    assert!(
        refused.to_string().contains("64 faults at most"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn thousands_of_sites_are_armed_together_and_know_nothing_of_each_other() {
    let chaos = Chaos::new(Seed::new(1));
    let names: Vec<String> = (0..5_000).map(|n| format!("api->shard-{n}")).collect();
    let half = Probability::try_new(0.5).unwrap();
    let plan = names.iter().fold(Plan::new(), |plan, name| {
        plan.with(name.as_str(), Fault::lost_request(half))
    });
    let services: Vec<_> = names
        .iter()
        .map(|name| chaos.site(name).layer().layer(echo()))
        .collect();
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let mut calls = JoinSet::new();
    for service in services {
        calls.spawn(async move { timeout(ms(10), service.oneshot(1)).await.is_err() });
    }
    let lost = calls
        .join_all()
        .await
        .into_iter()
        .filter(|lost| *lost)
        .count();
    // 2,500 ± 4 standard errors.
    assert!((2_358..=2_642).contains(&lost), "{lost}");
    let ledger = armed.disarm();
    assert_eq!(ledger.records().len(), lost);
    assert!(ledger.summaries().iter().all(|site| site.calls == 1));
}

#[test]
fn arming_and_disarming_from_all_sides_while_calls_pass() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let chaos = Chaos::new(Seed::new(1));
    let layer = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::boxed);
    let service = layer.layer(echo());
    let p = |x| Probability::try_new(x).unwrap();
    let plan = [
        Fault::latency(Distribution::fixed(ms(1)), p(0.2)),
        Fault::lost_reply(p(0.2)).giving_up(ms(1)),
        Fault::refused(p(0.2)),
        Fault::duplicate(Distribution::fixed(ms(1)), p(0.2)),
        Fault::reorder(Leg::Request, 2, ms(2), p(0.2)),
    ]
    .into_iter()
    .fold(Plan::new(), |plan, fault| plan.with(SITE, fault));
    // Callers go on until each of three threads has armed twenty runs that struck somebody.
    let arm_and_disarm = async || {
        let mut ledgers: Vec<Ledger> = Vec::new();
        while ledgers.len() < 20 {
            let armed = chaos.arm(&plan, ms(3));
            tokio::time::sleep(ms(1)).await;
            match armed {
                Ok(armed) => ledgers.push(armed.disarm()),
                Err(ArmError::Armed) => chaos.disarm(),
                Err(e) => panic!("{e}"),
            }
            ledgers.retain(|ledger| !ledger.records().is_empty());
        }
        ledgers
    };
    let done = Arc::new(AtomicBool::new(false));
    let mut calls = JoinSet::new();
    for task in 0..8u64 {
        let (mut service, done) = (service.clone(), Arc::clone(&done));
        let calling = async move {
            while !done.load(SeqCst) {
                let _ = service.ready().await.unwrap().call(7).await;
                tokio::task::yield_now().await;
            }
        };
        calls.spawn_on(
            Scope::current().with_key(task).enter(calling),
            runtime.handle(),
        );
    }
    let ledgers: Vec<Ledger> = std::thread::scope(|s| {
        let arming = |_| s.spawn(|| runtime.block_on(arm_and_disarm()));
        let arming: Vec<_> = (0..3).map(arming).collect();
        arming.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    done.store(true, SeqCst);
    let all = async { timeout(Duration::from_secs(60), calls.join_all()).await };
    runtime.block_on(all).expect("nobody hangs");
    assert!(!chaos.is_armed());
    runtime.block_on(async {
        for ledger in &ledgers {
            quiet(ledger).await;
            let each: BTreeSet<_> = ledger
                .records()
                .into_iter()
                .map(|r| (r.fault, r.ordinal))
                .collect();
            assert_eq!(
                each.len(),
                ledger.records().len(),
                "a fault strikes a call once"
            );
        }
    });
}

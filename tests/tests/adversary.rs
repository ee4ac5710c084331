//! Whatever the plan and whatever the workload: the service runs as often as the ledger says,
//! everything ends, nothing panics, and the same seed does it again.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{
    Burst, Chaos, Fault, Finding, Leg, Outcome, Plan, Record, Select, TimeLimit, refuse,
};
use proptest::prelude::*;
use tests::{Arrivals, SITE, ms, quiet};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

/// One caller: when it comes, how long it waits, and whether it leaves before the first poll.
#[derive(Clone, Debug)]
struct Caller {
    comes: u64,
    patience: u64,
    polls: bool,
}

#[derive(Clone, Debug)]
struct World {
    seed: u64,
    faults: Vec<Fault>,
    in_flight: u32,
    callers: Vec<Caller>,
    /// The service's own bound, and how long it works.
    concurrency: usize,
    work: u64,
    disarm_at: Option<u64>,
}

fn world() -> impl Strategy<Value = World> {
    let caller = (0..200u64, 0..300u64, prop::bool::weighted(0.9));
    let caller = caller.prop_map(|(comes, patience, polls)| Caller {
        comes,
        patience,
        polls,
    });
    (
        any::<u64>(),
        prop::collection::vec(fault(), 0..6),
        prop_oneof![Just(1u32), Just(3), Just(1 << 20)],
        prop::collection::vec(caller, 1..24),
        1..5usize,
        0..30u64,
        prop::option::weighted(0.3, 0..200u64),
    )
        .prop_map(
            |(seed, faults, in_flight, callers, concurrency, work, disarm_at)| {
                let name = |(n, fault): (usize, Fault)| fault.named(format!("f{n}"));
                let faults = faults.into_iter().enumerate().map(name).collect();
                World {
                    seed,
                    faults,
                    in_flight,
                    callers,
                    concurrency,
                    work,
                    disarm_at,
                }
            },
        )
}

fn fault() -> impl Strategy<Value = Fault> {
    let by = prop_oneof![
        Just(Distribution::fixed(Duration::ZERO)),
        Just(Distribution::exponential(ms(40))),
        Just(Distribution::fixed(ms(100))),
    ];
    let legs = prop_oneof![Just(Leg::Request), Just(Leg::Reply)];
    let bound = prop_oneof![Just(Duration::ZERO), Just(ms(50)), Just(ms(5_000))];
    let give_up = prop::option::of(prop_oneof![Just(Duration::ZERO), Just(ms(60))]);
    (
        0..12,
        by,
        legs,
        0..4u32,
        bound,
        give_up,
        select(),
        prop::option::weighted(0.2, 0..4u64),
    )
        .prop_map(|(kind, by, leg, passes, bound, give_up, select, at_most)| {
            let fault = match kind {
                0 => Fault::latency(by, select),
                1 => Fault::slow_server(by, select),
                2 => Fault::slow_reply(by, select),
                3 => Fault::lost_request(select),
                4 => Fault::lost_reply(select),
                5 => Fault::refused(select),
                6 => Fault::refused_after_work(select),
                7 => Fault::duplicate(by, select),
                8 => Fault::duplicate(by, select).keeping_last(),
                9 => Fault::altered_request(select),
                10 => Fault::yielding(leg, passes, select),
                _ => Fault::reorder(leg, passes, bound, select),
            };
            let fault = match give_up {
                Some(after) => fault.giving_up(after),
                None => fault,
            };
            match at_most {
                Some(n) => fault.at_most(n),
                None => fault,
            }
        })
}

fn select() -> impl Strategy<Value = Select> {
    let p = |x| Probability::try_new(x).unwrap();
    prop_oneof![
        4 => (0.0..=1.0).prop_map(move |x| Select::Chance(p(x))),
        2 => Just(Select::Chance(Probability::ALWAYS)),
        1 => (1..4u64).prop_map(|n| Select::Every(NonZeroU64::new(n).unwrap())),
        1 => (0..6u64).prop_map(Select::First),
        1 => Just(Burst::try_new(p(0.4), 3.0).unwrap().into()),
        1 => Just(Select::Ramp { from: p(0.0), to: p(1.0), over: ms(200) }),
    ]
}

/// What a world was like: who was served, and to the end; what each caller saw; the ledger.
#[derive(Debug, PartialEq)]
struct History {
    began: Vec<u64>,
    ended: Vec<u64>,
    saw: Vec<String>,
    records: Vec<Record>,
}

async fn happens(world: &World) -> History {
    let chaos = Chaos::new(Seed::new(world.seed));
    let (began, ended) = (Arrivals::default(), Arrivals::default());
    let (came, done, work) = (began.clone(), ended.clone(), ms(world.work));
    let inner = service_fn(move |order: u64| {
        came.note(order);
        let done = done.clone();
        async move {
            tokio::time::sleep(work).await;
            done.note(order);
            Ok::<_, BoxError>(order)
        }
    });
    let layer = chaos.site(SITE).layer().duplicating();
    let layer = layer
        .refusing(refuse::boxed)
        .altering_requests(|_: &mut u64, _| {});
    let service = layer.layer(ConcurrencyLimit::new(inner, world.concurrency));
    let plan = Plan::new().limits(|limits| limits.in_flight = world.in_flight);
    let faults = world.faults.iter().cloned();
    let plan = faults.fold(plan, |plan, fault| plan.with(SITE, fault));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let ledger = armed.ledger().clone();

    let callers = world.callers.iter().enumerate();
    let mut callers: JoinSet<_> = callers
        .map(|(n, c)| calls(service.clone(), n as u64, c.clone()))
        .collect();
    if let Some(at) = world.disarm_at {
        tokio::time::sleep(ms(at)).await;
        chaos.disarm();
    }
    let mut saw = Vec::new();
    while let Some(caller) = callers.join_next().await {
        saw.push(caller.expect("no panic"));
    }
    quiet(&ledger).await;
    let records = ledger.everything();
    let history = History {
        began: began.take(),
        ended: ended.take(),
        saw,
        records,
    };

    // Nothing is in flight any more, so somebody can be struck again.
    if chaos.is_armed() && world.faults.iter().any(is_sure) {
        let struck = ledger.records().len();
        let _ = timeout(ms(1), service.oneshot(999)).await;
        assert!(
            ledger.records().len() > struck,
            "something is in flight for ever"
        );
        quiet(&ledger).await;
    }
    history
}

async fn calls<S>(mut service: S, n: u64, caller: Caller) -> String
where
    S: Service<u64, Response = u64, Error = BoxError>,
{
    tokio::time::sleep(ms(caller.comes)).await;
    let call = async {
        let call = service.ready().await?.call(n);
        if caller.polls {
            call.await.map(Some)
        } else {
            Ok(None)
        }
    };
    let saw = timeout(ms(caller.patience), call).await;
    format!("{n}: {:?}", saw.map(|r| r.map_err(|e| e.to_string())))
}

/// Whether it strikes each call, come what may.
fn is_sure(fault: &Fault) -> bool {
    let always = Select::Chance(Probability::ALWAYS);
    *fault == Fault::new(fault.effect().clone(), always).named(fault.name())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn any_plan_under_any_workload_keeps_its_promises(world in world()) {
        let once = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(happens(&world))
        };
        let history = once();
        let History { began, ended, records, .. } = &history;
        let injected = |r: &&Record| r.finding == Finding::Injected;
        let acting: Vec<&Record> = records.iter().filter(injected).collect();

        // Everything has an end.
        prop_assert!(records.iter().all(|r| r.outcome != Outcome::UnderWay));
        // Nobody runs but callers and copies.
        let copies = acting.iter().filter(|r| r.kind == "duplicate").count();
        prop_assert!(began.len() <= world.callers.len() + copies);
        // A call with a lost reply runs to its end; one with a lost request does not run.
        for record in &acting {
            let lost = |leg| record.kind == "loss" && record.leg == leg;
            prop_assert!(!lost(Leg::Reply) || record.outcome == Outcome::Ran, "{:?}", record);
            prop_assert!(!lost(Leg::Request) || record.outcome == Outcome::NeverRan, "{:?}", record);
        }
        let ran = acting.iter().filter(|r| r.outcome == Outcome::Ran);
        let ran: BTreeSet<u64> = ran.map(|r| r.ordinal).collect();
        prop_assert!(ended.len() >= ran.len(), "{:?}", history);
        // And all of it again.
        prop_assert_eq!(&history, &once());
    }
}

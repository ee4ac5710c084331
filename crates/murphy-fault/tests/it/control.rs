//! Arming, limits, exclusions, halts, windows: who may be struck, and when it ends.

use std::future::IntoFuture;
use std::num::NonZeroU64;
use std::time::Duration;

use murphy_core::{Probability, Seed};
use murphy_fault::{
    ArmError, Burst, Chaos, Fault, FaultLayer, Finding, Grade, Leg, Plan, Reason, Select,
    TimeLimit, Why,
};
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, p, plan, refusal, within};

/// Calls one after another, `gap` apart; who was struck, as #.
async fn pattern(chaos: &Chaos, plan: &Plan, calls: u64, gap: u64) -> String {
    let mut service = chaos
        .site(SITE)
        .layer()
        .matching(|r: &u64, word: &str| word == "even" && r % 2 == 0)
        .layer(Echo::default());
    let armed = chaos.arm(plan, TimeLimit::None).unwrap();
    for n in 0..calls {
        service.ready().await.unwrap().call(n).await.unwrap();
        tokio::time::sleep(ms(gap)).await;
    }
    let struck: Vec<u64> = armed.ledger().records().iter().map(|r| r.ordinal).collect();
    (0..calls)
        .map(|n| if struck.contains(&n) { '#' } else { '.' })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn selectors_strike_whom_they_say() {
    let late = |select: Select| Fault::slow_reply(fixed(0), select);
    let third = NonZeroU64::new(3).unwrap();
    for (name, fault, want) in [
        ("always", late(ALWAYS.into()), "##########"),
        ("never", late(Probability::NEVER.into()), ".........."),
        ("every third", late(Select::Every(third)), "..#..#..#."),
        ("first two", late(Select::First(2)), "##........"),
        ("a list", late(Select::nth([0, 4])), "#...#....."),
        ("at most two", late(ALWAYS.into()).at_most(2), "##........"),
        (
            "a window of time",
            late(ALWAYS.into()).during(ms(20), ms(50)),
            "..###.....",
        ),
        (
            "a window of calls",
            late(ALWAYS.into()).calls(3..5),
            "...##.....",
        ),
        (
            "only the even",
            late(ALWAYS.into()).only("even"),
            "#.#.#.#.#.",
        ),
        (
            "all but the even",
            late(ALWAYS.into()).except("even"),
            ".#.#.#.#.#",
        ),
        (
            "every second of the even",
            late(Select::Every(NonZeroU64::new(2).unwrap())).only("even"),
            "..#...#...",
        ),
        (
            "in no run",
            late(ALWAYS.into()).active_in(Probability::NEVER),
            "..........",
        ),
        (
            "a ramp",
            late(Select::Ramp {
                from: Probability::NEVER,
                to: ALWAYS,
                over: Duration::ZERO,
            }),
            "##########",
        ),
        (
            "endless burst",
            late(Burst::try_new(ALWAYS, 3.0).unwrap().into()),
            "##########",
        ),
    ] {
        assert_eq!(
            pattern(&chaos(), &plan([fault]), 10, 10).await,
            want,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_level_activation_is_drawn_once_a_run() {
    let mut active = 0;
    for seed in 0..200 {
        let fault = Fault::slow_reply(fixed(0), ALWAYS).active_in(p(0.25));
        let pattern = pattern(&Chaos::new(Seed::new(seed)), &plan([fault]), 5, 0).await;
        assert!(["#####", "....."].contains(&&*pattern), "{pattern}");
        active += u64::from(pattern == "#####");
    }
    assert!((30..=70).contains(&active), "{active} of 200 runs at 25 %");
}

#[tokio::test(start_paused = true)]
async fn excluded_requests_are_neither_struck_nor_counted() {
    let faults = plan([Fault::slow_reply(fixed(0), Select::nth([1]))])
        .limits(|l| l.exclude = vec!["even".into()]);
    let chaos = chaos();
    let mut service = chaos
        .site(SITE)
        .layer()
        .matching(|r: &u64, _: &str| r % 2 == 0)
        .layer(Echo::default());
    let armed = chaos.arm(&faults, TimeLimit::None).unwrap();
    for n in 0..6 {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
    assert_eq!(armed.ledger().summaries()[0].calls, 3);
    assert_eq!(armed.ledger().records().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn limits_only_remove_faults_and_the_ledger_names_each() {
    // At most one in flight: of five calls at once, four are let through.
    let chaos = chaos();
    let mut service = chaos.site(SITE).layer().layer(Echo::default());
    let armed = chaos
        .arm(
            &plan([Fault::latency(fixed(100), ALWAYS)]).limits(|l| l.in_flight = 1),
            TimeLimit::None,
        )
        .unwrap();
    let mut calls = Vec::new();
    for n in 0..5 {
        calls.push(service.ready().await.unwrap().call(n));
    }
    for call in calls {
        call.await.unwrap();
    }
    let all = armed.ledger().everything();
    let withheld: Vec<_> = all
        .iter()
        .filter(|r| r.finding == Finding::Withheld)
        .map(|r| (r.ordinal, r.why))
        .collect();
    assert_eq!(withheld, [1, 2, 3, 4].map(|n| (n, Some(Why::InFlight))));
    // The first is over, so another one may be struck.
    service.ready().await.unwrap().call(9).await.unwrap();
    assert_eq!(armed.ledger().records().len(), 2);
    drop(armed);

    // At most half of the calls.
    let half = plan([Fault::slow_reply(fixed(0), ALWAYS)]).limits(|l| l.ratio = p(0.5));
    assert_eq!(pattern(&chaos, &half, 10, 0).await, ".#.#.#.#.#");
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_withholds_is_no_strike() {
    let chaos = chaos();
    let mut service = chaos.site(SITE).layer().layer(Echo::default());
    let twice = Fault::latency(fixed(100), ALWAYS).at_most(2);
    let plan = plan([twice]).limits(|l| l.in_flight = 1);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let first = service.ready().await.unwrap().call(0);
    service.ready().await.unwrap().call(1).await.unwrap();
    first.await.unwrap();
    for n in 2..4 {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
    let struck: Vec<_> = armed.ledger().records().iter().map(|r| r.ordinal).collect();
    assert_eq!(struck, [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_says_why_not_on_request() {
    let chaos = chaos();
    chaos.explain(true);
    let late =
        |name: &str, select: Select| Fault::slow_reply(fixed(0), select).named(name.to_owned());
    let faults = plan([
        late("unlucky", Probability::NEVER.into()),
        late("too early", ALWAYS.into()).during(ms(5), ms(9)),
        late("not this one", ALWAYS.into()).calls(7..8),
        late("not that kind", ALWAYS.into()).only("odd"),
        late("not today", ALWAYS.into()).active_in(Probability::NEVER),
    ]);
    pattern(&chaos, &faults, 1, 0).await;
    let why: Vec<_> = chaos
        .ledger()
        .unwrap()
        .everything()
        .iter()
        .map(|r| (r.fault.clone(), r.why.unwrap()))
        .collect();
    let want = [
        ("unlucky", Why::NotSelected),
        ("too early", Why::OutsideWindow),
        ("not this one", Why::OutsideCalls),
        ("not that kind", Why::Spared),
        ("not today", Why::Inactive),
    ];
    assert_eq!(why, want.map(|(name, why)| (name.to_owned(), why)));
}

#[tokio::test(start_paused = true)]
async fn disarming_stops_new_fates_releases_holds_and_keeps_those_under_way() {
    let chaos = chaos();
    let mut service = chaos.site(SITE).layer().layer(Echo::default());
    let held = Fault::reorder(Leg::Request, 9, ms(60_000), Select::First(1));
    let armed = arm(
        &chaos,
        [held, Fault::slow_reply(fixed(100), Select::nth([1]))],
    );
    let held = tokio::spawn(service.ready().await.unwrap().call(1));
    let late = service.ready().await.unwrap().call(2);
    tokio::task::yield_now().await;
    drop(armed);
    assert_eq!(
        within(ms(1), held).await.unwrap().unwrap().unwrap(),
        1,
        "a hold is released"
    );
    assert!(within(ms(50), late).await.is_none(), "a delay goes on");
    assert_eq!(
        within(ms(0), service.ready().await.unwrap().call(3))
            .await
            .unwrap()
            .unwrap(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_a_run() {
    let chaos = chaos();
    let _ = chaos.site(SITE);
    let faults = plan([Fault::lost_request(ALWAYS)]);
    chaos.arm(&faults, ms(100)).unwrap().keep();
    tokio::time::sleep(ms(99)).await;
    assert!(chaos.is_armed());
    tokio::time::sleep(ms(2)).await;
    assert_eq!(
        (chaos.is_armed(), chaos.ended()),
        (false, Some(Reason::TimeLimit))
    );
    // An earlier run's timer does not end a later run.
    chaos.arm(&faults, ms(100)).unwrap().disarm();
    chaos.arm(&faults, TimeLimit::None).unwrap().keep();
    tokio::time::sleep(ms(200)).await;
    assert!(chaos.is_armed());
}

#[tokio::test(start_paused = true)]
async fn a_run_halts_at_too_many_errors_or_too_slow_calls() {
    let chaos = chaos();
    let mut service = chaos
        .site(SITE)
        .layer()
        .refusing(refusal)
        .layer(Echo::default());
    let faults = plan([Fault::refused(ALWAYS)]).halt_on_errors(p(0.5), 10);
    let armed = chaos.arm(&faults, TimeLimit::None).unwrap();
    for n in 0..20 {
        let _ = service.ready().await.unwrap().call(n).await;
    }
    assert_eq!(
        (armed.ledger().records().len(), chaos.ended()),
        (10, Some(Reason::Errors))
    );
    drop(armed);

    let faults =
        plan([Fault::slow_reply(fixed(30), Select::First(5))]).halt_on_latency(ms(20), p(0.5), 4);
    let armed = chaos.arm(&faults, TimeLimit::None).unwrap();
    for n in 0..20 {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
    assert_eq!(
        (armed.ledger().records().len(), chaos.ended()),
        (4, Some(Reason::Latency))
    );
    drop(armed);

    // A caller that gives up on silence has failed.
    let faults = plan([Fault::lost_request(ALWAYS)]).halt_on_errors(p(0.5), 2);
    let _armed = chaos.arm(&faults, TimeLimit::None).unwrap();
    for n in 0..2 {
        assert!(
            within(ms(5), service.ready().await.unwrap().call(n))
                .await
                .is_none()
        );
    }
    assert_eq!(chaos.ended(), Some(Reason::Errors));
}

#[test]
fn what_cannot_be_armed_is_refused_by_name() {
    let chaos = chaos();
    let _layer = chaos.site(SITE).layer();
    let arm = |plan: &Plan| chaos.arm(plan, TimeLimit::None).unwrap_err();

    let unknown = arm(&Plan::new().with("api->paymnets", Fault::lost_reply(ALWAYS)));
    assert!(
        unknown
            .to_string()
            .contains("did you mean `api->payments`?"),
        "{unknown}"
    );

    let _service: murphy_fault::FaultService<Echo> =
        chaos.site(SITE).layer().layer(Echo::default());
    for (fault, setter) in [
        (Fault::refused(ALWAYS), ".refusing"),
        (Fault::duplicate(fixed(1), ALWAYS), ".duplicating"),
        (Fault::altered_request(ALWAYS), ".altering_requests"),
        (Fault::altered_reply(ALWAYS), ".altering_replies"),
        (Fault::lost_reply(ALWAYS).only("x"), ".matching"),
        (Fault::lost_reply(ALWAYS).giving_up(ms(1)), ".refusing"),
    ] {
        let unable = arm(&plan([fault])).to_string();
        assert!(unable.contains(SITE) && unable.contains(setter), "{unable}");
    }
    let twice = arm(&plan([
        Fault::lost_reply(ALWAYS),
        Fault::lost_reply(ALWAYS),
    ]))
    .to_string();
    assert!(
        twice.contains("fault[1].name") && twice.contains("another name"),
        "{twice}"
    );

    let limited = chaos.arm(&Plan::new(), ms(5)).unwrap_err();
    assert!(matches!(limited, ArmError::NoRuntime));

    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    assert!(matches!(arm(&Plan::new()), ArmError::Armed));
    drop(armed);
    assert!(matches!(
        Chaos::off().arm(&Plan::new(), TimeLimit::None),
        Err(ArmError::Off)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_built_too_late_to_be_asked_is_inert_and_counted() {
    let chaos = chaos();
    let site = chaos.site(SITE);
    let armed = arm(&chaos, [Fault::duplicate(fixed(1), ALWAYS)]);
    let echo = Echo::default();
    site.layer().layer(echo.clone()).oneshot(1).await.unwrap();
    assert_eq!((echo.began(), armed.ledger().summaries()[0].unable), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn arming_again_starts_at_zero() {
    let chaos = chaos();
    let first = plan([Fault::slow_reply(fixed(0), Select::First(1))]);
    assert_eq!(pattern(&chaos, &first, 3, 0).await, "#..");
    assert_eq!(pattern(&chaos, &first, 3, 0).await, "#..");
}

#[tokio::test(start_paused = true)]
async fn two_chaoses_do_not_know_of_each_other() {
    let (one, other) = (chaos(), chaos());
    let service = one.site(SITE).layer().layer(Echo::default());
    let _armed = arm(&other, [Fault::lost_request(ALWAYS)]);
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn doors_are_the_layer_with_one_fault_in_it() {
    use murphy_fault::{DropLayer, DuplicateLayer, LatencyLayer};

    let start = tokio::time::Instant::now();
    LatencyLayer::new(SITE, fixed(25), ALWAYS)
        .layer(Echo::default())
        .oneshot(1)
        .await
        .unwrap();
    assert_eq!(start.elapsed(), ms(25));

    for (layer, runs) in [
        (DropLayer::requests(SITE, ALWAYS), 0),
        (DropLayer::replies(SITE, ALWAYS), 1),
    ] {
        let echo = Echo::default();
        assert!(
            within(ms(5), layer.layer(echo.clone()).oneshot(1))
                .await
                .is_none()
        );
        assert_eq!(echo.ended(), runs);
    }

    let echo = Echo::default();
    DuplicateLayer::new(SITE, fixed(0), ALWAYS)
        .layer(echo.clone())
        .oneshot(1)
        .await
        .unwrap();
    tokio::time::sleep(ms(5)).await;
    assert_eq!(echo.ended(), 2);
}

#[tokio::test(start_paused = true)]
async fn grades_say_how_far_a_run_repeats() {
    let graded = |fault: Fault, keyed: bool| async move {
        // A layer of its own is armed outside of the paused runtime's view of time.
        let layer = FaultLayer::seeded(Seed::new(1), SITE, fault);
        let ledger = layer.ledger().unwrap();
        let service = layer.keyed_by(move |r: &u64| if keyed { *r + 1 } else { 0 });
        service.layer(Echo::default()).oneshot(1).await.unwrap();
        ledger.grade()
    };
    assert_eq!(
        graded(Fault::slow_reply(fixed(0), ALWAYS), true).await,
        Grade::Paused
    );
    let real = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            (
                graded(Fault::slow_reply(fixed(0), ALWAYS), true).await,
                graded(Fault::slow_reply(fixed(0), Select::First(1)), true).await,
                graded(
                    Fault::slow_reply(fixed(0), ALWAYS).during(ms(0), ms(5)),
                    true,
                )
                .await,
            )
        })
    });
    assert_eq!(
        real.join().unwrap(),
        (Grade::Keyed, Grade::Positional, Grade::Positional)
    );
}

#[tokio::test(start_paused = true)]
async fn a_passing_call_has_the_sites_fates() {
    let chaos = chaos();
    let site = chaos.site("api->db");
    let count = std::sync::atomic::AtomicU64::new(0);
    let work = || {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async { Ok::<u64, BoxError>(3) }
    };
    let on = |fault: Fault| chaos.arm(&Plan::new().with("api->db", fault), TimeLimit::None);

    let armed = on(Fault::latency(fixed(40), ALWAYS)).unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(site.run("k", work).inline().await.unwrap(), 3);
    assert_eq!(start.elapsed(), ms(40));
    assert!(armed.ledger().records()[0].keyed);
    drop(armed);

    let armed = on(Fault::lost_request(ALWAYS)).unwrap();
    assert!(
        within(ms(5), site.run("k", work).inline().into_future())
            .await
            .is_none()
    );
    drop(armed);

    let _armed = on(Fault::refused(ALWAYS)).unwrap();
    let refused = site
        .run("k", work)
        .inline()
        .refusing(|m| Err(m.clone().into()))
        .await;
    assert!(murphy_fault::marker(&*refused.unwrap_err()).is_some());
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn what_a_limit_withholds_lowers_the_grade() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(async {
        let chaos = chaos();
        let layer = chaos.site(SITE).layer().keyed_by(|r: &u64| *r);
        let service = layer.layer(Echo::default());
        for (ratio, grade) in [(1.0, Grade::Keyed), (0.0, Grade::Positional)] {
            let plan = plan([Fault::slow_reply(fixed(0), ALWAYS)]).limits(|l| l.ratio = p(ratio));
            let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
            service.clone().oneshot(7).await.unwrap();
            assert_eq!(armed.ledger().grade(), grade);
        }
    });
}

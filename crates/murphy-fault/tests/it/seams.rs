//! Where plans, runs, networks, nodes and clocks meet.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use murphy_core::Clock;
use murphy_core::clock::{Drift, Offset, Suspended};
use murphy_fault::{
    ArmError, Bend, Chaos, Disturbance, Fault, NotArmed, Plan, Reason, TimeLimit, Transcript, Verb,
};
use tokio::time::{advance, sleep};
use tower::{Layer, ServiceExt};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, ms, plan, within};

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_time_limit_holds_though_nobody_holds_the_chaos() {
    let chaos = chaos();
    let link = chaos.site(SITE).layer().layer(Echo::default());
    let lost = plan([Fault::lost_request(ALWAYS)]);
    chaos.arm(&lost, ms(100)).unwrap().keep();
    drop(chaos);
    assert!(within(ms(50), link.clone().oneshot(1)).await.is_none());
    sleep(ms(100)).await;
    assert!(within(ms(50), link.oneshot(2)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_pauses_leaves_nobody_paused_when_nobody_holds_the_chaos() {
    for forever in [
        Disturbance::pause("a"),
        Disturbance::crash("a"),
        Disturbance::clock("a", Bend::Freeze),
    ] {
        let chaos = chaos();
        let node = chaos.node("a");
        let clock = node.clock();
        let armed = chaos
            .arm(&Plan::new().disturb(forever.clone()), TimeLimit::None)
            .unwrap();
        sleep(ms(1)).await;
        let work = node.run(async { 7 });
        armed.keep();
        drop((chaos, node));
        let before = clock.now();
        if forever != Disturbance::crash("a") {
            assert_eq!(within(S, work).await, Some(Ok(7)), "{forever:?}");
        }
        sleep(ms(1)).await;
        assert!(clock.now() > before, "{forever:?}");
    }
}

#[test]
fn a_runtime_that_ends_takes_the_run_with_it_whose_timer_it_kept() {
    let chaos = chaos();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let armed = runtime.block_on(async { chaos.arm(&Plan::new(), Duration::from_secs(3600)) });
    armed.unwrap().keep();
    assert!(chaos.is_armed());
    drop(runtime);
    assert!(!chaos.is_armed(), "nothing would ever end it");
}

#[test]
fn a_runtime_without_timers_is_none() {
    let chaos = chaos();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let armed = runtime.block_on(async { chaos.arm(&Plan::new(), Duration::from_secs(1)) });
    assert!(matches!(armed, Err(ArmError::NoRuntime)), "{armed:?}");
    assert!(!chaos.is_armed());
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_begins_with_is_so_when_arming_returns() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("worker");
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let plan = Plan::new()
        .disturb(Disturbance::isolate("a"))
        .disturb(Disturbance::pause("worker").lasting(S));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    assert!(node.is_paused());
    assert!(within(S * 2, link.oneshot(1)).await.is_none());
    assert!(!node.is_paused());
    let verbs: Vec<Verb> = armed.ledger().events().iter().map(|e| e.verb).collect();
    assert_eq!(verbs, [Verb::Partition, Verb::Pause, Verb::Resume]);
}

/// When whom was cut off or healed.
async fn cuts(plan: Plan, names: &[&str]) -> BTreeSet<(Duration, String)> {
    let chaos = chaos();
    chaos.network().nodes(names.iter().copied()).unwrap();
    let _ = chaos.node("worker");
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    sleep(S * 100).await;
    let events = armed.ledger().events().into_iter();
    let events = events.filter(|e| matches!(e.verb, Verb::Partition | Verb::Heal));
    events.map(|e| (e.at, e.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn no_other_event_and_no_other_node_moves_a_swizzle() {
    let names = ["a", "b", "c", "d", "e"];
    let swizzle = || Disturbance::swizzle(names, S * 60);
    let alone = cuts(Plan::new().disturb(swizzle()), &names).await;
    assert_eq!(alone.len(), 6);
    let other = Plan::new().disturb(Disturbance::pause("worker").at(S * 90));
    let second = cuts(other.disturb(swizzle()), &names).await;
    assert_eq!(second, alone, "an event before it");
    let more = ["z", "a", "b", "c", "d", "e"];
    let third = cuts(Plan::new().disturb(swizzle()), &more).await;
    assert_eq!(third, alone, "a node before them");
    let twice = cuts(Plan::new().disturb(swizzle()).disturb(swizzle()), &names).await;
    assert!(twice.is_superset(&alone) && twice.len() > alone.len());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_declared_late_turns_no_event_off() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b", "c"]).unwrap();
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let plan = Plan::new()
        .disturb(Disturbance::partition([vec!["a"], vec!["b", "c"]]).at(S))
        .disturb(
            Disturbance::new(murphy_fault::Deed::Bridge {
                node: "c".into(),
                one: vec!["a".into()],
                other: vec!["b".into()],
            })
            .at(S),
        );
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    chaos.network().nodes(["late"]).unwrap();
    let late = chaos.site("late->b").layer().layer(Echo::default());
    sleep(S * 2).await;
    assert!(within(ms(5), link.oneshot(1)).await.is_none());
    assert!(within(ms(5), late.oneshot(1)).await.is_some());
    assert_eq!(armed.ledger().events().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bend_is_undone_alone() {
    let chaos = chaos();
    let node = chaos.node("a");
    let clock = node.clock();
    let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let rate = async || {
        let (wall, mono) = (clock.wall(), clock.now());
        advance(S).await;
        let mono = clock.now() - mono;
        assert_eq!(clock.wall() - wall, Offset::ahead(mono));
        mono.as_millis()
    };
    let drift = |percent: f64| Bend::Drift(Drift::ppm(percent * 10_000.0).unwrap());
    let (slow, fast) = (
        node.bend(drift(-50.0)).unwrap(),
        node.bend(drift(100.0)).unwrap(),
    );
    assert_eq!(rate().await, 2000, "the later bend counts");
    drop(fast);
    assert_eq!(rate().await, 500, "the one before it is still on");
    let (one, two) = (
        node.bend(Bend::Freeze).unwrap(),
        node.bend(Bend::Freeze).unwrap(),
    );
    drop(one);
    assert_eq!(rate().await, 0, "frozen by the other");
    drop(slow);
    assert_eq!(rate().await, 0, "frozen, whatever the rate");
    drop(two);
    assert_eq!(rate().await, 1000);
    let (wide, narrow) = (
        node.bend(Bend::Error(ms(10))).unwrap(),
        node.bend(Bend::Error(ms(1))).unwrap(),
    );
    drop(wide);
    assert_eq!(clock.bound().width(), ms(2));
    drop(narrow);
    assert_eq!(clock.bound().width(), ms(0));
    node.bend(Bend::Freeze).unwrap().keep();
    drop(node.bend(Bend::Freeze).unwrap());
    assert_eq!(rate().await, 0, "frozen by one that was kept");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_rights_a_clock_whose_machine_is_suspended() {
    for mode in [Suspended::IsLost, Suspended::Counts] {
        let chaos = chaos();
        let (clock, right) = (chaos.node("a").clock(), chaos.node("b").clock());
        let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
        let _bent = chaos.node("a").bend(Bend::Suspend(S * 10, mode)).unwrap();
        advance(S * 4).await;
        drop(armed);
        advance(S * 20).await;
        assert_eq!(clock.wall() - right.wall(), Offset::ZERO, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nothing_undoes_is_not_told_as_undone() {
    let chaos = chaos();
    let node = chaos.node("a");
    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    drop(node.bend(Bend::Suspend(S, Suspended::IsLost)).unwrap());
    assert_eq!(armed.ledger().events().len(), 1);
}

/// Does something when it wakes somebody.
struct Then(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Then {
    fn wake(self: Arc<Self>) {
        let act = self.0.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }
}

fn waking(act: impl FnOnce() + Send + 'static) -> Waker {
    Arc::new(Then(Mutex::new(Some(Box::new(act))))).into()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_run_rights_no_clock_of_the_next() {
    let chaos = chaos();
    let (first, second) = (chaos.node("a"), chaos.node("b"));
    let clock = second.clock();
    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    first.pause().unwrap().keep();
    let mut work = Box::pin(first.run(async {}));
    let next = chaos.clone();
    let waker = waking(move || {
        next.arm(&Plan::new(), TimeLimit::None).unwrap().keep();
        second.bend(Bend::Freeze).unwrap().keep();
    });
    assert!(
        work.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(armed);
    let before = clock.now();
    advance(S).await;
    assert_eq!(clock.now(), before, "frozen in the run that is on");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_woken_may_end_the_run() {
    let chaos = chaos();
    let node = chaos.node("a");
    let clock = node.clock();
    chaos.network().nodes(["a", "b"]).unwrap();
    let link = chaos.site("a->b").layer().layer(Echo::default());
    for which in 0..3 {
        let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
        let woken = Arc::new(AtomicBool::new(false));
        let (end, seen) = (chaos.clone(), Arc::clone(&woken));
        let waker = waking(move || {
            seen.store(true, SeqCst);
            end.disarm();
            let _ = (end.is_armed(), end.node("a").is_paused());
        });
        let mut cx = Context::from_waker(&waker);
        match which {
            0 => {
                let held = chaos.network().hold(["a"], ["b"]).unwrap();
                let mut call = Box::pin(link.clone().oneshot(1));
                assert!(call.as_mut().poll(&mut cx).is_pending());
                drop(held);
                drop(call);
            }
            1 => {
                let pause = node.pause().unwrap();
                let mut work = Box::pin(node.run(async {}));
                assert!(work.as_mut().poll(&mut cx).is_pending());
                drop(pause);
            }
            _ => {
                let mut nap = Box::pin(clock.sleep_until(clock.now() + S));
                assert!(nap.as_mut().poll(&mut cx).is_pending());
                let _bent = node.bend(Bend::Freeze).unwrap();
            }
        }
        assert!(woken.load(SeqCst), "{which}");
        assert!(!chaos.is_armed(), "{which}");
        drop(armed);
        let before = clock.now();
        advance(ms(1)).await;
        assert!(clock.now() > before, "{which}: its clock is right");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_lost_an_event_is_refused() {
    let chaos = chaos();
    chaos.network().nodes(["a"]).unwrap();
    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    drop(chaos.network().isolate("a").unwrap());
    let mut text = Vec::new();
    armed.ledger().write_json_lines(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let read = Transcript::read_json_lines(text.as_bytes()).unwrap();
    assert_eq!(read, armed.ledger().transcript());
    let lines: Vec<&str> = text.lines().collect();
    let cut = [&lines[..1], &lines[2..]].concat().join("\n");
    let error = Transcript::read_json_lines(cut.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("lines are missing"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_event_is_refused_by_line() {
    let chaos = chaos();
    let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let mut header = Vec::new();
    armed.ledger().write_json_lines(&mut header).unwrap();
    let header = String::from_utf8(header).unwrap();
    let header = header.lines().next().unwrap();
    for event in [
        r#"{"event_at_ns":"1","verb":"explode","whom":"a"}"#,
        r#"{"event_at_ns":1,"verb":"explode","whom":"a"}"#,
        r#"{"event_at_ns":-1,"verb":"heal","whom":"a"}"#,
        r#"{"event_at_ns":1e400,"verb":"heal","whom":"a"}"#,
        r#"{"verb":"heal","whom":"a"}"#,
        r#"{"event_at_ns":1,"verb":null,"whom":"a"}"#,
        r#"{"event_at_ns":1,"verb":"heal","whom":["a"]}"#,
        r#"{"event_at_ns":1,"verb":"heal","whom":"a","finding":"injected"}"#,
        r#"[{"verb":"heal"}]"#,
    ] {
        let text = format!("{header}\n{event}\n");
        let error = Transcript::read_json_lines(text.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("ledger, line 2:"), "{event}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_past_the_bound_of_a_ledger_are_counted() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let flap = Disturbance::isolate("a").lasting(S).flapping(ms(1), ms(1));
    let plan = Plan::new().limits(|l| l.ledger = 10).disturb(flap);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    sleep(S * 2).await;
    let ledger = armed.disarm();
    assert_eq!(ledger.events().len(), 10);
    assert_eq!(ledger.overflowed(), 990);
    let mut text = Vec::new();
    ledger.write_json_lines(&mut text).unwrap();
    assert_eq!(Transcript::read_json_lines(&*text).unwrap().overflowed, 990);
}

#[tokio::test(start_paused = true)]
async fn what_is_off_is_disturbed_by_nothing() {
    let chaos = Chaos::off();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("a");
    let clock = node.clock();
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let event = Plan::new().disturb(Disturbance::isolate("a"));
    assert!(matches!(chaos.arm(&event, S), Err(ArmError::Off)));
    let network = chaos.network();
    assert!(network.isolate("a").is_err() && network.partition(["a"], ["b"]).is_err());
    assert!(network.hold(["a"], ["b"]).is_err());
    network.repair();
    network.release();
    network.repair_link("a", "b").unwrap();
    chaos.disarm();
    for bend in [Bend::Freeze, Bend::Jump(Offset::ahead(S))] {
        assert_eq!(node.bend(bend).unwrap_err(), NotArmed);
    }
    let before = clock.now();
    advance(S).await;
    assert_eq!(clock.now() - before, S);
    assert_eq!(within(ms(0), link.oneshot(1)).await.unwrap().unwrap(), 1);
    assert!(chaos.ledger().is_none() && chaos.ended().is_none());
}

#[tokio::test(start_paused = true)]
async fn times_without_end_are_no_overflow() {
    let far = [
        Duration::MAX,
        Duration::MAX - ms(1),
        Duration::from_secs(1 << 40),
    ];
    for long in far {
        for at in [Duration::ZERO, ms(1), long] {
            let chaos = chaos();
            chaos.network().nodes(["a", "b"]).unwrap();
            let _ = chaos.node("w");
            let plan = Plan::new()
                .disturb(Disturbance::isolate("a").at(at).lasting(long))
                .disturb(Disturbance::isolate("a").at(at).flapping(long, long))
                .disturb(Disturbance::isolate("a").at(at).flapping(ms(1), long))
                .disturb(Disturbance::clock("w", Bend::Suspend(long, Suspended::Counts)).at(at))
                .disturb(Disturbance::clock("w", Bend::Error(long)).at(at))
                .disturb(Disturbance::swizzle(["a", "b"], long).at(at))
                .disturb(
                    Disturbance::pause("w")
                        .at(at)
                        .lasting(Duration::from_nanos(1)),
                );
            assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
            let armed = chaos.arm(&plan, long).unwrap();
            sleep(S).await;
            assert_eq!(armed.disarm().events().len() >= 7, at != long);
            assert_eq!(chaos.ended(), Some(Reason::Told));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_at_one_instant_happen_and_end() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let event = || Disturbance::isolate("a").at(S).lasting(S);
    let many = (0..1024).fold(Plan::new(), |plan, _| plan.disturb(event()));
    let armed = chaos.arm(&many, S * 2).unwrap();
    sleep(ms(1500)).await;
    assert!(within(ms(1), link.clone().oneshot(1)).await.is_none());
    sleep(S).await;
    assert!(within(ms(1), link.oneshot(1)).await.is_some());
    assert_eq!(chaos.ended(), Some(Reason::TimeLimit));
    let ledger = armed.disarm();
    assert_eq!(
        ledger
            .events()
            .iter()
            .filter(|e| e.verb == Verb::Partition)
            .count(),
        1024
    );
    let error = chaos.arm(&many.disturb(event()), S).unwrap_err();
    assert!(error.to_string().contains("1024"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_that_race_leave_nothing_behind() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("w");
    let _link = chaos.site("a->b").layer().layer(Echo::default());
    let tiny = Duration::from_millis(1);
    let plan = Plan::new()
        .disturb(Disturbance::isolate("a").flapping(tiny, tiny))
        .disturb(Disturbance::hold(["a"], ["b"]).flapping(tiny, tiny))
        .disturb(Disturbance::pause("w").flapping(tiny, tiny))
        .disturb(Disturbance::crash("w").flapping(tiny, tiny))
        .disturb(Disturbance::clock("w", Bend::Freeze).flapping(tiny, tiny));
    let racers: Vec<_> = (0..4)
        .map(|_| {
            let (chaos, plan) = (chaos.clone(), plan.clone());
            tokio::spawn(async move {
                for n in 0..200u32 {
                    if let Ok(armed) = chaos.arm(&plan, Duration::from_millis(2)) {
                        if n % 3 == 0 {
                            armed.keep();
                        } else {
                            tokio::task::yield_now().await;
                        }
                    }
                    if n % 5 == 0 {
                        tokio::time::sleep(tiny).await;
                    }
                }
            })
        })
        .collect();
    for racer in racers {
        racer.await.unwrap();
    }
    chaos.disarm();
    let quiet = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    let before = node.clock().now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(quiet.ledger().events().is_empty(), "of runs that are over");
    assert!(node.is_up() && !node.is_paused() && node.clock().now() > before);
    let skew = node.clock().wall() - chaos.node("other").clock().wall();
    assert!(skew.abs() < Duration::from_millis(1), "{skew}");
}

#[tokio::test(start_paused = true)]
async fn a_run_with_events_replays_twice() {
    let run = async |plan: &Plan| {
        let chaos = chaos();
        chaos.network().nodes(["api", "payments"]).unwrap();
        let node = chaos.node("payments");
        let service = node.layer().layer(Echo::taking(ms(3)));
        let link = chaos.site(SITE).layer().duplicating().layer(service);
        let armed = chaos.arm(plan, TimeLimit::None).unwrap();
        for n in 0..200 {
            let _ = within(ms(20), link.clone().oneshot(n)).await;
        }
        armed.disarm()
    };
    let p = crate::support::p;
    let plan = plan([
        Fault::latency(crate::support::fixed(2), p(0.3)),
        Fault::lost_reply(p(0.1)),
        Fault::duplicate(crate::support::fixed(1), p(0.3)),
    ])
    .limits(|l| l.in_flight = 1)
    .disturb(
        Disturbance::isolate("api")
            .at(ms(100))
            .flapping(ms(20), ms(150)),
    )
    .disturb(
        Disturbance::hold(["payments"], ["api"])
            .at(ms(310))
            .lasting(ms(50)),
    )
    .disturb(Disturbance::pause("payments").at(ms(200)).lasting(ms(55)))
    .disturb(Disturbance::crash("payments").at(ms(500)).lasting(ms(55)));
    let first = run(&plan).await;
    assert!(first.events().len() > 6 && first.injected().len() > 50);
    let script = first.to_plan().unwrap();
    let second = run(&script).await;
    let third = run(&second.to_plan().unwrap()).await;
    for again in [&second, &third] {
        assert_eq!(again.digest(), first.digest());
        assert_eq!(again.events(), first.events());
        assert!(again.unreached().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_crashes_over_a_cut_link_leaves_no_call_under_way() {
    let chaos = chaos();
    chaos.network().nodes(["api", "payments"]).unwrap();
    let node = chaos.node("payments");
    let service = node.layer().layer(Echo::taking(ms(50)));
    let link = chaos.site(SITE).layer().layer(service);
    let plan = plan([Fault::latency(crate::support::fixed(5), ALWAYS)])
        .disturb(
            Disturbance::hold(["payments"], ["api"])
                .at(ms(10))
                .lasting(ms(100)),
        )
        .disturb(
            Disturbance::partition_oneway(["payments"], ["api"])
                .at(ms(20))
                .lasting(ms(30)),
        )
        .disturb(Disturbance::pause("payments").at(ms(25)).lasting(ms(10)))
        .disturb(Disturbance::crash("payments").at(ms(40)).lasting(ms(20)));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let calls: Vec<_> = (0..20)
        .map(|n| tokio::spawn(within(ms(300), link.clone().oneshot(n))))
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_none_or(|reply| reply.is_err()));
    }
    assert_eq!(
        within(ms(300), link.oneshot(99)).await.unwrap().unwrap(),
        99
    );
    let ledger = armed.disarm();
    let open = murphy_fault::Outcome::UnderWay;
    assert!(ledger.records().iter().all(|r| r.outcome != open));
    assert_eq!(node.living(), 0);
}

#[tokio::test(start_paused = true)]
async fn arming_that_fails_changes_nothing() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("w");
    let armed = arm(&chaos, []);
    let _pause = node.pause().unwrap();
    let bad = Plan::new().disturb(Disturbance::isolate("a"));
    for plan in [bad.clone(), bad.disturb(Disturbance::isolate("nobody"))] {
        let _ = chaos.arm(&plan, S).unwrap_err();
        sleep(S * 2).await;
        assert!(chaos.is_armed() && node.is_paused());
        assert_eq!(armed.ledger().events().len(), 1);
    }
}

#[test]
fn what_no_event_can_be_is_refused_by_field() {
    for (event, want) in [
        (
            "kind = \"pause\"\nnode = \"a\"\nflap = { on = \"1s\", off = \"0s\" }",
            "`event[0].flap.off` is `0s`: at least 1ms",
        ),
        (
            "kind = \"pause\"\nnode = \"a\"\nnodes = [\"b\"]",
            "an event of kind `pause` has no `nodes`",
        ),
        (
            "kind = \"swizzle\"\nnodes = [\"a\"]\nfor = \"1s\"\nflap = { on = \"1s\", off = \"1s\" }",
            "a swizzle goes on and off by itself",
        ),
    ] {
        let text = format!("version = 1\n[[event]]\n{event}\n");
        let error = Plan::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(want), "{event}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ring_of_two_is_refused_when_it_is_armed() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let ring = Disturbance::new(murphy_fault::Deed::MajoritiesRing).at(S);
    let error = chaos.arm(&Plan::new().disturb(ring), S).unwrap_err();
    assert!(matches!(error, ArmError::Event { index: 0, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_withholds_faults_and_not_what_a_link_is_like() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let lossy = murphy_fault::Profile::new().losing(ALWAYS);
    network.profile(["api"], ["payments"], &lossy).unwrap();
    let link = chaos.site(SITE).layer().layer(Echo::default());
    let late = Fault::latency(crate::support::fixed(5), ALWAYS);
    let none = plan([late]).limits(|l| l.in_flight = 0);
    let armed = chaos.arm(&none, TimeLimit::None).unwrap();
    assert!(within(S, link.oneshot(1)).await.is_none());
    let told: Vec<String> = armed
        .ledger()
        .records()
        .into_iter()
        .map(|r| r.fault)
        .collect();
    assert_eq!(told, ["link.loss"]);
    assert_eq!(armed.ledger().summaries()[0].withheld, 1);
}

#[tokio::test(start_paused = true)]
async fn one_slow_link_after_the_other_is_twice_as_late() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let rate = || murphy_fault::Rate::messages(100.0).unwrap();
    let places = 9.try_into().unwrap();
    let slow = murphy_fault::Profile::new().rate(rate(), places);
    network.profile(["api"], ["payments"], &slow).unwrap();
    let link = chaos.site(SITE).layer().layer(Echo::default());
    let also = Fault::slow_link(murphy_fault::Leg::Request, rate(), places, ALWAYS);
    let _armed = chaos.arm(&plan([also]), TimeLimit::None).unwrap();
    for held in [false, true] {
        sleep(S).await;
        let hold = held.then(|| network.hold(["api"], ["payments"]).unwrap());
        let call = tokio::spawn(link.clone().oneshot(1));
        sleep(ms(1)).await;
        drop(hold);
        let let_go = tokio::time::Instant::now();
        call.await.unwrap().unwrap();
        let took = let_go.elapsed() + ms(u64::from(!held));
        assert_eq!(took, ms(20), "held: {held}");
    }
}

//! Slow links: a bounded queue, drained at a rate, shared by all senders.

use std::num::NonZeroU32;
use std::time::Duration;

use murphy_fault::{
    Chaos, Fault, FaultService, Ledger, Leg, Network, Outcome, Plan, Profile, Rate, TimeLimit, Why,
};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{armed, run, wire};
use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, within};

/// One message in ten milliseconds.
fn hundred() -> Rate {
    Rate::messages(100.0).unwrap()
}

fn places(n: u32) -> NonZeroU32 {
    n.try_into().unwrap()
}

fn slow(leg: Leg, capacity: u32) -> Fault {
    Fault::slow_link(leg, hundred(), places(capacity), ALWAYS)
}

/// When each of `n` who call at once has its reply.
async fn burst(service: &FaultService<Echo>, n: u64) -> Vec<Option<Duration>> {
    let start = Instant::now();
    let callers: Vec<_> = (0..n)
        .map(|n| {
            // They call now, and in this order.
            let call = tower::Service::call(&mut service.clone(), n);
            tokio::spawn(async move {
                let reply = within(ms(1000), call).await;
                reply.map(|_| start.elapsed())
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.push(caller.await.unwrap());
    }
    took
}

/// Fault, outcome, milliseconds.
fn told(ledger: &Ledger) -> Vec<(String, Outcome, Option<u128>)> {
    let records = ledger.records().into_iter();
    records
        .map(|r| (r.fault, r.outcome, r.magnitude.map(|m| m.as_millis())))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn messages_leave_one_after_the_other_and_the_tail_is_dropped() {
    for (leg, name) in [(Leg::Request, "slow-link"), (Leg::Reply, "slow-link-back")] {
        let (chaos, echo) = (chaos(), Echo::default());
        let service = chaos.site(SITE).layer().layer(echo.clone());
        let armed = arm(&chaos, [slow(leg, 3)]);
        let took = burst(&service, 5).await;
        let want = [Some(ms(10)), Some(ms(20)), Some(ms(30)), None, None];
        assert_eq!(took, want, "{leg}");
        // A reply that is dropped is that of work that was done.
        assert_eq!(echo.ended(), if leg == Leg::Request { 3 } else { 5 });
        let line = |outcome, ms| (name.to_owned(), outcome, ms);
        let want = [
            line(Outcome::Delivered, Some(10)),
            line(Outcome::Delivered, Some(20)),
            line(Outcome::Delivered, Some(30)),
            line(Outcome::Overflow, None),
            line(Outcome::Overflow, None),
        ];
        assert_eq!(told(&armed.ledger()), want, "{leg}");
        // The first place is free when the first message has left.
        let took = burst(&service, 1).await;
        assert_eq!(took, [Some(ms(10))]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_site_share_its_queue() {
    let chaos = chaos();
    let one = chaos.site(SITE).layer().layer(Echo::default());
    let other = chaos.site(SITE).layer().layer(Echo::default());
    let _armed = arm(&chaos, [slow(Leg::Request, 8)]);
    let (one, other) = tokio::join!(burst(&one, 2), burst(&other, 2));
    assert_eq!(one, [Some(ms(10)), Some(ms(20))]);
    assert_eq!(other, [Some(ms(30)), Some(ms(40))]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_queue_leaves_its_message_in_it() {
    let chaos = chaos();
    let service = chaos.site(SITE).layer().layer(Echo::default());
    let _armed = arm(&chaos, [slow(Leg::Request, 2)]);
    assert!(within(ms(1), service.clone().oneshot(1)).await.is_none());
    let took = burst(&service, 2).await;
    assert_eq!(took, [Some(ms(19)), None]);
}

fn rated(n: f64, capacity: u32) -> Profile {
    Profile::new().rate(Rate::messages(n).unwrap(), places(capacity))
}

fn two() -> (Chaos, Network) {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    (chaos, network)
}

#[tokio::test(start_paused = true)]
async fn requests_one_way_and_replies_the_other_share_a_directed_link() {
    let (chaos, network) = two();
    network.profile(["a"], ["b"], &rated(100.0, 8)).unwrap();
    let ((to_b, _), (to_a, _)) = (wire(&chaos, "a", "b"), wire(&chaos, "b", "a"));
    let armed = run(&chaos);
    // Two requests from a to b, and two replies from a to b.
    let (there, back) = tokio::join!(burst(&to_b, 2), burst(&to_a, 2));
    assert_eq!(there, [Some(ms(10)), Some(ms(20))]);
    assert_eq!(back, [Some(ms(30)), Some(ms(40))]);
    // What a link is like is no fault, but what it drops is.
    assert!(armed.ledger().records().is_empty());
    let took = burst(&to_b, 10).await;
    assert_eq!(took.iter().filter(|t| t.is_none()).count(), 2);
    let took = burst(&to_a, 9).await;
    assert_eq!(took.iter().filter(|t| t.is_none()).count(), 1);
    let line = |name: &str| (name.to_owned(), Outcome::Overflow, None);
    let want = [
        line("link.rate"),
        line("link.rate"),
        line("link.rate.reply"),
    ];
    assert_eq!(told(&armed.ledger()), want);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_hold_enters_the_queue_when_it_is_released() {
    for planned in [true, false] {
        let (chaos, network) = two();
        if !planned {
            network.profile(["a"], ["b"], &rated(100.0, 2)).unwrap();
        }
        let (service, echo) = wire(&chaos, "a", "b");
        let plan = match planned {
            true => Plan::new().with("a->b", slow(Leg::Request, 2)),
            false => Plan::new(),
        };
        let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
        let held = network.hold(["a"], ["b"]).unwrap();
        let calls = burst(&service, 3);
        let release = async {
            tokio::time::sleep(ms(500)).await;
            held.release();
        };
        let (took, ()) = tokio::join!(calls, release);
        assert_eq!(
            took,
            [Some(ms(510)), Some(ms(520)), None],
            "planned: {planned}"
        );
        assert_eq!(echo.ended(), 2);
        let mut ends: Vec<_> = told(&armed.ledger())
            .into_iter()
            .map(|(fault, outcome, ms)| format!("{fault} {outcome:?} {ms:?}"))
            .collect();
        ends.sort();
        let mut want = vec![
            "link.hold Delivered None".to_owned(),
            "link.hold Delivered None".to_owned(),
            "link.hold NeverRan None".to_owned(),
        ];
        want.extend(match planned {
            true => vec![
                "slow-link Delivered Some(10)".to_owned(),
                "slow-link Delivered Some(20)".to_owned(),
                "slow-link Overflow None".to_owned(),
            ],
            false => vec!["link.rate Overflow None".to_owned()],
        });
        assert_eq!(ends, want, "planned: {planned}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_reply_enters_the_queue_when_it_is_released() {
    let (chaos, network) = two();
    network.profile(["b"], ["a"], &rated(100.0, 2)).unwrap();
    let (service, echo) = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    let held = network.hold(["b"], ["a"]).unwrap();
    let release = async {
        tokio::time::sleep(ms(500)).await;
        held.release();
    };
    let (took, ()) = tokio::join!(burst(&service, 3), release);
    assert_eq!(took, [Some(ms(510)), Some(ms(520)), None]);
    assert_eq!(echo.ended(), 3);
    let ends = super::ends(&armed.ledger());
    assert_eq!(ends["link.hold.reply Delivered"], 2);
    assert_eq!(ends["link.hold.reply Ran"], 1);
    assert_eq!(ends["link.rate.reply Overflow"], 1);
}

#[tokio::test(start_paused = true)]
async fn latency_and_rate_add_up() {
    let (chaos, network) = two();
    let dsl = rated(100.0, 8).latency(fixed(100));
    network.profile_everywhere(&dsl);
    let (service, _) = wire(&chaos, "a", "b");
    let _armed = run(&chaos);
    assert_eq!(burst(&service, 2).await, [Some(ms(220)), Some(ms(230))]);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_or_cut_does_not_enter_a_queue() {
    let (chaos, network) = two();
    let (service, _) = wire(&chaos, "a", "b");
    let lost = Fault::lost_request(murphy_fault::Select::First(5));
    let plan = Plan::new()
        .with("a->b", lost)
        .with("a->b", slow(Leg::Request, 2));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    assert_eq!(burst(&service, 5).await, [None; 5]);
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    assert_eq!(burst(&service, 5).await, [None; 5]);
    cut.heal();
    assert_eq!(burst(&service, 1).await, [Some(ms(10))]);
    drop(armed);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_a_message_of_its_own() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let copy = Fault::duplicate(fixed(0), murphy_fault::Select::First(1));
    let armed = arm(&chaos, [copy, slow(Leg::Request, 2)]);
    let one = tokio::spawn(service.clone().oneshot(1));
    tokio::time::sleep(ms(1)).await;
    // Both places are taken.
    assert!(within(ms(100), service.clone().oneshot(2)).await.is_none());
    one.await.unwrap().unwrap();
    assert_eq!(echo.seen(), [1, 1]);
    let magnitudes: Vec<_> = told(&armed.ledger())
        .into_iter()
        .filter(|(fault, ..)| fault == "slow-link")
        .collect();
    let line = |outcome, ms| ("slow-link".to_owned(), outcome, ms);
    let want = [
        line(Outcome::Delivered, Some(10)),
        line(Outcome::Ran, Some(20)),
        line(Outcome::Overflow, None),
    ];
    assert_eq!(magnitudes, want);
}

#[tokio::test(start_paused = true)]
async fn a_copy_finds_the_queue_full() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let armed = arm(
        &chaos,
        [Fault::duplicate(fixed(0), ALWAYS), slow(Leg::Request, 1)],
    );
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
    tokio::time::sleep(ms(100)).await;
    assert_eq!(echo.seen(), [1]);
    let line = |fault: &str, outcome, ms| (fault.to_owned(), outcome, ms);
    let want = [
        line("duplicate", Outcome::NeverRan, Some(0)),
        line("slow-link", Outcome::Delivered, Some(10)),
        line("slow-link", Outcome::Overflow, None),
    ];
    assert_eq!(told(&armed.ledger()), want);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_slow_by_the_byte_where_messages_are_sized() {
    let (chaos, echo) = (chaos(), Echo::default());
    let layer = chaos.site(SITE).layer();
    // Requests have ten bytes a piece, replies one.
    let service = layer
        .sizing(|n: &u64| 10 * *n, |n: &u64| *n)
        .layer(echo.clone());
    let kilo = Rate::bytes(1000.0).unwrap();
    let there = Fault::slow_link(Leg::Request, kilo, places(2), ALWAYS);
    let back = Fault::slow_link(Leg::Reply, kilo, places(2), ALWAYS);
    let armed = arm(&chaos, [there, back]);
    let start = Instant::now();
    service.clone().oneshot(5).await.unwrap();
    assert_eq!(start.elapsed(), ms(55));
    let calls = [30, 1, 1].map(|n| {
        let call = tower::Service::call(&mut service.clone(), n);
        let start = Instant::now();
        tokio::spawn(async move { within(ms(1000), call).await.map(|_| start.elapsed()) })
    });
    let mut took = Vec::new();
    for call in calls {
        took.push(call.await.unwrap());
    }
    // The small one waits for the large one there, and again on the way back.
    assert_eq!(took, [Some(ms(330)), Some(ms(331)), None]);
    let requests = told(&armed.ledger()).into_iter();
    let requests: Vec<_> = requests
        .filter(|(f, ..)| f == "slow-link")
        .map(|(_, o, ms)| (o, ms))
        .collect();
    let want = [
        (Outcome::Delivered, Some(50)),
        (Outcome::Delivered, Some(300)),
        (Outcome::Delivered, Some(310)),
        (Outcome::Overflow, None),
    ];
    assert_eq!(requests, want);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_can_count_are_refused_by_name_or_counted_as_unable() {
    let bytes = Rate::bytes(1000.0).unwrap();
    let fault = || Fault::slow_link(Leg::Request, bytes, places(2), ALWAYS);
    let (early, echo) = (chaos(), Echo::default());
    let _layer = early.site(SITE).layer().layer(echo);
    let plan = Plan::new().with(SITE, fault());
    let error = early.arm(&plan, TimeLimit::None).unwrap_err().to_string();
    assert!(
        error.contains(SITE) && error.contains("slow-link"),
        "{error}"
    );
    assert!(error.contains(".sizing(..)"), "{error}");

    // Built later: inert, and counted.
    let late = chaos();
    late.explain(true);
    let armed = arm(&late, [fault()]);
    let service = late.site(SITE).layer().layer(Echo::default());
    let start = Instant::now();
    service.clone().oneshot(5).await.unwrap();
    assert_eq!(start.elapsed(), ms(0));
    let summary = armed.ledger().summaries().remove(0);
    assert_eq!(summary.unable, 1);
    assert_eq!(armed.ledger().everything()[0].why, Some(Why::Unable));

    // A profile's: the same.
    let (chaos, network) = two();
    network.profile_everywhere(&Profile::new().rate(bytes, places(2)));
    let armed = run(&chaos);
    let (service, _) = wire(&chaos, "a", "b");
    service.oneshot(5).await.unwrap();
    assert_eq!(start.elapsed(), ms(0));
    assert_eq!(armed.ledger().summaries()[0].unable, 2);
    drop(armed);
    let error = chaos.arm(&Plan::new(), TimeLimit::None).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("link.rate") && error.contains(".sizing(..)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_begins_empty_with_the_run() {
    let (chaos, network, first) = armed(&["a", "b"]);
    drop(first);
    network.profile(["a"], ["b"], &rated(100.0, 1)).unwrap();
    let (service, _) = wire(&chaos, "a", "b");
    for _ in 0..3 {
        let _armed = run(&chaos);
        assert!(within(ms(1), service.clone().oneshot(1)).await.is_none());
    }
    let _armed = run(&chaos);
    assert_eq!(burst(&service, 1).await, [Some(ms(10))]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_repeats_by_its_ordinals() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().layer(echo);
    let armed = arm(&chaos, [slow(Leg::Request, 3), slow(Leg::Reply, 2)]);
    let first = burst(&service, 6).await;
    let ledger = armed.disarm();
    let plan = ledger.to_plan().unwrap();
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    assert_eq!(burst(&service, 6).await, first);
    assert_eq!(told(&armed.ledger()), told(&ledger));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_takes_no_place_on_the_way_back() {
    let chaos = chaos();
    let service = chaos.site(SITE).layer().layer(Echo::default());
    let lost = Fault::lost_reply(murphy_fault::Select::First(1));
    let armed = arm(&chaos, [lost, slow(Leg::Reply, 1)]);
    let took = burst(&service, 2).await;
    assert_eq!(took, [None, Some(ms(10))]);
    let back = told(&armed.ledger()).into_iter();
    let back: Vec<_> = back.filter(|(f, ..)| f == "slow-link-back").collect();
    assert_eq!(back.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn queues_stand_one_behind_the_other() {
    let (chaos, network) = two();
    network.profile(["a"], ["b"], &rated(100.0, 1)).unwrap();
    let (service, _) = wire(&chaos, "a", "b");
    let plan = Plan::new().with("a->b", slow(Leg::Request, 8));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    // Each leaves the first when the one before it has left the second, which has one place.
    let took = burst(&service, 3).await;
    assert_eq!(took, [Some(ms(20)), Some(ms(30)), Some(ms(40))]);
    drop(armed);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_hold_enters_its_queues_one_behind_the_other() {
    let (chaos, network) = two();
    network.profile(["a"], ["b"], &rated(100.0, 1)).unwrap();
    let (service, _) = wire(&chaos, "a", "b");
    let plan = Plan::new().with("a->b", slow(Leg::Request, 8));
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let held = network.hold(["a"], ["b"]).unwrap();
    let release = async {
        tokio::time::sleep(ms(100)).await;
        held.release();
    };
    let (took, ()) = tokio::join!(burst(&service, 3), release);
    assert_eq!(took, [Some(ms(120)), Some(ms(130)), Some(ms(140))]);
}

#[tokio::test(start_paused = true)]
async fn what_a_link_is_like_counts_for_no_limit() {
    let (chaos, network) = two();
    network.profile_everywhere(&rated(100.0, 8).latency(fixed(5)));
    let (service, _) = wire(&chaos, "a", "b");
    let plan = Plan::new().limits(|l| l.in_flight = 1);
    let last = Fault::slow_server(fixed(1), ALWAYS).calls(3..4);
    let plan = plan.with("a->b", last);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    burst(&service, 4).await;
    assert_eq!(super::ends(&armed.ledger())["slow-server Delivered"], 1);
}

//! Holds: nothing is lost, nothing arrives, and everything is let go in order.

use std::sync::{Arc, Mutex};

use murphy_fault::{Fault, Leg, Outcome, Plan, TimeLimit};
use tokio::task::JoinSet;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use super::{IMPATIENT, armed, call, ends, events, lines, run, wire};
use crate::support::{ALWAYS, Echo, arm, chaos, fixed, ms, within};

/// Lets everybody get as far as they can.
async fn settle() {
    tokio::time::sleep(ms(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_arrives_when_it_is_released_and_in_order() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let held = network.hold(["a"], ["b"]).unwrap();
    let mut callers = JoinSet::new();
    // Their place is that of the call, whoever is polled first.
    let calls: Vec<_> = (0..100).map(|n| service.clone().call(n)).collect();
    for call in calls.into_iter().rev() {
        callers.spawn(call);
    }
    tokio::time::sleep(ms(1000)).await;
    assert_eq!(echo.began(), 0);
    held.release();
    // Who comes while they are let go is behind them.
    let last = service.clone().call(100);
    assert_eq!(last.await.unwrap(), 100);
    assert_eq!(echo.seen(), (0..=100).collect::<Vec<_>>());
    while let Some(reply) = callers.join_next().await {
        reply.unwrap().unwrap();
    }
    let held = ends(&armed.ledger());
    assert_eq!(held["link.hold Delivered"], 101);
    assert_eq!(held.len(), 1);
    assert_eq!(events(&armed.ledger()), ["hold a -> b", "release a -> b"]);
    // Nobody is left in the line.
    service.oneshot(7).await.unwrap();
    assert_eq!(armed.ledger().records().len(), 101);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_line_lets_the_next_one_go() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let held = network.hold(["a"], ["b"]).unwrap();
    let mut callers: Vec<_> = (0..30)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    settle().await;
    for n in [0, 1, 15, 29] {
        callers[n].abort();
    }
    settle().await;
    held.release();
    // Let go, and gone before it was polled: it is the first in line.
    callers[2].abort();
    let gone = [0, 1, 2, 15, 29];
    for (n, caller) in callers.drain(..).enumerate() {
        assert_eq!(caller.await.is_err(), gone.contains(&n), "{n}");
    }
    let rest: Vec<u64> = (0..30).filter(|n| !gone.contains(&(*n as usize))).collect();
    assert_eq!(echo.seen(), rest);
    let ends = ends(&armed.ledger());
    assert_eq!(ends["link.hold CallerLeft"], 5);
    assert_eq!(ends["link.hold Delivered"], 25);
}

#[tokio::test(start_paused = true)]
async fn requests_and_replies_of_one_link_stand_in_one_line() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let log: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |what| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap().push(what)
    };
    let arrived = note("a request arrives");
    let to_b = chaos.site("a->b").layer().layer(service_fn(move |n: u64| {
        arrived();
        async move { Ok::<_, BoxError>(n) }
    }));
    let (to_a, served) = wire(&chaos, "b", "a");
    let held = network.hold(["a"], ["b"]).unwrap();
    let (one, heard) = (
        tokio::spawn(to_b.clone().oneshot(1)),
        note("a reply arrives"),
    );
    settle().await;
    let two = tokio::spawn(async move {
        to_a.oneshot(2).await.unwrap();
        heard();
    });
    settle().await;
    let three = tokio::spawn(to_b.oneshot(3));
    settle().await;
    // The service at a has done its work; its reply waits between two requests.
    assert_eq!((served.ended(), two.is_finished()), (1, false));
    held.release();
    let (one, two, three) = tokio::join!(one, two, three);
    one.unwrap().unwrap();
    two.unwrap();
    three.unwrap().unwrap();
    let order = ["a request arrives", "a reply arrives", "a request arrives"];
    assert_eq!(*log.lock().unwrap(), order);
    assert_eq!(
        lines(&armed.ledger()),
        [
            "a->b link.hold Delivered",
            "b->a link.hold.reply Delivered",
            "a->b link.hold Delivered"
        ]
    );
}

#[test]
fn what_is_held_arrives_in_order_on_many_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        for round in 0..50 {
            let (chaos, network, _armed) = armed(&["a", "b"]);
            // It notes who came when it is called, and lets others in meanwhile.
            let seen: Arc<Mutex<Vec<u64>>> = Arc::default();
            let note = Arc::clone(&seen);
            let slowly = service_fn(move |n: u64| {
                for _ in 0..n % 7 * 50 {
                    std::hint::spin_loop();
                }
                let note = Arc::clone(&note);
                async move {
                    note.lock().unwrap().push(n);
                    Ok::<_, BoxError>(n)
                }
            });
            let service = chaos.site("a->b").layer().layer(slowly);
            let held = network.hold(["a"], ["b"]).unwrap();
            let calls: Vec<_> = (0..100).map(|n| service.clone().call(n)).collect();
            let mut callers = JoinSet::new();
            for call in calls {
                callers.spawn(call);
            }
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            held.release();
            for n in 100..120 {
                callers.spawn(service.clone().call(n));
            }
            while let Some(reply) = callers.join_next().await {
                reply.unwrap().unwrap();
            }
            // Those who came after the release may have found the line empty, and then race.
            let mut seen = std::mem::take(&mut *seen.lock().unwrap());
            let late: Vec<u64> = seen.iter().copied().filter(|n| *n >= 100).collect();
            seen.retain(|n| *n < 100);
            assert_eq!(seen, (0..100).collect::<Vec<_>>(), "round {round}");
            assert_eq!(late.len(), 20);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_held_reply_is_late_and_the_work_is_done() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let held = network.hold(["b"], ["a"]).unwrap();
    let reply = tokio::spawn(service.clone().oneshot(7));
    tokio::time::sleep(ms(100)).await;
    assert_eq!((echo.ended(), reply.is_finished()), (1, false));
    assert_eq!(lines(&armed.ledger()), ["a->b link.hold.reply UnderWay"]);
    held.release();
    assert_eq!(reply.await.unwrap().unwrap(), 7);
    assert_eq!(lines(&armed.ledger()), ["a->b link.hold.reply Delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_a_held_reply_leaves_work_that_is_done() {
    for fault in [None, Some(Fault::latency(fixed(5), ALWAYS))] {
        let chaos = chaos();
        let network = chaos.network();
        network.nodes(["api", "payments"]).unwrap();
        let echo = Echo::default();
        let service = chaos.site("api->payments").layer().layer(echo.clone());
        let armed = arm(&chaos, fault.clone());
        let _held = network.hold(["payments"], ["api"]).unwrap();
        assert!(within(IMPATIENT, service.oneshot(7)).await.is_none());
        assert_eq!(echo.ended(), 1);
        let records = armed.ledger().records();
        assert_eq!(records.len(), 1 + usize::from(fault.is_some()));
        for record in records {
            assert_eq!(record.outcome, Outcome::Ran, "{}", record.fault);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_departs_into_a_cut() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (there, back) = (wire(&chaos, "a", "b"), wire(&chaos, "b", "a"));
    let held = network.hold(["a"], ["b"]).unwrap();
    let lost: Vec<_> = (0..3)
        .map(|n| tokio::spawn(within(ms(1000), there.0.clone().oneshot(n))))
        .collect();
    let unheard = tokio::spawn(within(ms(1000), back.0.clone().oneshot(3)));
    settle().await;
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    settle().await;
    held.release();
    cut.heal();
    for caller in lost {
        assert!(caller.await.unwrap().is_none());
    }
    assert!(unheard.await.unwrap().is_none());
    assert_eq!((there.1.began(), back.1.ended()), (0, 1));
    let ends = ends(&armed.ledger());
    assert_eq!(ends["link.hold NeverRan"], 3);
    assert_eq!(ends["link.partition NeverRan"], 3);
    assert_eq!(ends["link.hold.reply Ran"], 1);
    assert_eq!(ends["link.partition.reply Ran"], 1);
    assert_eq!(ends.len(), 4);
    assert_eq!(
        (call(&there).await, call(&back).await),
        ((true, true), (true, true))
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_reply_under_a_fate_departs_into_a_cut() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let echo = Echo::default();
    let service = chaos.site("api->payments").layer().layer(echo.clone());
    let armed = arm(&chaos, [Fault::latency(fixed(5), ALWAYS)]);
    let _held = network.hold(["payments"], ["api"]).unwrap();
    let unheard = tokio::spawn(within(ms(1000), service.oneshot(7)));
    tokio::time::sleep(ms(10)).await;
    let cut = network.partition(["api"], ["payments"]).unwrap();
    settle().await;
    cut.heal();
    network.release();
    assert!(unheard.await.unwrap().is_none());
    assert_eq!(
        lines(&armed.ledger()),
        [
            "api->payments latency Ran",
            "api->payments link.hold.reply Ran",
            "api->payments link.partition.reply Ran"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hold_in_a_cut_holds_nobody() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let ab = wire(&chaos, "a", "b");
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    let held = network.hold(["a"], ["b"]).unwrap();
    assert!(within(ms(5), ab.0.clone().oneshot(1)).await.is_none());
    cut.heal();
    let kept = tokio::spawn(ab.0.clone().oneshot(2));
    settle().await;
    held.release();
    kept.await.unwrap().unwrap();
    assert_eq!(ab.1.seen(), [2]);
    assert_eq!(
        lines(&armed.ledger()),
        ["a->b link.partition NeverRan", "a->b link.hold Delivered"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_holds_4096_and_says_what_it_does_with_the_next() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (there, back) = (wire(&chaos, "a", "b"), wire(&chaos, "b", "a"));
    let held = network.hold(["a"], ["b"]).unwrap();
    let callers: Vec<_> = (0..4096)
        .map(|n| tokio::spawn(there.0.clone().oneshot(n)))
        .collect();
    settle().await;
    // One request more, and one reply.
    assert!(within(ms(5), there.0.clone().oneshot(4096)).await.is_none());
    assert!(within(ms(5), back.0.clone().oneshot(4097)).await.is_none());
    assert_eq!(back.1.ended(), 1);
    held.release();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(there.1.seen(), (0..4096).collect::<Vec<_>>());
    let ends = ends(&armed.ledger());
    assert_eq!(ends["link.hold Delivered"], 4096);
    assert_eq!(ends["link.hold Overflow"], 1);
    assert_eq!(ends["link.hold.reply Overflow"], 1);
    assert_eq!(ends.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reply_under_a_fate_meets_a_full_line() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let echo = Echo::default();
    let service = chaos.site("api->payments").layer().layer(echo.clone());
    let other = wire(&chaos, "payments", "api").0;
    let armed = arm(&chaos, [Fault::latency(fixed(5), ALWAYS)]);
    let _held = network.hold(["payments"], ["api"]).unwrap();
    let callers: Vec<_> = (0..4096)
        .map(|n| tokio::spawn(other.clone().oneshot(n)))
        .collect();
    settle().await;
    assert!(within(ms(50), service.oneshot(7)).await.is_none());
    assert_eq!(echo.ended(), 1);
    let ends = ends(&armed.ledger());
    assert_eq!(ends["link.hold.reply Overflow"], 1);
    assert_eq!(ends["latency Ran"], 1);
    drop(callers);
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_polls_keeps_those_behind_it_waiting_until_it_is_dropped() {
    let (chaos, network, _armed) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let held = network.hold(["a"], ["b"]).unwrap();
    let asleep = service.clone().call(1);
    let behind = tokio::spawn(service.clone().oneshot(2));
    settle().await;
    held.release();
    settle().await;
    assert_eq!(echo.began(), 0);
    drop(asleep);
    behind.await.unwrap().unwrap();
    assert_eq!(echo.seen(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_second_hold_keeps_what_the_first_lets_go() {
    let (chaos, network, _armed) = armed(&["a", "b", "c"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let (narrow, wide) = (
        network.hold(["a"], ["b"]).unwrap(),
        network.hold(["a"], ["b", "c"]).unwrap(),
    );
    let reply = tokio::spawn(service.oneshot(7));
    settle().await;
    narrow.release();
    settle().await;
    assert_eq!(echo.began(), 0);
    // Held anew before it was polled.
    wide.release();
    let again = network.hold(["a"], ["b"]).unwrap();
    settle().await;
    assert_eq!(echo.began(), 0);
    again.release();
    assert_eq!(reply.await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_run_lets_everything_go() {
    let (chaos, network, first) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let held = network.hold(["a"], ["b"]).unwrap();
    let callers: Vec<_> = (0..10)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    settle().await;
    let ledger = first.disarm();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(echo.seen(), (0..10).collect::<Vec<_>>());
    assert_eq!(ends(&ledger)["link.hold Delivered"], 10);
    let again = run(&chaos);
    drop(held);
    assert_eq!(events(&again.ledger()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_ends_a_hold() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let (service, _) = wire(&chaos, "a", "b");
    chaos
        .arm(&Plan::new(), TimeLimit::After(ms(100)))
        .unwrap()
        .keep();
    network.hold(["a"], ["b"]).unwrap().keep();
    let start = tokio::time::Instant::now();
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
    assert_eq!(start.elapsed(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_anyway_holds_no_place() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let echo = Echo::default();
    let service = chaos.site("api->payments").layer().layer(echo.clone());
    let first = murphy_fault::Select::First(1);
    let armed = arm(&chaos, [Fault::lost_request(first)]);
    let held = network.hold(["api"], ["payments"]).unwrap();
    // Held on to, unpolled: it is in nobody's way.
    let lost = service.clone().call(1);
    let next = tokio::spawn(service.oneshot(2));
    settle().await;
    held.release();
    next.await.unwrap().unwrap();
    assert_eq!(echo.seen(), [2]);
    let record = armed.ledger().records().remove(0);
    assert_eq!(
        (record.leg, record.outcome),
        (Leg::Request, Outcome::NeverRan)
    );
    drop(lost);
}

#[tokio::test(start_paused = true)]
async fn the_wire_begins_when_the_hold_ends() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let echo = Echo::default();
    let service = chaos.site("api->payments").layer().layer(echo.clone());
    let armed = arm(&chaos, [Fault::latency(fixed(100), ALWAYS)]);
    let held = network.hold(["api"], ["payments"]).unwrap();
    let start = tokio::time::Instant::now();
    let reply = tokio::spawn(service.oneshot(7));
    tokio::time::sleep(ms(1000)).await;
    held.release();
    reply.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), ms(1100));
    assert_eq!(
        lines(&armed.ledger()),
        [
            "api->payments link.hold Delivered",
            "api->payments latency Delivered"
        ]
    );
}

//! A service on a node.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use murphy_fault::{Leg, Node, marker};
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use super::{Probe, node, run, settle};
use crate::support::{Echo, chaos, ms, refusal, within};

#[tokio::test(start_paused = true)]
async fn a_call_to_a_paused_node_is_silence_and_then_a_late_reply() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::taking(ms(10));
    let service = node.layer().layer(echo.clone());
    let start = Instant::now();
    let pause = node.pause().unwrap();
    // One caller has a deadline, the other has none.
    assert!(within(ms(100), service.clone().oneshot(1)).await.is_none());
    let patient = tokio::spawn(service.oneshot(2));
    sleep(ms(900)).await;
    assert_eq!(echo.began(), 0);
    drop(pause);
    assert_eq!(patient.await.unwrap().unwrap(), 2);
    assert_eq!((start.elapsed(), echo.seen()), (ms(1010), vec![2]));
}

#[tokio::test(start_paused = true)]
async fn replies_wait_for_the_end_of_a_pause() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::taking(ms(10));
    let start = Instant::now();
    let call = tokio::spawn(node.layer().layer(echo.clone()).oneshot(1));
    sleep(ms(5)).await;
    let pause = node.pause().unwrap();
    sleep(ms(100)).await;
    assert_eq!((echo.began(), echo.ended()), (1, 0), "it stands still");
    drop(pause);
    call.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), ms(105));
}

#[tokio::test(start_paused = true)]
async fn resuming_is_a_burst_in_the_order_of_arrival() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::default();
    let service = node.layer().layer(echo.clone());
    let pause = node.pause().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (service, order) = (service.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let reply = service.oneshot(n).await.unwrap();
                order.lock().unwrap().push(reply);
            })
        })
        .collect();
    sleep(ms(1000)).await;
    assert_eq!(
        (node.living(), echo.began()),
        (50, 0),
        "accepted, all of them"
    );
    drop(pause);
    let start = Instant::now();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(start.elapsed(), ms(0));
    let all: Vec<u64> = (0..50).collect();
    assert_eq!(
        (echo.seen(), order.lock().unwrap().clone()),
        (all.clone(), all)
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_service_is_not_even_asked_whether_it_is_ready() {
    let (_chaos, node, _armed) = node();
    let (mock, mut handle) = tower_test::mock::pair::<u64, u64>();
    let mut service = node.layer().layer(mock);
    handle.allow(0);
    let pause = node.pause().unwrap();
    // The mock is not ready; a backlog is.
    let call = service.ready().await.unwrap().call(7);
    let call = tokio::spawn(call);
    handle.allow(1);
    sleep(ms(1000)).await;
    let mut next = tokio_test::task::spawn(handle.next_request());
    assert!(next.poll().is_pending());
    drop(pause);
    let (request, reply) = next.await.unwrap();
    assert_eq!(request, 7);
    reply.send_response(8);
    assert_eq!(call.await.unwrap().unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_node_keeps_the_readiness_and_the_permits_of_its_service() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::taking(ms(10));
    let service = node.layer().layer(ConcurrencyLimit::new(echo.clone(), 1));
    let start = Instant::now();
    // Readied before the pause, called during it: the permit waits with the call.
    let mut first = service.clone();
    first.ready().await.unwrap();
    let pause = node.pause().unwrap();
    let one = tokio::spawn(first.call(1));
    let two = tokio::spawn(service.clone().oneshot(2));
    sleep(ms(100)).await;
    drop(pause);
    let three = tokio::spawn(service.oneshot(3));
    for call in [one, two, three] {
        call.await.unwrap().unwrap();
    }
    assert_eq!((start.elapsed(), echo.seen()), (ms(130), vec![1, 2, 3]));
}

#[tokio::test(start_paused = true)]
async fn a_crash_drops_handlers_at_once_whoever_polls() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let handler = probe.clone();
    let service = node.layer().layer(service_fn(move |_: u64| {
        let work = handler.future();
        async move { Ok::<_, BoxError>(work.await) }
    }));
    let mut call = tokio_test::task::spawn(service.clone().oneshot(1));
    assert!(call.poll().is_pending());
    assert_eq!((probe.polls(), node.living()), (1, 1));
    let down = node.crash().unwrap();
    assert_eq!((probe.drops(), node.living()), (1, 0));
    drop(down);
    probe.finish();
    // The connection died with the process: the next life knows nothing of it.
    assert!(call.poll().is_pending());
    assert!(within(ms(60_000), call).await.is_none());
    assert_eq!(probe.polls(), 1);
    assert_eq!(service.oneshot(2).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_whether_the_work_had_begun() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::taking(ms(10));
    let service = node.layer().refusing(refusal).layer(echo.clone());
    let begun = tokio::spawn(service.clone().oneshot(1));
    sleep(ms(5)).await;
    let pause = node.pause().unwrap();
    let waiting = tokio::spawn(service.clone().oneshot(2));
    settle().await;
    let down = node.crash().unwrap();
    let start = Instant::now();
    let late = tokio::spawn(service.clone().oneshot(3));
    for (ordinal, (call, leg)) in [
        (begun, Leg::Reply),
        (waiting, Leg::Request),
        (late, Leg::Request),
    ]
    .into_iter()
    .enumerate()
    {
        let refused = call.await.unwrap().unwrap_err();
        let marker = marker(&*refused).expect("a marker");
        assert_eq!((&*marker.site, &*marker.fault), ("a", "crash"));
        assert_eq!((marker.leg, marker.ordinal), (leg, ordinal as u64));
        assert_eq!(marker.seed.bits(), 42);
    }
    assert_eq!((start.elapsed(), echo.seen()), (ms(0), vec![1]));
    drop((down, pause));
    assert_eq!(service.oneshot(4).await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn ready_made_refusals_fit_a_node_too() {
    let (_chaos, node, _armed) = node();
    let _down = node.crash().unwrap();
    let service = node.layer().refusing_boxed().layer(Echo::default());
    // Spawned inside of an async block: what a closure would not be general enough for.
    let call = tokio::spawn(async move { service.oneshot(1).await });
    assert!(marker(&*call.await.unwrap().unwrap_err()).is_some());
    #[cfg(feature = "http")]
    {
        let status = http::StatusCode::BAD_GATEWAY;
        let service = service_fn(|_: u64| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let service = node.layer().refusing_http(status).layer(service);
        assert_eq!(service.oneshot(1).await.unwrap().status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_readied_before_a_crash_never_arrives() {
    let (_chaos, node, _armed) = node();
    let echo = Echo::default();
    let limited = ConcurrencyLimit::new(echo.clone(), 1);
    let mut service = node.layer().refusing(refusal).layer(limited);
    service.ready().await.unwrap();
    let down = node.crash().unwrap();
    let refused = service.call(1).await.unwrap_err();
    assert_eq!(marker(&*refused).unwrap().leg, Leg::Request);
    drop(down);
    // And its permit is free again.
    assert_eq!(service.ready().await.unwrap().call(2).await.unwrap(), 2);
    assert_eq!(echo.seen(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_send_takes_the_inline_layer() {
    let (_chaos, node, _armed) = node();
    let served = Rc::new(Cell::new(0));
    let counter = Rc::clone(&served);
    let service = node.layer().refusing(refusal).inline();
    let service = service.layer(service_fn(move |n: u64| {
        let counter = Rc::clone(&counter);
        async move {
            counter.set(counter.get() + 1);
            sleep(ms(10)).await;
            Ok::<u64, BoxError>(n)
        }
    }));
    let pause = node.pause().unwrap();
    let mut call = tokio_test::task::spawn(service.clone().oneshot(1));
    assert!(call.poll().is_pending() && served.get() == 0);
    drop(pause);
    assert!(call.is_woken());
    assert_eq!(call.await.unwrap(), 1);

    let mut call = tokio_test::task::spawn(service.oneshot(2));
    assert!(call.poll().is_pending());
    let _down = node.crash().unwrap();
    assert!(call.is_woken());
    let refused = call.await.unwrap_err();
    assert_eq!(marker(&*refused).unwrap().leg, Leg::Reply);
}

#[tokio::test(start_paused = true)]
async fn calls_made_without_a_run_pass_untouched() {
    let chaos = chaos();
    let node = chaos.node("a");
    let echo = Echo::taking(ms(10));
    let mut service = node.layer().layer(echo);
    let before = service.ready().await.unwrap().call(1);
    assert_eq!(node.living(), 0);
    let _armed = run(&chaos);
    let _pause = node.pause().unwrap();
    assert_eq!(before.await.unwrap(), 1);
    assert!(within(ms(100), service.oneshot(2)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_in_a_run_is_served_after_it() {
    let (_chaos, node, armed) = node();
    let (mock, mut handle) = tower_test::mock::pair::<u64, u64>();
    let mut service = node.layer().layer(mock);
    let _pause = node.pause().unwrap();
    // Accepted by the backlog, not by the service: it still has to be readied.
    service.ready().await.unwrap();
    drop(armed);
    let call = tokio::spawn(service.call(7));
    let (request, reply) = handle.next_request().await.unwrap();
    reply.send_response(request);
    assert_eq!(call.await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_broken_service_says_so() {
    let (_chaos, node, _armed) = node();
    let (mock, mut handle) = tower_test::mock::pair::<u64, u64>();
    let mut service = node.layer().layer(mock);
    let pause = node.pause().unwrap();
    let call = service.ready().await.unwrap().call(7);
    handle.send_error("broken");
    drop(pause);
    assert_eq!(call.await.unwrap_err().to_string(), "broken");
    drop(handle);
    assert!(service.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_million_calls_leave_nothing_on_the_node() {
    let (_chaos, node, _armed) = node();
    let mut service = node.layer().layer(Echo::default());
    let mut hanging = node
        .layer()
        .layer(service_fn(|_: u64| pending::<Result<u64, BoxError>>()));
    for n in 0..500_000 {
        service.ready().await.unwrap().call(n).await.unwrap();
        let call = hanging.ready().await.unwrap().call(n);
        if n % 1000 == 0 {
            assert_eq!(node.living(), 1);
            node.restart().unwrap();
        }
        drop(call);
    }
    assert_eq!((node.living(), node.incarnation()), (0, 500));
}

#[tokio::test(start_paused = true)]
async fn a_full_node_takes_no_more_work() {
    let (_chaos, node, _armed) = node();
    let works: Vec<_> = (0..1 << 18).map(|_| node.run_inline(async {})).collect();
    let one_too_many: Node = node.clone();
    assert!(one_too_many.run(async {}).await.is_err());
    drop(works);
    assert_eq!(node.run(async { 7 }).await, Ok(7));
}

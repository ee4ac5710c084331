//! The instance that makes a call was readied for that call, and capacity is held only where the
//! fault says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use murphy_fault::{Fault, Leg};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, limit::ConcurrencyLimit};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, refusal, within};

/// A service whose clones are not ready, and which tells who calls it unready.
#[derive(Debug, Default)]
struct Probe {
    ready: bool,
    calls: Arc<AtomicU64>,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<u64> for Probe {
    type Response = u64;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u64, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        assert!(self.ready, "called without having been readied");
        self.ready = false;
        self.calls.fetch_add(1, SeqCst);
        std::future::ready(Ok(request))
    }
}

fn every_fault() -> Vec<(&'static str, Fault, u64)> {
    let hold = ms(20);
    vec![
        ("slow wire", Fault::latency(fixed(5), ALWAYS), 1),
        ("slow server", Fault::slow_server(fixed(5), ALWAYS), 1),
        ("slow reply", Fault::slow_reply(fixed(5), ALWAYS), 1),
        ("lost request", Fault::lost_request(ALWAYS), 0),
        ("lost reply", Fault::lost_reply(ALWAYS), 1),
        ("refused", Fault::refused(ALWAYS), 0),
        ("refused after", Fault::refused_after_work(ALWAYS), 1),
        ("duplicate", Fault::duplicate(fixed(5), ALWAYS), 2),
        ("duplicate at once", Fault::duplicate(fixed(0), ALWAYS), 2),
        (
            "reordered request",
            Fault::reorder(Leg::Request, 1, hold, ALWAYS),
            1,
        ),
        (
            "reordered reply",
            Fault::reorder(Leg::Reply, 1, hold, ALWAYS),
            1,
        ),
        ("altered request", Fault::altered_request(ALWAYS), 1),
        ("altered reply", Fault::altered_reply(ALWAYS), 1),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_call_is_made_by_an_instance_that_was_readied_for_it() {
    for (name, fault, runs) in every_fault() {
        let (chaos, probe) = (chaos(), Probe::default());
        let calls = Arc::clone(&probe.calls);
        let layer = chaos.site(SITE).layer().duplicating().refusing(refusal);
        let layer = layer
            .altering_requests(|_: &mut u64, _| {})
            .altering_replies(|_: &mut u64, _| {});
        let mut service = layer.layer(probe);
        let _armed = arm(&chaos, [fault]);
        // The same service again and again: what one call leaves behind, the next one finds.
        for _ in 0..3 {
            let call = service.ready().await.unwrap().call(7);
            let _ = within(ms(1000), call).await;
        }
        tokio::time::sleep(ms(1000)).await;
        assert_eq!(calls.load(SeqCst), 3 * runs, "{name}");
    }
}

/// Five calls through a limit of one, and how long they take together.
async fn five_through_one(fault: Fault) -> std::time::Duration {
    let chaos = chaos();
    let service = chaos
        .site(SITE)
        .layer()
        .layer(ConcurrencyLimit::new(Echo::default(), 1));
    let _armed = arm(&chaos, [fault]);
    let start = Instant::now();
    let calls: Vec<_> = (0..5)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_slow_wire_leaves_the_service_free() {
    assert_eq!(
        five_through_one(Fault::latency(fixed(100), ALWAYS)).await,
        ms(100)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_busy() {
    assert_eq!(
        five_through_one(Fault::slow_server(fixed(100), ALWAYS)).await,
        ms(500)
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_holds_no_permit() {
    let chaos = chaos();
    let mut service = chaos
        .site(SITE)
        .layer()
        .layer(ConcurrencyLimit::new(Echo::default(), 1));
    let armed = arm(&chaos, [Fault::lost_request(ALWAYS)]);
    let silent = service.ready().await.unwrap().call(1);
    armed.disarm();
    // The lost call is still being waited for, and the only permit is free, for anybody.
    let mut other = service.clone();
    let answer = within(ms(10), async { other.ready().await?.call(2).await });
    assert_eq!(answer.await.unwrap().unwrap(), 2);
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_the_services_own() {
    let (mut mock, mut handle) =
        tower_test::mock::spawn_with(|mock: tower_test::mock::Mock<u64, u64>| {
            chaos().site(SITE).layer().layer(mock)
        });
    handle.allow(0);
    assert!(mock.poll_ready().is_pending());
    handle.allow(1);
    assert!(mock.poll_ready().is_ready());
    handle.send_error("broken");
    assert!(matches!(mock.poll_ready(), Poll::Ready(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_breaks_while_a_request_is_on_its_way_says_so() {
    let chaos = chaos();
    let (mock, mut handle) = tower_test::mock::pair::<u64, u64>();
    let mut service = chaos.site(SITE).layer().layer(mock);
    let _armed = arm(&chaos, [Fault::latency(fixed(5), ALWAYS)]);
    handle.allow(1);
    let call = service.ready().await.unwrap().call(1);
    handle.send_error("broken");
    assert_eq!(call.await.unwrap_err().to_string(), "broken");
}

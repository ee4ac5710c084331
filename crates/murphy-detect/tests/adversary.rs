//! Services that panic or are never ready, observers that lie, beats that nobody would send.

mod common;

use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use common::{fixed, ms};
use murphy_detect::{
    Adaptive, Event, Heartbeat, HeartbeatAck, Heartbeater, Moment, Monitor, Observer, Verdict,
};
use tower::{Service, service_fn};

/// One that fails in all ways there are, one after the other, and then works.
#[derive(Clone, Default)]
struct Ill(Arc<AtomicU64>);

impl Service<Heartbeat<&'static str>> for Ill {
    type Response = Option<HeartbeatAck>;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<Option<HeartbeatAck>, &'static str>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match self.0.load(SeqCst) {
            0 => {
                self.0.store(1, SeqCst);
                panic!("when readied")
            }
            1 => Poll::Ready(Err("broken")),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Heartbeat<&'static str>) -> Self::Future {
        match self.0.fetch_add(1, SeqCst) {
            2 => panic!("when called"),
            3 => Box::pin(async { panic!("when polled") }),
            _ => Box::pin(ready(Ok(None))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_costs_a_beat_and_not_the_heart() {
    let ill = Ill::default();
    let step = Arc::clone(&ill.0);
    let beating = Heartbeater::new("a", ms(1000)).unwrap().spawn(ill);
    tokio::time::sleep(ms(1500)).await;
    step.store(2, SeqCst);
    tokio::time::sleep(ms(3000)).await;
    assert_eq!((beating.failed(), beating.sent()), (4, 1));
}

/// Never ready.
#[derive(Clone)]
struct Busy;

impl Service<Heartbeat<&'static str>> for Busy {
    type Response = Option<HeartbeatAck>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Option<HeartbeatAck>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Pending
    }

    fn call(&mut self, _: Heartbeat<&'static str>) -> Self::Future {
        ready(Ok(None))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_is_given_up_beat_by_beat() {
    let beating = Heartbeater::new("a", ms(1000)).unwrap().spawn(Busy);
    tokio::time::sleep(ms(3500)).await;
    assert_eq!((beating.failed(), beating.sent()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_knows_of_an_impossible_life_is_not_believed() {
    let observer = Observer::spawn("peers", fixed(3000));
    let (honest, lies) = (
        observer.service(),
        Arc::new(Mutex::new(vec![
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            (1 << 63) - 1,
        ])),
    );
    let to = service_fn(move |beat: Heartbeat<&'static str>| {
        let (mut honest, lie) = (honest.clone(), lies.lock().unwrap().pop());
        async move {
            let ack = honest.call(beat).await?;
            let verdict = lie.map_or(ack.verdict, |known| Verdict::Renew { known });
            Ok::<_, std::convert::Infallible>(HeartbeatAck { verdict, ..ack })
        }
    });
    let beating = Heartbeater::new("a", ms(1000)).unwrap();
    let beating = beating.incarnation(7).spawn(to);
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(beating.incarnation(), 7);
    assert!(observer.is_alive(&"a"));
}

#[tokio::test(start_paused = true)]
async fn whoever_panics_under_the_lock_stops_nobody_else() {
    let observer = Observer::spawn("peers", fixed(3000));
    let beating = Heartbeater::new("a", ms(1000)).unwrap();
    let _beating = beating.spawn(observer.service());
    tokio::time::sleep(ms(500)).await;
    let panics = || observer.with(|_, _| panic!("under the lock"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    tokio::time::sleep(ms(10_000)).await;
    assert!(observer.is_alive(&"a"));
}

#[tokio::test(start_paused = true)]
async fn without_its_driver_questions_are_answered_and_nothing_is_told() {
    let (observer, driver) = Observer::new("peers", Monitor::new(Adaptive::default()));
    let driver = tokio::spawn(driver.run());
    let beating = Heartbeater::new("a", ms(1000)).unwrap();
    let beating = beating.spawn(observer.service());
    let (mut watch, mut events) = (observer.watch(&"a"), observer.events());
    tokio::time::sleep(ms(5000)).await;
    assert!(matches!(events.next().await, Some(Ok(Event::Up { .. }))));
    driver.abort();
    beating.stop();
    watch.borrow_and_update();
    tokio::time::sleep(ms(60_000)).await;
    assert!(observer.liveness(&"a").is_dead());
    assert!(!watch.has_changed().unwrap());
    // The end of the observer ends all waiting.
    drop(observer);
    assert!(watch.changed().await.is_err());
    assert!(events.next().await.is_none());
}

#[test]
fn a_name_of_a_megabyte_and_none_at_all_are_names() {
    let mut monitor = Monitor::new(fixed(3000));
    for node in [String::new(), "\u{fffd}".repeat(1 << 20)] {
        let beat = Heartbeat {
            node: node.clone(),
            incarnation: 0,
            seq: u64::MAX,
            sent: Moment::MAX,
            interval: ms(1000),
        };
        monitor.record_heartbeat(Moment::ZERO, &beat).unwrap();
        assert!(monitor.is_alive(&node, Moment::ZERO));
        monitor.record_heartbeat(Moment::MAX, &beat).unwrap_err();
    }
}

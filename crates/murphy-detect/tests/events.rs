//! What is told, by its stable names.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{fixed, ms};
use murphy_detect::{Guard, Heartbeat, Heartbeater, Moment, Monitor, Observer, SafeMode};
use tokio::time::{advance, sleep};
use tower::service_fn;
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The names of events, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "murphy::detect" {
            self.0.lock().unwrap().push(event.metadata().name());
        }
    }
}

impl Told {
    fn listen() -> (Self, DefaultGuard) {
        let told = Self::default();
        let subscriber = tracing_subscriber::registry().with(told.clone());
        (told, tracing::subscriber::set_default(subscriber))
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

const fn beat(node: &'static str, incarnation: u64, seq: u64) -> Heartbeat<&'static str> {
    Heartbeat {
        node,
        incarnation,
        seq,
        sent: Moment::ZERO,
        interval: Duration::from_secs(1),
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_becomes_of_a_node_is_told() {
    let (told, _guard) = Told::listen();
    let monitor = Monitor::new(fixed(3000))
        .suspect_for(ms(1000))
        .forget_after(ms(5000), 8);
    let (observer, driver) = Observer::new("peers", monitor);
    tokio::spawn(driver.run());
    observer.record_heartbeat(&beat("a", 1, 0)).unwrap();
    sleep(ms(100)).await;
    assert_eq!(told.take(), ["node.up"]);
    observer.record_heartbeat(&beat("a", 1, 0)).unwrap_err();
    assert_eq!(told.take(), ["beat.refused"]);
    sleep(ms(3000)).await;
    observer.record_heartbeat(&beat("a", 1, 1)).unwrap();
    observer.record_heartbeat(&beat("a", 2, 0)).unwrap();
    sleep(ms(100)).await;
    assert_eq!(
        told.take(),
        ["node.suspect", "node.trusted", "node.restarted"]
    );
    sleep(ms(20_000)).await;
    assert_eq!(told.take(), ["node.suspect", "node.down", "node.forgotten"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_observer_doubts_of_itself_is_told() {
    let (told, _guard) = Told::listen();
    let monitor = Monitor::new(fixed(3000))
        .guard(Guard::new())
        .safe_mode(SafeMode::new());
    let (observer, driver) = Observer::new("peers", monitor);
    tokio::spawn(driver.run());
    for node in ["a", "b", "c"] {
        observer.record_heartbeat(&beat(node, 1, 0)).unwrap();
    }
    sleep(ms(100)).await;
    told.take();
    advance(ms(60_000)).await;
    sleep(ms(100)).await;
    assert_eq!(told.take(), ["observer.paused"]);
    sleep(ms(5000)).await;
    let want = [
        "node.suspect",
        "node.suspect",
        "node.suspect",
        "observer.safe_mode",
    ];
    assert_eq!(told.take(), want);
}

#[tokio::test(start_paused = true)]
async fn a_sender_tells_of_what_fails() {
    let (told, _guard) = Told::listen();
    let refuses = service_fn(async |_: Heartbeat<&str>| Err::<Option<_>, _>("no route"));
    let beating = Heartbeater::new("a", ms(1000)).unwrap().spawn(refuses);
    sleep(ms(10)).await;
    assert_eq!(told.take(), ["beat.failed"]);
    drop(beating);

    let observer = Observer::spawn("peers", fixed(3000));
    observer.record_heartbeat(&beat("a", 9, 0)).unwrap();
    let node = Heartbeater::new("a", ms(1000)).unwrap().incarnation(1);
    let _beating = node.spawn(observer.service());
    sleep(ms(1500)).await;
    assert_eq!(
        told.take(),
        ["node.up", "beat.refused", "beat.renewed", "node.restarted"]
    );
}

/// The spans in which a peer was called.
#[derive(Clone, Default)]
struct Within(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Within {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let span = context.event_span(event);
        let names = span.map(|span| span.metadata().name());
        self.0.lock().unwrap().extend(names);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_stack_of_a_sender_says_belongs_to_its_beat() {
    let within = Within::default();
    let subscriber = tracing_subscriber::registry().with(within.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let says = service_fn(async |_: Heartbeat<&'static str>| {
        sleep(ms(1)).await;
        tracing::info!("called");
        Ok::<Option<murphy_detect::HeartbeatAck>, &str>(None)
    });
    let _beating = Heartbeater::new("a", ms(1000)).unwrap().spawn(says);
    sleep(ms(1500)).await;
    assert_eq!(*within.0.lock().unwrap(), ["heartbeat.send"; 2]);
}

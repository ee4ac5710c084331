//! Every counter and gauge that the docs list is there, and none that they do not.
#![cfg(all(feature = "metrics", feature = "http", feature = "udp"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{fixed, ms};
use futures_util::future::{Either, select};
use http::{Request, StatusCode};
use http_body_util::Full;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use murphy_core::order::NodeId;
use murphy_detect::wire::http::HttpServer;
use murphy_detect::wire::{LONGEST, put_beat, udp};
use murphy_detect::{
    Guard, Heartbeat, HeartbeatAck, Heartbeater, Moment, Monitor, Observer, SafeMode, Verdict,
};
use tokio::net::UdpSocket;
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::{advance, sleep};
use tower::{ServiceExt, service_fn};

/// All counters and gauges, by name, label and value.
#[derive(Default)]
struct Metered(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);

impl Metered {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let name = (key.name().to_owned(), labels.join(","));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }
}

impl Recorder for Metered {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        assert!(key.name().ends_with("_total"), "{key}");
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert!(!key.name().ends_with("_total"), "{key}");
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is neither")
    }
}

/// What `script` left in counters and gauges.
fn metered(
    paused: bool,
    script: impl Future<Output = ()>,
) -> BTreeMap<(String, String), Arc<AtomicU64>> {
    let metered = Metered::default();
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(paused).build().unwrap();
    metrics::with_local_recorder(&metered, || runtime.block_on(script));
    metered.0.into_inner().unwrap()
}

/// The names under "Counters" in the crate's docs.
fn listed() -> BTreeSet<String> {
    let docs = include_str!("../src/lib.rs");
    let (_, list) = docs.split_once("//! # Counters").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    // What comes before the colon says how names are made.
    let (_, list) = list.split_once(':').unwrap();
    let names = list.split('`').skip(1).step_by(2);
    let whole = |name: &str| match name.strip_prefix("murphy_detect_") {
        Some(_) => name.to_owned(),
        None => format!("murphy_detect_{name}_total"),
    };
    names.map(whole).collect()
}

fn beat(node: &str, incarnation: u64, seq: u64) -> Heartbeat {
    Heartbeat {
        node: NodeId::try_new(node).unwrap(),
        incarnation,
        seq,
        sent: Moment::from_nanos(seq),
        interval: ms(1000),
    }
}

/// Everything that can become of nodes.
async fn nodes() {
    let monitor = Monitor::new(fixed(3000)).suspect_for(ms(1000));
    let monitor = monitor.forget_after(ms(10_000), 4);
    let monitor = monitor.max_nodes(NonZeroU32::new(4).unwrap());
    let monitor = monitor.guard(Guard::new()).safe_mode(SafeMode::new());
    let (observer, driver) = Observer::new("peers", monitor);
    tokio::spawn(driver.run());
    let hear = |node, life, seq| observer.record_heartbeat(&beat(node, life, seq));
    hear("a", 1, 0).unwrap();
    hear("a", 2, 0).unwrap();
    hear("a", 2, 0).unwrap_err();
    sleep(ms(3500)).await;
    hear("a", 2, 1).unwrap();
    sleep(ms(20_000)).await;
    for node in ["a", "b", "c", "d"] {
        hear(node, 9, 0).unwrap();
    }
    sleep(ms(5000)).await;
    advance(ms(60_000)).await;
    sleep(ms(1000)).await;
}

/// A node that is told of a later life, and one whose observer is gone.
async fn senders() {
    let tells = service_fn(async |beat: Heartbeat<&'static str>| match beat.seq {
        0 if beat.incarnation == 1 => Ok(HeartbeatAck {
            observer: 1,
            echo: beat.sent,
            verdict: Verdict::Renew { known: 5 },
        }),
        _ => Err("gone"),
    });
    let beating = Heartbeater::new("a", ms(1000)).unwrap().incarnation(1);
    let _beating = beating.spawn(tells);
    sleep(ms(1500)).await;
}

/// What is posted and is no beat: foreign, and too long.
async fn posted() {
    let observer = Observer::spawn("peers", fixed(3000));
    let server = HttpServer::new("posted", observer.service());
    for (length, want) in [
        (9, StatusCode::BAD_REQUEST),
        (LONGEST + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post("/").body(Full::new(Bytes::from(vec![b'x'; length])));
        let reply = server.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(reply.status(), want);
    }
}

#[test]
fn every_counter_and_gauge_of_the_docs_is_there_and_no_other() {
    let mut all = metered(true, async {
        nodes().await;
        senders().await;
        posted().await;
    });
    let dropped = ("murphy_detect_dropped_total".into(), "site=posted".into());
    assert_eq!(all[&dropped].load(SeqCst), 2);
    all.extend(metered(false, refused_by_the_system()));
    let names: BTreeSet<_> = all.keys().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, listed());
    for ((name, labels), n) in &all {
        assert!(
            labels.starts_with("site=") && !labels.contains(','),
            "{name}"
        );
        assert!(n.load(SeqCst) > 0 || !name.ends_with("_total"), "{name}");
    }
}

/// A peer that is gone when its acknowledgement comes: a connected socket is told so.
async fn refused_by_the_system() {
    let observer = Observer::spawn("peers", fixed(30_000));
    let (at, node) = (
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    at.connect(node.local_addr().unwrap()).await.unwrap();
    let mut datagram = Vec::new();
    put_beat(&beat("a", 1, 0), &mut datagram);
    node.send_to(&datagram, at.local_addr().unwrap()).unwrap();
    drop(node);
    let serving = udp::serve(at, "peers", observer.service());
    let watching = async {
        while observer.snapshot().is_empty() {
            yield_now().await;
        }
        // The answer to the acknowledgement comes within the call that sends it, on loopback.
        for _ in 0..1000 {
            yield_now().await;
        }
    };
    // Whichever ends: the one that serves does not.
    let (serving, watching) = (pin!(serving), pin!(watching));
    let ended = select(serving, watching).await;
    assert!(matches!(ended, Either::Right(_)));
}

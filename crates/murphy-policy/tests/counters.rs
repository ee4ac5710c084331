//! Every counter that the docs list is counted, and none that they do not.
#![cfg(all(feature = "metrics", feature = "http"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{BoxError, probe};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use murphy_policy::concurrency::Aimd;
use murphy_policy::hedge::Idempotent;
use murphy_policy::idempotency::{
    Begun, Fingerprint, MemoryStore, Outcome, Store, StoreError, Ticket,
};
use murphy_policy::{
    Backoff, BodyTimeoutLayer, BreakerLayer, Budget, BulkheadLayer, ConcurrencyLayer,
    FallbackLayer, HedgeLayer, IdempotencyLayer, RetryLayer, ServerDeadlineLayer, ThrottleLayer,
    TimeoutLayer,
};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// All counters, by name, label and its value.
#[derive(Default)]
struct Counters(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let name = (key.name().to_owned(), labels.join(","));
        let mut counters = self.0.lock().unwrap();
        Counter::from_arc(Arc::clone(counters.entry(name).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{key} is no counter")
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is no counter")
    }
}

/// What `script` counted.
fn counted(script: impl Future<Output = ()>) -> BTreeMap<(String, String), u64> {
    let counters = Counters::default();
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&counters, || runtime.block_on(script));
    let counters = counters.0.into_inner().unwrap();
    let counters = counters.into_iter();
    counters.map(|(name, n)| (name, n.load(SeqCst))).collect()
}

/// The names under "Counters" in the crate's docs.
fn listed() -> BTreeSet<String> {
    let docs = include_str!("../src/lib.rs");
    let (_, list) = docs.split_once("//! # Counters").unwrap();
    let (list, _) = list.split_once("//! # Examples").unwrap();
    // What comes before the colon says how names are made.
    let (_, names) = list.split_once(':').unwrap();
    let names = names.split('`').skip(1).step_by(2);
    names
        .map(|name| format!("murphy_policy_{name}_total"))
        .collect()
}

#[test]
fn every_counter_of_the_docs_is_counted_and_no_other() {
    let counters = counted(async {
        attempts().await;
        peers().await;
        places().await;
        keys().await;
        clocks().await;
    });
    let names: BTreeSet<_> = counters.keys().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, listed());
    for ((name, labels), n) in &counters {
        assert!(
            labels.starts_with("site=") && !labels.contains(','),
            "{name}: {labels}"
        );
        assert!(*n > 0, "{name}");
    }
}

#[test]
fn each_time_counts_once() {
    let counters = counted(async {
        let retry = RetryLayer::new().pace(Backoff::none()).named("api->db");
        let service = retry.layer(service_fn(|()| ready(Err::<(), BoxError>("no".into()))));
        for _ in 0..3 {
            service.clone().oneshot(()).await.unwrap_err();
        }
    });
    let of = |name: &str| counters[&(format!("murphy_policy_{name}_total"), "site=api->db".into())];
    assert_eq!((of("retry_attempts"), of("retry_given_up")), (6, 3));
}

/// Retries and hedges.
async fn attempts() {
    let fails = service_fn(|()| ready(Err::<(), BoxError>("no".into())));
    let retry = RetryLayer::new().layer(fails);
    retry.oneshot(()).await.unwrap_err();
    let slow_at_first = probe(|n: u32| async move {
        sleep(SECOND * 10 / n).await;
        Ok::<_, BoxError>(())
    });
    let hedge = HedgeLayer::new(SECOND, Idempotent);
    hedge
        .clone()
        .layer(slow_at_first.clone())
        .oneshot(())
        .await
        .unwrap();
    let broke = hedge.budget(Budget::try_new(0.0, 0).unwrap());
    broke.layer(slow_at_first).oneshot(()).await.unwrap();
}

/// What looks at how the peer is: a breaker and a throttle; and who answers in its place.
async fn peers() {
    let dies_once = probe(|n: u32| {
        ready(if n == 1 {
            Err("no".into())
        } else {
            Ok::<_, BoxError>(())
        })
    });
    let open = Backoff::constant(SECOND);
    let breaker = BreakerLayer::new().consecutive(1).unwrap().open_pace(open);
    let breaker = breaker.layer(dies_once);
    breaker.clone().oneshot(()).await.unwrap_err();
    breaker.clone().oneshot(()).await.unwrap_err();
    for _ in 0..20 {
        sleep(SECOND).await;
        let _ = breaker.clone().oneshot(()).await;
    }
    let fails = || service_fn(|()| ready(Err::<(), BoxError>("no".into())));
    let throttle = ThrottleLayer::new().seed(1).layer(fails());
    for _ in 0..100 {
        throttle.clone().oneshot(()).await.unwrap_err();
    }
    FallbackLayer::value(())
        .layer(fails())
        .oneshot(())
        .await
        .unwrap();
    let none = FallbackLayer::new(|(): &(), _: &_| ready(Err::<(), BoxError>("none".into())));
    none.layer(fails()).oneshot(()).await.unwrap_err();
}

/// What bounds how many are under way.
async fn places() {
    let slow = || {
        service_fn(|()| async {
            sleep(SECOND).await;
            Ok::<_, BoxError>(())
        })
    };
    let bulkhead = BulkheadLayer::new(1).unwrap().queue(0).layer(slow());
    let both = futures_util::future::join(bulkhead.clone().oneshot(()), bulkhead.oneshot(()));
    assert!(both.await.1.is_err());
    let limit = Aimd::new().between(1, 100).unwrap().initial(1);
    let limited = ConcurrencyLayer::new(limit).layer(slow());
    let both = futures_util::future::join(limited.clone().oneshot(()), limited.clone().oneshot(()));
    assert!(both.await.1.is_err());
    for _ in 0..100 {
        limited.clone().oneshot(()).await.unwrap();
    }
}

/// A store whose leases are over before the work is, or that is down.
#[derive(Clone)]
struct Forgets {
    down: bool,
}

impl Store for Forgets {
    async fn begin(
        &self,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        _: Duration,
    ) -> Result<Begun, StoreError> {
        if self.down {
            return Err(StoreError::new("down"));
        }
        let key = Arc::clone(key);
        Ok(Begun::First(Ticket {
            key,
            fingerprint,
            fence: 1,
        }))
    }
    async fn finish(&self, _: &Ticket, _: Outcome) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn release(&self, _: &Ticket) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn watch(&self, _: &Ticket) {}
}

fn pay(key: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/").header("idempotency-key", key);
    request.body(Full::default()).unwrap()
}

/// A server that does each operation once.
async fn keys() {
    let charge = || {
        service_fn(|_: Request<_>| async {
            sleep(SECOND).await;
            Ok::<_, BoxError>(Response::new(Full::from("charged")))
        })
    };
    let store = MemoryStore::new().keys(1).unwrap();
    let server = IdempotencyLayer::with(store).layer(charge());
    for key in ["one", "one", "another", "not a key"] {
        server.clone().oneshot(pay(key)).await.unwrap();
    }
    let leaves = timeout(SECOND / 10, server.clone().oneshot(pay("third")));
    leaves.await.unwrap_err();
    sleep(SECOND * 2).await;
    let short = IdempotencyLayer::new().longest_reply(1).layer(charge());
    short.oneshot(pay("one")).await.unwrap();
    for down in [false, true] {
        let server = IdempotencyLayer::with(Forgets { down }).layer(charge());
        server.oneshot(pay("one")).await.unwrap();
    }
}

/// Deadlines of servers, and timeouts that requests bring.
async fn clocks() {
    let server = ServerDeadlineLayer::new(SECOND * 2).layer(service_fn(|_: Request<()>| {
        pending::<Result<Response<String>, Infallible>>()
    }));
    for left in ["0", "1"] {
        let request = Request::get("/").header("x-envoy-expected-rq-timeout-ms", left);
        server
            .clone()
            .oneshot(request.body(()).unwrap())
            .await
            .unwrap();
    }
    let request = Request::get("/").header("x-envoy-expected-rq-timeout-ms", "soon");
    let asked = server.oneshot(request.body(()).unwrap());
    asked.await.unwrap();

    let name: http::HeaderName = "x-timeout".parse().unwrap();
    let hangs = service_fn(|_: Request<()>| pending::<Result<(), BoxError>>());
    let request = Request::get("/").header(&name, "soon").body(()).unwrap();
    let timed = TimeoutLayer::new(SECOND)
        .by_header(name, SECOND)
        .layer(hangs);
    timed.oneshot(request).await.unwrap_err();

    for layer in [
        BodyTimeoutLayer::replies().idle(SECOND / 2),
        BodyTimeoutLayer::replies().total(SECOND / 2),
    ] {
        let service = layer.layer(service_fn(|_: Request<_>| {
            let frame = futures_util::stream::once(async {
                sleep(SECOND).await;
                Ok::<_, Infallible>(http_body::Frame::data(Bytes::from("late")))
            });
            ready(Ok::<_, BoxError>(Response::new(StreamBody::new(frame))))
        }));
        let request = Request::new(Full::<Bytes>::default());
        let reply = service.oneshot(request).await.unwrap();
        let body = Box::pin(reply.into_body());
        assert!(body.collect().await.is_err());
    }
}

//! Scripts of operations that are done once.
#![cfg(feature = "http")]

mod common;
#[path = "idempotency/redis.rs"]
#[cfg(feature = "redis")]
mod over_redis;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{BoxError, events, listen};
use futures_util::{Stream, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use murphy_core::{Scope, Seed};
use murphy_policy::idempotency::{
    Begun, Fingerprint, IdempotencyKey, KeptBody, MemoryStore, Outcome, Refused, Store, StoreError,
    Ticket,
};
use murphy_policy::{Backoff, IdempotencyKeyLayer, IdempotencyLayer, RetryLayer, Rule, Stack};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "idempotency-key";

type Asks = Request<Full<Bytes>>;
type Gets = Response<KeptBody<Full<Bytes>>>;

/// Charges, which takes a second, and says which charge it was.
#[derive(Clone, Default)]
struct Till(Arc<AtomicU32>);

impl Till {
    fn charged(&self) -> u32 {
        self.0.load(SeqCst)
    }

    fn serve(
        &self,
    ) -> impl Service<
        Request<KeptBody<Full<Bytes>>>,
        Response = Response<Full<Bytes>>,
        Error = BoxError,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        self.taking(SECOND)
    }

    fn taking(
        &self,
        time: Duration,
    ) -> impl Service<
        Request<KeptBody<Full<Bytes>>>,
        Response = Response<Full<Bytes>>,
        Error = BoxError,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        listen();
        let charged = Arc::clone(&self.0);
        service_fn(move |request: Request<KeptBody<Full<Bytes>>>| {
            let charged = Arc::clone(&charged);
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                sleep(time).await;
                let n = charged.fetch_add(1, SeqCst) + 1;
                let text = format!("charge {n} of {}", String::from_utf8_lossy(&body));
                let reply = Response::builder().status(201).header("x-charge", n);
                Ok(reply.body(Full::from(text)).unwrap())
            }
        })
    }
}

fn pay(key: &str, body: &'static str) -> Asks {
    let request = Request::post("/pay?now").header(KEY, key);
    request.body(Full::from(body)).unwrap()
}

async fn text(reply: Gets) -> String {
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn why(reply: &Gets) -> Option<Refused> {
    reply.extensions().get().copied()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_at_once_run_the_handler_once() {
    let till = Till::default();
    let server = IdempotencyLayer::new().layer(till.serve());
    let mut all = JoinSet::new();
    for _ in 0..100 {
        all.spawn(server.clone().oneshot(pay("k", "9")));
    }
    let (mut replays, began) = (0, Instant::now());
    while let Some(reply) = all.join_next().await {
        let reply = reply.unwrap().unwrap();
        assert_eq!(
            (reply.status(), &reply.headers()["x-charge"]),
            (StatusCode::CREATED, &"1".parse().unwrap())
        );
        replays += u32::from(reply.headers().contains_key("idempotent-replayed"));
        assert_eq!(text(reply).await, "charge 1 of 9");
    }
    assert_eq!((till.charged(), replays, began.elapsed()), (1, 99, SECOND));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_on_threads_run_the_handler_once() {
    for round in 0..20 {
        let ran = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&ran);
        let server = IdempotencyLayer::new().layer(service_fn(move |_: Request<_>| {
            let n = counts.fetch_add(1, SeqCst);
            async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Response::new(Full::from(n.to_string())))
            }
        }));
        let mut all = JoinSet::new();
        for _ in 0..100 {
            all.spawn(server.clone().oneshot(pay("k", "9")));
        }
        while let Some(reply) = all.join_next().await {
            assert_eq!(text(reply.unwrap().unwrap()).await, "0", "round {round}");
        }
        assert_eq!(ran.load(SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_gets_the_same_bytes() {
    let till = Till::default();
    let server = IdempotencyLayer::new().layer(till.serve());
    let first = server.clone().oneshot(pay("k", "9")).await.unwrap();
    let again = server.clone().oneshot(pay("k", "9")).await.unwrap();
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let mut headers = first.headers().clone();
    headers.insert("idempotent-replayed", "true".parse().unwrap());
    assert_eq!(
        (again.status(), again.headers()),
        (first.status(), &headers)
    );
    assert_eq!(text(again).await, text(first).await);
    let other = server.oneshot(pay("k2", "9")).await.unwrap();
    assert_eq!(text(other).await, "charge 2 of 9");
}

#[tokio::test(start_paused = true)]
async fn another_payload_under_a_key_is_refused_running_or_done() {
    let till = Till::default();
    let server = IdempotencyLayer::new().layer(till.serve());
    let runs = tokio::spawn(server.clone().oneshot(pay("k", "9")));
    sleep(SECOND / 2).await;
    let asks = || {
        let other = |method: &str, uri: &str| {
            let request = Request::builder().method(method).uri(uri).header(KEY, "k");
            request.body(Full::from("9")).unwrap()
        };
        [
            pay("k", "10"),
            other("PATCH", "/pay?now"),
            other("POST", "/pay"),
            other("POST", "/refund?now"),
        ]
    };
    for ask in asks() {
        let reply = server.clone().oneshot(ask).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), why(&reply)),
            (422, Some(Refused::Mismatch))
        );
    }
    runs.await.unwrap().unwrap();
    for ask in asks() {
        let reply = server.clone().oneshot(ask).await.unwrap();
        assert_eq!(reply.status(), 422);
    }
    assert_eq!(till.charged(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_waits_until_its_deadline_and_is_told_when_to_come_again() {
    let till = Till::default();
    let server = IdempotencyLayer::new()
        .patience(SECOND / 4)
        .ask_again_after(SECOND * 3 / 2)
        .layer(till.taking(SECOND * 2));
    let runs = tokio::spawn(server.clone().oneshot(pay("k", "9")));
    tokio::task::yield_now().await;
    let began = Instant::now();
    for (name, deadline, want) in [
        ("the layer's patience", None, 250),
        ("less a tenth", Some(100), 90),
        ("less a hundred at most", Some(1200), 1100),
    ] {
        let asked = Instant::now();
        let deadline = deadline.map(|millis| asked + Duration::from_millis(millis));
        let scope = Scope::current();
        let scope = deadline.map_or(scope, |at| scope.with_deadline(at));
        let reply = scope
            .enter(server.clone().oneshot(pay("k", "9")))
            .await
            .unwrap();
        assert_eq!(asked.elapsed(), Duration::from_millis(want), "{name}");
        assert_eq!(
            (reply.status().as_u16(), why(&reply)),
            (409, Some(Refused::InProgress))
        );
        assert_eq!(reply.headers()["retry-after"], "2");
    }
    // One whose deadline is later than the reply gets it.
    let scope = Scope::current().with_deadline(began + SECOND * 4);
    let reply = scope.enter(server.oneshot(pay("k", "9"))).await.unwrap();
    assert_eq!(
        (began.elapsed(), text(reply).await),
        (SECOND * 2, "charge 1 of 9".into())
    );
    runs.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_is_asked_for_where_it_is_required() {
    let till = Till::default();
    let layer = IdempotencyLayer::new();
    let keyless = || Request::post("/pay").body(Full::from("9")).unwrap();
    let get = || Request::get("/").body(Full::default()).unwrap();
    for (name, layer, ask, status, charges) in [
        ("not required", layer.clone(), keyless(), 201, 1),
        ("required", layer.clone().required(), keyless(), 400, 0),
        ("idempotent", layer.clone().required(), get(), 201, 1),
        (
            "every method",
            layer.required().every_method(),
            get(),
            400,
            0,
        ),
    ] {
        let before = till.charged();
        let reply = layer.layer(till.serve()).oneshot(ask).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), till.charged() - before),
            (status, charges),
            "{name}"
        );
        assert_eq!(
            why(&reply),
            (status == 400).then_some(Refused::NoKey),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_keys_are_refused_and_never_stored() {
    let (till, store) = (Till::default(), MemoryStore::new());
    let layer = IdempotencyLayer::with(store.clone()).per(|parts| {
        let tenant = parts.headers.get("x-tenant");
        tenant.map_or_else(String::new, |t| t.to_str().unwrap().to_owned())
    });
    let server = layer.layer(till.serve());
    let megabyte = "k".repeat(1 << 20);
    let keys: [&[u8]; 6] = [b"", b" ", b"a b", b"\tx", b"\xc3\xa4", megabyte.as_bytes()];
    for key in keys {
        let request = Request::post("/").header(KEY, key).body(Full::default());
        let reply = server.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), why(&reply)),
            (400, Some(Refused::BadKey))
        );
    }
    let two = Request::post("/").header(KEY, "a").header(KEY, "a");
    let reply = server
        .clone()
        .oneshot(two.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(why(&reply), Some(Refused::BadKey));
    let request = Request::post("/")
        .header(KEY, "a")
        .header("x-tenant", "t".repeat(256));
    let reply = server
        .oneshot(request.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (reply.status().as_u16(), why(&reply)),
        (400, Some(Refused::BadPartition))
    );
    assert_eq!((till.charged(), store.len(), store.size()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn callers_who_use_one_key_do_not_meet() {
    let till = Till::default();
    let layer = IdempotencyLayer::new();
    let server = layer.per(|parts| parts.headers["x-tenant"].to_str().unwrap().into());
    let server = server.layer(till.serve());
    // The third would be the first, if names were put together without their lengths.
    for (tenant, key, want) in [
        ("a", "b:c", "charge 1 of 9"),
        ("b", "b:c", "charge 2 of 9"),
        ("a:b", "c", "charge 3 of 9"),
        ("a", "b:c", "charge 1 of 9"),
    ] {
        let mut request = pay(key, "9");
        request
            .headers_mut()
            .insert("x-tenant", tenant.parse().unwrap());
        let reply = server.clone().oneshot(request).await.unwrap();
        assert_eq!(text(reply).await, want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_does_not_end_the_work() {
    let till = Till::default();
    let server = IdempotencyLayer::new().layer(till.serve());
    let (_, names) = events(async {
        for _ in 0..5 {
            let asked = server.clone().oneshot(pay("k", "9"));
            tokio::time::timeout(SECOND / 10, asked).await.unwrap_err();
        }
        let reply = server.oneshot(pay("k", "9")).await.unwrap();
        assert_eq!(text(reply).await, "charge 1 of 9");
    })
    .await;
    assert_eq!(till.charged(), 1);
    assert_eq!(names, ["idempotency.handed_over", "idempotency.replayed"]);
}

#[tokio::test(start_paused = true)]
async fn work_whose_caller_left_keeps_its_scope() {
    let seen = Arc::new(Mutex::new(None));
    let sees = Arc::clone(&seen);
    let server = IdempotencyLayer::new().layer(service_fn(move |_: Request<_>| {
        let sees = Arc::clone(&sees);
        async move {
            sleep(SECOND).await;
            *sees.lock().unwrap() = Scope::current().key();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    }));
    let scope = Scope::current().with_key("order-17");
    let asked = scope.enter(server.oneshot(pay("k", "9")));
    tokio::time::timeout(SECOND / 10, asked).await.unwrap_err();
    sleep(SECOND).await;
    assert_eq!(*seen.lock().unwrap(), Some("order-17".into()));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_not_run_again_unless_asked_for() {
    for (runs_again, want) in [(false, (500, 1)), (true, (200, 2))] {
        let calls = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&calls);
        let handler = service_fn(move |_: Request<_>| {
            let n = counts.fetch_add(1, SeqCst);
            async move {
                sleep(SECOND).await;
                assert!(n > 0, "the first panics");
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        });
        let layer = IdempotencyLayer::new();
        let server = layer.keeps(move |reply| !(runs_again && reply.status == 500));
        let server = server.layer(handler);
        let first = tokio::spawn(server.clone().oneshot(pay("k", "9")));
        tokio::task::yield_now().await;
        // This one waits while the first panics.
        let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
        assert!(first.await.unwrap_err().is_panic());
        assert_eq!((reply.status().as_u16(), calls.load(SeqCst)), want);
        let reply = server.oneshot(pay("k", "9")).await.unwrap();
        assert_eq!((reply.status().as_u16(), calls.load(SeqCst)), want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_is_done_and_one_that_is_not_ready_is_not() {
    let server = IdempotencyLayer::new();
    let fails =
        service_fn(async |_: Request<_>| Err::<Response<Full<Bytes>>, _>(BoxError::from("no")));
    let failing = server.clone().layer(fails);
    failing.clone().oneshot(pay("k", "9")).await.unwrap_err();
    let reply = failing.oneshot(pay("k", "9")).await.unwrap();
    assert_eq!(reply.status(), 500);
    assert_eq!(reply.headers()["idempotent-replayed"], "true");

    let store = MemoryStore::new();
    let unready = IdempotencyLayer::with(store.clone()).layer(Unready);
    unready.oneshot(pay("k", "9")).await.unwrap_err();
    assert!(store.is_empty());
}

#[derive(Clone)]
struct Unready;

impl<Req> Service<Req> for Unready {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Self::Response, BoxError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Err("never".into()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        unreachable!("it is not ready")
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_not_done_is_not_kept() {
    for (status, runs) in [
        (200, 1),
        (400, 1),
        (500, 1),
        (502, 1),
        (408, 3),
        (425, 3),
        (429, 3),
        (503, 3),
    ] {
        let calls = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&calls);
        let server = IdempotencyLayer::new().layer(service_fn(move |_: Request<_>| {
            counts.fetch_add(1, SeqCst);
            let reply = Response::builder()
                .status(status)
                .body(Full::<Bytes>::default());
            async { Ok::<_, Infallible>(reply.unwrap()) }
        }));
        for _ in 0..3 {
            let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
            assert_eq!(reply.status(), status);
        }
        assert_eq!(calls.load(SeqCst), runs, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_its_lease_is_ended() {
    let till = Till::default();
    let server = IdempotencyLayer::new().lease(SECOND / 2).unwrap();
    let server = server.layer(till.serve());
    for _ in 0..2 {
        let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
        assert_eq!(reply.status(), 504);
    }
    sleep(SECOND * 5).await;
    assert_eq!(till.charged(), 0);
    assert!(IdempotencyLayer::new().lease(Duration::ZERO).is_err());
    assert!(IdempotencyLayer::new().lease(Duration::MAX).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_key_is_new_again_after_its_time() {
    let till = Till::default();
    let store = MemoryStore::new().ttl(SECOND * 60).unwrap();
    let server = IdempotencyLayer::with(store).layer(till.serve());
    for (wait, want) in [(0, 1), (59, 1), (2, 2), (0, 2)] {
        sleep(SECOND * wait).await;
        let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
        assert_eq!(text(reply).await, format!("charge {want} of 9"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_memory_is_bounded_and_refuses_what_it_cannot_hold() {
    let till = Till::default();
    let store = MemoryStore::new().keys(3).unwrap();
    let server = IdempotencyLayer::with(store.clone()).layer(till.serve());
    for n in 0..100 {
        server
            .clone()
            .oneshot(pay(&n.to_string(), "9"))
            .await
            .unwrap();
        assert!(store.len() <= 3);
    }
    let mut running = JoinSet::new();
    for n in 200..203 {
        running.spawn(server.clone().oneshot(pay(&n.to_string(), "9")));
    }
    tokio::task::yield_now().await;
    let (reply, names) = events(server.clone().oneshot(pay("one more", "9"))).await;
    assert_eq!(why(&reply.unwrap()), Some(Refused::BadKey));
    assert_eq!(names, ["idempotency.refused"]);
    let reply = server.clone().oneshot(pay("one-more", "9")).await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), why(&reply)),
        (503, Some(Refused::Full))
    );
    assert_eq!(reply.headers()["retry-after"], "1");
    running.join_all().await;
    let reply = server.oneshot(pay("one-more", "9")).await.unwrap();
    assert_eq!(reply.status(), 201);
    for (error, field) in [
        (MemoryStore::new().keys(0).unwrap_err(), "keys"),
        (MemoryStore::new().bytes(1).unwrap_err(), "bytes"),
        (MemoryStore::new().ttl(Duration::ZERO).unwrap_err(), "ttl"),
    ] {
        assert_eq!(error.field, field);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_read_up_to_a_bound() {
    let till = Till::default();
    let server = IdempotencyLayer::new()
        .longest_request(8)
        .layer(till.serve());
    let reply = server.clone().oneshot(pay("k", "123456789")).await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), why(&reply)),
        (413, Some(Refused::TooLarge))
    );
    let reply = server.clone().oneshot(pay("k", "12345678")).await.unwrap();
    assert_eq!(reply.status(), 201);
    // Without a key nobody reads it.
    let request = Request::post("/").body(Full::from("123456789")).unwrap();
    assert_eq!(server.oneshot(request).await.unwrap().status(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_long_is_given_once_and_whole() {
    let calls = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&calls);
    let server =
        IdempotencyLayer::new()
            .longest_reply(8)
            .layer(service_fn(move |_: Request<_>| {
                counts.fetch_add(1, SeqCst);
                let frames = ["12345", "678", "9", "0"]
                    .map(|part| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(part))));
                let frames = self::frames(frames);
                async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames))) }
            }));
    let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "1234567890");
    let reply = server.oneshot(pay("k", "9")).await.unwrap();
    assert_eq!(reply.status(), 409);
    assert_eq!(reply.extensions().get(), Some(&Refused::NotKept));
    assert!(!reply.headers().contains_key("retry-after"));
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn trailers_are_kept_too() {
    let server = IdempotencyLayer::new().layer(service_fn(async |_: Request<_>| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [
            http_body::Frame::data(Bytes::from("reply")),
            http_body::Frame::trailers(trailers),
        ];
        let frames = self::frames(frames.map(Ok::<_, Infallible>));
        Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
    }));
    for _ in 0..2 {
        let reply = server.clone().oneshot(pay("k", "9")).await.unwrap();
        let body = reply.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), "reply");
    }
}

/// A stream of what is there.
fn frames<T, const N: usize>(items: [T; N]) -> impl Stream<Item = T> {
    stream::iter(items)
}

#[cfg(feature = "grpc")]
#[tokio::test(start_paused = true)]
async fn a_grpc_request_is_refused_in_grpcs_words() {
    let till = Till::default();
    let server = IdempotencyLayer::new()
        .required()
        .patience(SECOND / 4)
        .layer(till.serve());
    let ask = |key: Option<&str>, body| {
        let mut request = Request::post("/pay").header("content-type", "application/grpc+proto");
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        request.body(Full::<Bytes>::from(body)).unwrap()
    };
    let runs = tokio::spawn(server.clone().oneshot(ask(Some("k"), "9")));
    tokio::task::yield_now().await;
    for (request, want) in [
        (ask(None, "9"), "3"),
        (ask(Some("k"), "8"), "9"),
        (ask(Some("k"), "9"), "10"),
    ] {
        let reply = server.clone().oneshot(request).await.unwrap();
        assert_eq!(
            (reply.status(), &reply.headers()["grpc-status"]),
            (StatusCode::OK, &want.parse().unwrap())
        );
        let pushback = reply.headers().get("grpc-retry-pushback-ms");
        assert_eq!(pushback.is_some(), want == "10");
    }
    runs.await.unwrap().unwrap();
}

/// A store that is down.
#[derive(Clone)]
struct Down;

impl Store for Down {
    async fn begin(&self, _: &Arc<str>, _: Fingerprint, _: Duration) -> Result<Begun, StoreError> {
        Err(StoreError::new("down"))
    }
    async fn finish(&self, _: &Ticket, _: Outcome) -> Result<bool, StoreError> {
        Err(StoreError::new("down"))
    }
    async fn release(&self, _: &Ticket) -> Result<bool, StoreError> {
        Err(StoreError::new("down"))
    }
    async fn watch(&self, _: &Ticket) {}
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_checked_is_not_done() {
    let till = Till::default();
    let server = IdempotencyLayer::with(Down).layer(till.serve());
    let (reply, names) = events(server.oneshot(pay("k", "9"))).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status().as_u16(), why(&reply)),
        (503, Some(Refused::NoStore))
    );
    assert!(reply.headers().contains_key("retry-after"));
    assert_eq!(names, ["idempotency.store_failed", "idempotency.refused"]);
    assert_eq!(till.charged(), 0);
}

// ---- the client ----

/// The keys that a service was called with.
type Keys = Arc<Mutex<Vec<Option<String>>>>;

fn heard(
    keys: &Keys,
    fails: bool,
) -> impl Service<Asks, Response = (), Error = BoxError, Future: Send> + Clone + use<> {
    let keys = Arc::clone(keys);
    service_fn(move |request: Asks| {
        let key = request
            .headers()
            .get(KEY)
            .map(|key| key.to_str().unwrap().to_owned());
        keys.lock().unwrap().push(key);
        std::future::ready(if fails {
            Err(BoxError::from("lost"))
        } else {
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn all_attempts_of_a_call_have_one_key_and_two_calls_have_two() {
    let keys = Keys::default();
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(RetryLayer::new().pace(Backoff::none()))
        .service(heard(&keys, true));
    for _ in 0..2 {
        let request = Request::post("/").body(Full::default()).unwrap();
        client.clone().oneshot(request).await.unwrap_err();
    }
    let keys = keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 6);
    assert!(keys[0].is_some() && keys[..3].iter().all(|key| *key == keys[0]));
    assert!(keys[3] != keys[0] && keys[3..].iter().all(|key| *key == keys[3]));
}

#[tokio::test(start_paused = true)]
async fn who_has_a_key_or_needs_none_gets_none() {
    let layer = || IdempotencyKeyLayer::new().seed(Seed::new(7));
    let uuid = |key: &str| key.len() == 36 && key.as_bytes()[14] == b'4';
    for (name, layer, method, own, want) in [
        ("POST", layer(), "POST", None, true),
        ("PATCH", layer(), "PATCH", None, true),
        ("GET", layer(), "GET", None, false),
        ("PUT", layer(), "PUT", None, false),
        ("every method", layer().every_method(), "GET", None, true),
        ("its own", layer(), "POST", Some("mine"), false),
    ] {
        let keys = Keys::default();
        let mut request = Request::builder().method(method).uri("/");
        if let Some(own) = own {
            request = request.header(KEY, own);
        }
        let request = request.body(Full::default()).unwrap();
        layer
            .layer(heard(&keys, false))
            .oneshot(request)
            .await
            .unwrap();
        let key = keys.lock().unwrap().pop().unwrap();
        assert_eq!(key.as_deref().is_some_and(uuid), want, "{name}");
        assert!(want || key.as_deref() == own, "{name}");
    }
    let keys = Keys::default();
    let request = Request::post("/").body(Full::default()).unwrap();
    let quoted = layer().quoted().layer(heard(&keys, false));
    quoted.oneshot(request).await.unwrap();
    let key = keys.lock().unwrap().pop().unwrap().unwrap();
    assert!(key.starts_with('"') && key.ends_with('"') && uuid(key.trim_matches('"')));
}

#[tokio::test(start_paused = true)]
async fn a_closure_puts_the_key_wherever_it_belongs() {
    let write = |request: &mut (u32, Option<IdempotencyKey>), key| request.1 = Some(key);
    let layer = IdempotencyKeyLayer::with(write).seed(Seed::new(1));
    let seen = service_fn(async |(_, key): (u32, Option<IdempotencyKey>)| Ok::<_, BoxError>(key));
    let key = layer.layer(seen).oneshot((17, None)).await.unwrap();
    let again = layer
        .seed(Seed::new(1))
        .layer(seen)
        .oneshot((17, None))
        .await
        .unwrap();
    assert!(key.is_some());
    assert_eq!(key, again, "one seed, one key");
}

#[test]
fn a_key_beneath_a_retry_is_refused() {
    let wrong = Stack::new()
        .layer(RetryLayer::new())
        .layer(IdempotencyKeyLayer::new());
    assert!(wrong.build().unwrap_err().breaks(Rule::OneKey));
}

//! What of gRPC is sent again, and what may have been done already.
#![cfg(feature = "grpc")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use common::BoxError;
use http::{Request, Response};
use http_body_util::Full;
use murphy_policy::breaker::State;
use murphy_policy::grpc::{Code, GrpcClassify};
use murphy_policy::hedge::Idempotent;
use murphy_policy::http::HttpClassify;
use murphy_policy::{
    Backoff, BreakerLayer, Budget, HedgeLayer, IdempotencyKeyLayer, IdempotencyLayer, RetryLayer,
    Stack, TimeoutLayer,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn ask(path: &str, key: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("content-type", "application/grpc");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Full::default()).unwrap()
}

/// What a peer does with each request.
#[derive(Clone, Copy)]
enum Peer {
    /// Takes four seconds: longer than an attempt may.
    Slow,
    /// Its connection is lost.
    Lost,
    /// Says this code and, if it wants the call again, when.
    Says(&'static str, Option<&'static str>),
}

/// How often a peer gets one call through the stack.
async fn sent(classify: GrpcClassify, peer: Peer, path: &str, key: Option<&str>) -> u32 {
    let count = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&count);
    let peer = service_fn(move |_: Request<_>| {
        counts.fetch_add(1, SeqCst);
        async move {
            let mut reply = Response::builder();
            match peer {
                Peer::Slow => sleep(SECOND * 4).await,
                Peer::Lost => return Err(BoxError::from("lost")),
                Peer::Says(code, pushback) => {
                    reply = reply.header("grpc-status", code);
                    if let Some(millis) = pushback {
                        reply = reply.header("grpc-retry-pushback-ms", millis);
                    }
                }
            }
            Ok(reply.body(Full::<Bytes>::default()).unwrap())
        }
    });
    let client = Stack::grpc_judged_by(classify).service(peer);
    let _ = client.oneshot(ask(path, key)).await;
    count.load(SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_done_is_sent_once() {
    let unknown = GrpcClassify::new;
    let named = || GrpcClassify::new().idempotent(|path| path == "/shop/Look");
    let all = || GrpcClassify::new().every_method();
    for (name, peer, code) in [
        ("timed out here", Peer::Slow, None),
        ("lost", Peer::Lost, None),
        (
            "unavailable",
            Peer::Says("14", None),
            Some(Code::UNAVAILABLE),
        ),
        ("aborted", Peer::Says("10", None), Some(Code::ABORTED)),
    ] {
        let with = |classify: GrpcClassify| match code {
            Some(code) => classify.retrying([code]),
            None => classify,
        };
        let pay = "/shop/Charge";
        assert_eq!(sent(with(unknown()), peer, pay, None).await, 1, "{name}");
        assert_eq!(sent(with(named()), peer, pay, None).await, 1, "{name}");
        assert_eq!(
            sent(with(named()), peer, "/shop/Look", None).await,
            3,
            "{name}"
        );
        assert_eq!(sent(with(all()), peer, pay, None).await, 3, "{name}");
        assert_eq!(
            sent(with(unknown()), peer, pay, Some("k")).await,
            3,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_when_wants_the_call_again_whatever_it_is() {
    for (code, pushback, want) in [
        ("14", Some("5"), 3),
        ("8", Some("5"), 3),
        ("10", Some("5"), 3),
        // No code of those that say that nothing was done.
        ("13", Some("5"), 1),
        ("4", Some("5"), 1),
        ("9", Some("5"), 1),
        ("14", Some("-1"), 1),
        ("8", None, 1),
    ] {
        let peer = Peer::Says(code, pushback);
        let sent = sent(GrpcClassify::new(), peer, "/shop/Charge", None).await;
        assert_eq!(sent, want, "{code}, {pushback:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_stack_charges_once_where_the_charge_outlives_its_attempt() {
    let charges = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&charges);
    let peer = service_fn(move |_: Request<_>| {
        let counts = Arc::clone(&counts);
        async move {
            // It goes on when the caller has left.
            let work = tokio::spawn(async move {
                sleep(SECOND * 4).await;
                counts.fetch_add(1, SeqCst);
            });
            work.await?;
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        }
    });
    let client = Stack::grpc().service(peer);
    client.oneshot(ask("/shop/Charge", None)).await.unwrap_err();
    sleep(SECOND * 60).await;
    assert_eq!(charges.load(SeqCst), 1);
}

/// The server does not wait as long as its handler takes: repeats are told to come again, and do.
#[tokio::test(start_paused = true)]
async fn a_repeat_over_grpc_that_is_told_to_come_again_does() {
    let runs = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&runs);
    let handler = service_fn(move |_: Request<_>| {
        counts.fetch_add(1, SeqCst);
        async move {
            sleep(MS * 400).await;
            let done = Response::builder().header("grpc-status", "0");
            Ok::<_, BoxError>(done.body(Full::<Bytes>::default()).unwrap())
        }
    });
    let server = IdempotencyLayer::new()
        .patience(MS * 20)
        .ask_again_after(MS * 30)
        .layer(handler);
    let retry = RetryLayer::new()
        .attempts(100)
        .unwrap()
        .budget(Budget::unlimited())
        .classify(GrpcClassify::new())
        .pace(Backoff::none());
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(retry)
        .layer(TimeoutLayer::new(MS * 200))
        .service(server.clone());
    let charge = || {
        let request = Request::post("/shop/Charge").header("content-type", "application/grpc");
        request.body(Full::<Bytes>::default()).unwrap()
    };
    let reply = client.oneshot(charge()).await.unwrap();
    assert_eq!(reply.headers()["grpc-status"], "0");
    assert_eq!(reply.headers()["idempotent-replayed"], "true");
    assert_eq!(runs.load(SeqCst), 1);

    // A hedge that meets its own first does not end it.
    let hedge = HedgeLayer::new(MS * 50, Idempotent).classify(GrpcClassify::new());
    let client = ServiceBuilder::new()
        .layer(IdempotencyKeyLayer::new())
        .layer(hedge)
        .service(server);
    let began = Instant::now();
    let reply = client.oneshot(charge()).await.unwrap();
    assert_eq!(reply.headers()["grpc-status"], "0");
    assert_eq!((began.elapsed(), runs.load(SeqCst)), (MS * 400, 2));
}

/// Who says that an earlier request is still being served, serves it.
#[tokio::test(start_paused = true)]
async fn a_peer_that_is_still_at_it_opens_no_breaker() {
    let aborted = service_fn(async |_: Request<()>| {
        let reply = Response::builder().header("grpc-status", "10");
        let reply = reply.header("grpc-retry-pushback-ms", "5");
        Ok::<_, BoxError>(reply.body(()).unwrap())
    });
    let conflict = service_fn(async |_: Request<()>| {
        let reply = Response::builder().status(409).header("retry-after", "1");
        Ok::<_, BoxError>(reply.body(()).unwrap())
    });
    let grpc = BreakerLayer::new().classify(GrpcClassify::new());
    let grpc = grpc.layer(aborted);
    let http = BreakerLayer::new().classify(HttpClassify::new());
    let http = http.layer(conflict);
    for _ in 0..10 {
        let keyed = || Request::post("/").header("idempotency-key", "k");
        let call = grpc.clone().oneshot(keyed().body(()).unwrap());
        call.await.unwrap();
        let call = http.clone().oneshot(keyed().body(()).unwrap());
        call.await.unwrap();
    }
    assert_eq!(grpc.handle().state(), State::Closed);
    assert_eq!(http.handle().state(), State::Closed);
}

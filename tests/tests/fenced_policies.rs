//! Leases that end beneath policies: they say nothing of the peer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::response::IntoResponse;
use axum::routing;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use murphy_lease::fence::{
    FENCING_OP_LAST, FenceGuardLayer, FencedError, FencedLayer, FencingOp, NothingDone,
};
use murphy_lease::{Lease, Locks, MemoryStore, Renewal, Ttl};
use murphy_policy::http::HttpClassify;
use murphy_policy::{
    Backoff, BoxError, BreakerLayer, Budget, DeadlineLayer, Open, RetryError, RetryLayer, Stack,
    TimeoutLayer, find,
};
use tests::ms;
use tokio::time::{Instant, sleep};
use tower::util::MapErrLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Takes 200 ms, is always well, and counts.
fn healthy<B: Send + 'static>(
    asked: &Arc<AtomicU32>,
) -> impl Service<
    Request<B>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + use<B>,
> + Clone
+ use<B> {
    let asked = Arc::clone(asked);
    service_fn(move |_: Request<B>| {
        asked.fetch_add(1, Ordering::SeqCst);
        async {
            sleep(ms(200)).await;
            Ok(Response::new(Full::default()))
        }
    })
}

fn put() -> Request<Full<Bytes>> {
    Request::put("/a").body(Full::default()).unwrap()
}

async fn ends_in(time: std::time::Duration, locks: &Locks<MemoryStore>) -> Lease {
    let ttl = Ttl::try_new(time).unwrap();
    let acquiring = locks.acquire("a").ttl(ttl).renewing(Renewal::Never);
    acquiring.await.unwrap()
}

fn is_lost(error: &BoxError) -> bool {
    let fenced = find::<FencedError<Infallible>>(&**error);
    matches!(fenced, Some(FencedError::Lost(_)))
}

#[tokio::test(start_paused = true)]
async fn leases_that_end_in_mid_call_open_no_breaker_and_repeat_nothing() {
    let (stack, locks) = (Stack::http(), Locks::new(MemoryStore::new()));
    let asked = Arc::default();
    for n in 1..=20 {
        let lease = ends_in(ms(100), &locks).await;
        let client = FencedLayer::new(lease.held()).layer(healthy(&asked));
        let error = stack.service(client).oneshot(put()).await.unwrap_err();
        assert!(find::<Open>(&*error).is_none(), "{n}: {error}");
        assert!(is_lost(&error), "{n}: {error}");
        assert_eq!(asked.load(Ordering::SeqCst), n, "no attempt is repeated");
    }
    let lease = locks.acquire("a").await.unwrap();
    let client = FencedLayer::new(lease.held()).layer(healthy(&asked));
    let reply = stack.service(client).oneshot(put()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_lease_with_too_little_left_is_asked_again_costs_nothing_and_opens_no_breaker() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let breaker = BreakerLayer::new().classify(HttpClassify::new());
    let stack = Stack::new()
        .layer(DeadlineLayer::new(ms(10_000)))
        .layer(
            RetryLayer::new()
                .classify(HttpClassify::new())
                .budget(budget.clone()),
        )
        .layer(breaker.consecutive(1).unwrap())
        .layer(TimeoutLayer::new(ms(1000)))
        .build()
        .unwrap();
    let locks = Locks::new(MemoryStore::new());
    let lease = locks.acquire("a").ttl(Ttl::from_secs(1)).await.unwrap();
    let asked = Arc::default();
    let short = FencedLayer::new(lease.held()).at_least(ms(2000));
    let client = short.layer(healthy(&asked));
    for _ in 0..3 {
        let error = stack
            .service(client.clone())
            .oneshot(put())
            .await
            .unwrap_err();
        let gave_up = find::<RetryError>(&*error);
        assert!(
            matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
            "{error}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(budget.balance(), 1);
}

/// Directly beneath the retry, boxed, as the docs of the layer say.
#[tokio::test(start_paused = true)]
async fn in_a_stack_of_its_own_a_lost_lease_ends_the_call_at_once() {
    let locks = Locks::new(MemoryStore::new());
    let lease = ends_in(ms(100), &locks).await;
    let asked = Arc::default();
    let breaker = BreakerLayer::new()
        .consecutive(1)
        .unwrap()
        .classify(HttpClassify::new());
    let stack = Stack::new()
        .layer(DeadlineLayer::new(ms(60_000)))
        .layer(
            RetryLayer::new()
                .classify(HttpClassify::new())
                .pace(Backoff::constant(ms(10_000))),
        )
        .other("boxed", MapErrLayer::new(Into::<BoxError>::into))
        .other("Fenced", FencedLayer::new(lease.held()))
        .layer(breaker)
        .layer(TimeoutLayer::new(ms(1000)))
        .build()
        .unwrap();
    let service = stack.service(healthy(&asked));
    let began = Instant::now();
    for _ in 0..3 {
        let mut request = put();
        request.extensions_mut().insert(FencingOp(7));
        let error = service.clone().oneshot(request).await.unwrap_err();
        let fenced = find::<FencedError<BoxError>>(&*error);
        assert!(matches!(fenced, Some(FencedError::Lost(_))), "{error}");
        assert!(find::<RetryError>(&*error).is_none(), "{error}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the others were not sent");
    assert!(began.elapsed() < ms(10_000), "nobody waited for another");
}

/// Answers 503 once, and then writes. Whether it says that it had done nothing is the question.
fn busy_once(says: bool, written: &Arc<AtomicU32>) -> Router {
    let (calls, written) = (Arc::new(AtomicU32::new(0)), Arc::clone(written));
    let handler = async move || {
        if calls.fetch_add(1, Ordering::SeqCst) > 0 {
            written.fetch_add(1, Ordering::SeqCst);
            return StatusCode::OK.into_response();
        }
        match says {
            true => (StatusCode::SERVICE_UNAVAILABLE, Extension(NothingDone)).into_response(),
            false => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    };
    let guard = FenceGuardLayer::serialize(|request| request.uri.path().to_owned());
    Router::new()
        .route("/a", routing::put(handler))
        .route_layer(guard)
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_was_turned_away_before_its_work_is_done_once_by_a_retry() {
    for (says, want) in [(true, (200, 1)), (false, (409, 0))] {
        let written = Arc::default();
        let server = busy_once(says, &written);
        let client = server.map_request(|request: Request<_>| request.map(Body::new));
        let lease = Locks::new(MemoryStore::new()).acquire("a").await.unwrap();
        let fenced = FencedLayer::new(lease.held()).layer(client);
        let mut request = put();
        request.extensions_mut().insert(FencingOp(7));
        let reply = Stack::http()
            .service(fenced)
            .oneshot(request)
            .await
            .unwrap();
        let seen = (reply.status().as_u16(), written.load(Ordering::SeqCst));
        assert_eq!(seen, want);
        // Equal to its own: begun, and nothing is known of what became of it.
        let last = reply.headers().get(FENCING_OP_LAST);
        assert_eq!(last.is_some_and(|last| last == "7"), !says);
    }
}

//! A throttle, as its callers and its peer see it.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use common::{BoxError, events, is_send, probe, ready_for};
use murphy_core::Scope;
use murphy_policy::{Attempt, ThrottleError, ThrottleLayer, Throttled, Verdict, find};
use tokio::time::{advance, timeout};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// What a peer that accepts 30 a second gets of 100 a second, and accepts, in the last 2 minutes.
async fn steady_state(k: f64) -> (f64, f64) {
    let tick = Duration::from_millis(10);
    let room = AtomicU32::new(0);
    let (sent, accepted) = (AtomicU32::new(0), AtomicU32::new(0));
    let peer = service_fn(|()| {
        sent.fetch_add(1, SeqCst);
        let accepts = room.load(SeqCst) > 0;
        if accepts {
            room.fetch_sub(1, SeqCst);
            accepted.fetch_add(1, SeqCst);
        }
        std::future::ready(if accepts { Ok(()) } else { Err("no room") })
    });
    let layer = ThrottleLayer::new().k(k).unwrap().seed(1);
    let service = layer.layer(peer);
    for call in 0..72_000 {
        if call == 60_000 {
            sent.store(0, SeqCst);
            accepted.store(0, SeqCst);
        }
        advance(tick).await;
        if call % 100 == 0 {
            room.store(30, SeqCst);
        }
        let _ = service.clone().oneshot(()).await;
    }
    let rate = |n: AtomicU32| f64::from(n.into_inner()) / 120.0;
    drop(service);
    (rate(sent), rate(accepted))
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_peer_gets_k_calls_for_each_that_it_accepts() {
    for (k, want) in [(1.1, 32.2), (1.5, 45.5), (2.0, 59.8)] {
        let (sent, accepted) = steady_state(k).await;
        assert!(
            (sent / want - 1.0).abs() < 0.04,
            "K = {k}: {sent}/s, not {want}/s"
        );
        assert!(accepted > 28.0, "K = {k}: {accepted}/s");
    }
}

/// A peer that accepts as long as it is asked to.
fn peer(accepts: bool) -> impl Service<(), Response = (), Error = BoxError> + Clone {
    service_fn(move |()| {
        std::future::ready(if accepts {
            Ok(())
        } else {
            Err("no room".into())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_healthy_peer_gets_everything() {
    let service = ThrottleLayer::new().layer(peer(true));
    for _ in 0..1000 {
        service.clone().oneshot(()).await.unwrap();
    }
    assert_eq!(service.chance(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_rejected_before_ten_calls() {
    let service = ThrottleLayer::new().layer(peer(false));
    for _ in 0..10 {
        assert_eq!(service.chance(), 0.0);
        let error = service.clone().oneshot(()).await.unwrap_err();
        assert!(find::<Throttled>(&*error).is_none());
    }
    assert!((service.chance() - 10.0 / 11.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn requests_count_when_they_are_made() {
    let service = ThrottleLayer::new().layer(service_fn(|()| {
        std::future::pending::<Result<(), BoxError>>()
    }));
    let mut under_way = Vec::new();
    for _ in 0..10 {
        under_way.push(tokio::spawn(service.clone().oneshot(())));
    }
    tokio::task::yield_now().await;
    assert!(service.chance() > 0.9);
    under_way.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn the_window_forgets_at_once_after_any_time() {
    let service = ThrottleLayer::new().layer(peer(false));
    for _ in 0..50 {
        let _ = service.clone().oneshot(()).await;
    }
    assert!(service.chance() > 0.9);
    advance(SECOND * 119).await;
    assert!(service.chance() > 0.9);
    advance(SECOND).await;
    assert_eq!(service.chance(), 0.0);
    let _ = service.clone().oneshot(()).await;
    advance(SECOND * 86_400 * 365).await;
    assert_eq!(service.chance(), 0.0);
}

/// Which of 40 calls get through at a chance of about a half, each with its key if asked to.
async fn through(seed: u64, keys: impl Fn(u64) -> Option<u64>) -> Vec<bool> {
    let peer = service_fn(|accepts: bool| {
        std::future::ready(if accepts { Ok(()) } else { Err("no room") })
    });
    let layer = ThrottleLayer::new().k(1.0).unwrap().floor(2000).seed(seed);
    let service = layer.layer(peer);
    for n in 0..2000 {
        let _ = service.clone().oneshot(n % 2 == 0).await;
    }
    let mut through = Vec::new();
    for n in 0..40 {
        let scope = keys(n).map_or_else(Scope::current, |key| Scope::current().with_key(key));
        let error = scope
            .enter(service.clone().oneshot(false))
            .await
            .unwrap_err();
        through.push(find::<Throttled>(&*error).is_none());
    }
    through
}

#[tokio::test(start_paused = true)]
async fn draws_are_a_function_of_seed_and_key() {
    let none = |_| None;
    assert_eq!(through(5, none).await, through(5, none).await);
    assert_ne!(through(5, none).await, through(6, none).await);
    assert_ne!(through(5, none).await, through(5, Some).await);
    // One key is one draw: the chance barely moves within forty calls.
    let same = through(5, |_| Some(17)).await;
    assert!(same.iter().all(|one| *one == same[0]));
    let mixed = through(5, none).await;
    assert!((10..30).contains(&mixed.iter().filter(|one| **one).count()));
}

#[tokio::test(start_paused = true)]
async fn the_rejection_says_how_likely_it_was() {
    let (error, heard) = events(async {
        let service = ThrottleLayer::new().named("api->db").layer(peer(false));
        loop {
            let error = service.clone().oneshot(()).await.unwrap_err();
            if let Some(throttled) = find::<Throttled>(&*error) {
                return throttled.clone();
            }
        }
    })
    .await;
    assert_eq!(
        (error.site(), heard.as_slice()),
        ("api->db", &["throttle.rejected"][..])
    );
    assert!(error.chance() > 0.9);
    let text = Throttled::new("api->db", 0.5).to_string();
    assert_eq!(
        text,
        "`api->db` rejects 50.0% of calls, since its peer does"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_accepted_is_the_classifiers_word() {
    let service = ThrottleLayer::new()
        .classify(|_: &Attempt, _: Result<&(), &BoxError>| Verdict::Terminal)
        .layer(peer(false));
    for _ in 0..100 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert_eq!(service.chance(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_holds_no_permit_and_is_not_made() {
    let peer = probe(|_| std::future::ready(Err::<(), BoxError>("no room".into())));
    let limited = ServiceBuilder::new()
        .layer(ThrottleLayer::new().seed(1))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(peer.clone());
    let mut service = limited.clone();
    let mut sent = 0;
    for _ in 0..100 {
        let error = timeout(SECOND, ready_for(&mut service))
            .await
            .unwrap()
            .call(())
            .await
            .unwrap_err();
        if find::<Throttled>(&*error).is_none() {
            sent += 1;
            continue;
        }
        let mut other = limited.clone();
        timeout(SECOND, ready_for(&mut other))
            .await
            .expect("a free permit");
    }
    assert!(sent < 50);
    assert_eq!(peer.calls(), sent);
}

#[tokio::test(start_paused = true)]
async fn typed_errors_ask_nothing_of_the_inner_one() {
    #[derive(Debug, PartialEq)]
    struct NoError;
    let inner = service_fn(|()| std::future::ready(Err::<(), _>(NoError)));
    let service = ThrottleLayer::new().seed(1).typed().layer(inner);
    let mut errors = Vec::new();
    for _ in 0..30 {
        errors.push(service.clone().oneshot(()).await.unwrap_err());
    }
    assert_eq!(errors[0], ThrottleError::Inner(NoError));
    assert!(
        errors
            .iter()
            .any(|e| matches!(e, ThrottleError::Throttled(Throttled { .. })))
    );
}

#[test]
fn knobs_that_cannot_be_are_named() {
    for (bad, field) in [
        (ThrottleLayer::new().k(0.5), "throttle.k"),
        (ThrottleLayer::new().k(f64::NAN), "throttle.k"),
        (ThrottleLayer::new().over(Duration::ZERO), "throttle.over"),
    ] {
        assert_eq!(bad.unwrap_err().field, field);
    }
}

#[tokio::test(start_paused = true)]
async fn its_future_moves_between_threads() {
    let inner = probe(|_| std::future::ready(Ok::<_, BoxError>(())));
    let mut service = is_send(ThrottleLayer::new().layer(inner));
    is_send(ready_for(&mut service).await.call(()))
        .await
        .unwrap();
}

//! What the caller's own side ended, or withheld, says nothing of the peer.

mod common;

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{BoxError, probe};
use murphy_core::OwnSide;
use murphy_policy::breaker::State;
use murphy_policy::concurrency::Aimd;
use murphy_policy::{
    AnyError, Attempt, Backoff, BreakerLayer, Budget, Classify, ConcurrencyLayer, HedgeLayer,
    IoClassify, Kind, RetryError, RetryLayer, ThrottleLayer, Verdict, find,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// As a layer says it that knows its own reason.
#[derive(Debug, thiserror::Error)]
#[error("logged out")]
struct LoggedOut(#[source] OwnSide);

fn ended() -> BoxError {
    LoggedOut(OwnSide::Ended).into()
}

fn withheld() -> BoxError {
    LoggedOut(OwnSide::Withheld).into()
}

/// Ten extra attempts.
fn retry<C>(classify: C, budget: &Budget) -> RetryLayer<C> {
    RetryLayer::new()
        .classify(classify)
        .pace(Backoff::constant(SECOND / 100))
        .budget(budget.clone())
}

async fn ended_once<C>(name: &str, classify: C)
where
    C: Classify<(), (), BoxError> + Clone,
{
    let budget = Budget::try_new(0.0, 10).unwrap();
    let peer = probe(|_| ready(Err::<(), _>(ended())));
    let service = retry(classify.clone(), &budget).layer(peer.clone());
    let error = service.oneshot(()).await.unwrap_err();
    assert!(error.is::<LoggedOut>(), "{name}: {error}");
    assert_eq!(peer.calls(), 1, "{name}");
    assert_eq!(budget.balance(), 10, "{name}");

    let breaker = BreakerLayer::new().classify(classify.clone());
    let service = breaker.layer(peer.clone());
    for _ in 0..20 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert_eq!(service.handle().state(), State::Closed, "{name}");

    let throttle = ThrottleLayer::new().seed(1).classify(classify.clone());
    let service = throttle.layer(peer.clone());
    for _ in 0..100 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert_eq!(service.chance(), 0.0, "{name}");
}

#[tokio::test(start_paused = true)]
async fn what_ended_here_is_neither_repeated_nor_counted() {
    ended_once("any error", AnyError).await;
    ended_once("errors", IoClassify).await;
    let own = |_: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(_) => Verdict::Failed(Kind::Server),
    };
    ended_once("a closure that looks no further", own).await;
}

#[tokio::test(start_paused = true)]
async fn what_ended_here_moves_no_limit() {
    let peer = probe(|_| ready(Err::<(), _>(ended())));
    let limit = ConcurrencyLayer::new(Aimd::new()).classify(IoClassify);
    let service = limit.layer(peer);
    let before = service.limit();
    for _ in 0..100 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert_eq!(service.limit(), before);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_ended_here_decides_nothing() {
    let breaker = BreakerLayer::new()
        .consecutive(1)
        .unwrap()
        .open_for(SECOND)
        .jitter(0.0)
        .unwrap();
    let peer = service_fn(async |request| match request {
        "fails" => Err(BoxError::from("broken")),
        "ends" => Err(ended()),
        well => Ok(well),
    });
    let service = breaker.layer(peer);
    service.clone().oneshot("fails").await.unwrap_err();
    sleep(SECOND).await;
    service.clone().oneshot("ends").await.unwrap_err();
    assert_eq!(
        service.handle().state(),
        State::Probation,
        "it never answered"
    );
    service.clone().oneshot("is well").await.unwrap();
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn failures_stay_in_a_row_around_what_ended_here() {
    let breaker = BreakerLayer::new().consecutive(2).unwrap();
    let peer = probe(|n| ready(Err::<(), _>(if n == 2 { ended() } else { "broken".into() })));
    let service = breaker.layer(peer);
    for want in [State::Closed, State::Closed, State::Open] {
        service.clone().oneshot(()).await.unwrap_err();
        assert_eq!(service.handle().state(), want);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_withheld_here_is_tried_again_and_costs_nothing() {
    let broke = Budget::try_new(0.0, 0).unwrap();
    let peer = probe(|n| ready(if n < 3 { Err(withheld()) } else { Ok(n) }));
    let began = Instant::now();
    let service = retry(IoClassify, &broke).layer(peer.clone());
    assert_eq!(service.oneshot(()).await.unwrap(), 3);
    assert_eq!(began.elapsed(), SECOND / 50, "never at once");

    let always = probe(|_| ready(Err::<(), _>(withheld())));
    let service = retry(AnyError, &broke).layer(always.clone());
    let error = service.oneshot(()).await.unwrap_err();
    let gave_up = find::<RetryError>(&*error);
    assert!(
        matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
        "{error}"
    );
    let breaker = BreakerLayer::new().consecutive(1).unwrap().layer(always);
    breaker.clone().oneshot(()).await.unwrap_err();
    assert_eq!(breaker.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_ends_with_what_ended_here() {
    let peer = probe(|n| async move {
        sleep(SECOND).await;
        Err::<(), _>(if n == 1 { ended() } else { "broken".into() })
    });
    let hedge = HedgeLayer::new(SECOND / 2, |_: &()| true).layer(peer.clone());
    let began = Instant::now();
    let error = hedge.oneshot(()).await.unwrap_err();
    assert!(find::<LoggedOut>(&*error).is_some(), "{error}");
    assert_eq!((began.elapsed(), peer.calls()), (SECOND, 2));
}

#[cfg(feature = "http")]
#[tokio::test(start_paused = true)]
async fn whatever_the_method_what_ended_here_is_over_and_what_was_withheld_is_not() {
    use murphy_policy::http::HttpClassify;
    for (error, want) in [(ended as fn() -> BoxError, 1), (withheld, 3)] {
        for method in ["GET", "POST"] {
            let peer = probe(move |n| {
                let reply = || http::Response::new(());
                ready(if n < 3 { Err(error()) } else { Ok(reply()) })
            });
            let request = http::Request::builder().method(method).uri("/");
            let request = request.body(()).unwrap();
            let service = retry(HttpClassify::new(), &Budget::default()).layer(peer.clone());
            assert_eq!(
                service.oneshot(request).await.is_ok(),
                want == 3,
                "{method}"
            );
            assert_eq!(peer.calls(), want, "{method}");
        }
    }
}

#[cfg(feature = "grpc")]
#[test]
fn of_any_method_grpc_judges_it_the_same() {
    use murphy_policy::grpc::GrpcClassify;
    let request = http::Request::new(());
    for classify in [GrpcClassify::new(), GrpcClassify::new().every_method()] {
        let seen = Classify::<_, http::Response<()>, BoxError>::see(&classify, &request);
        let judged = |error: BoxError| {
            let outcome: Result<&http::Response<()>, _> = Err(&error);
            let attempt = Attempt::new(1, 3);
            Classify::<http::Request<()>, _, _>::classify(&classify, &seen, &attempt, outcome)
        };
        assert_eq!(judged(ended()), Verdict::Failed(Kind::Ended));
        assert_eq!(judged(withheld()), Verdict::Retry(Kind::Withheld));
    }
}

/// The second of two attempts is withheld, and there is no third copy of the request.
#[tokio::test(start_paused = true)]
async fn what_left_once_is_not_hidden_by_what_was_withheld_later() {
    let peer = probe(|n| {
        ready(Err::<(), _>(match n {
            1 => io::Error::from(io::ErrorKind::ConnectionReset).into(),
            _ => withheld(),
        }))
    });
    let copies = Arc::new(AtomicU32::new(0));
    let twice = move |(): &()| (copies.fetch_add(1, Ordering::Relaxed) < 2).then_some(());
    let retry = retry(IoClassify, &Budget::try_new(0.0, 10).unwrap()).replay(twice);
    let breaker = BreakerLayer::new().classify(IoClassify).consecutive(1);
    let service = breaker.unwrap().layer(retry.layer(peer.clone()));
    service.clone().oneshot(()).await.unwrap_err();
    assert_eq!(peer.calls(), 2);
    assert_eq!(service.handle().state(), State::Open, "the peer reset it");
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_ended_here_opens_no_breaker_later() {
    let peer = probe(|n| {
        ready(match n {
            1 => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            2 => Err(ended()),
            _ => Ok(()),
        })
    });
    let breaker = BreakerLayer::new().classify(IoClassify).consecutive(1);
    let service = breaker.unwrap().layer(peer);
    for _ in 0..2 {
        service.clone().oneshot(()).await.unwrap_err();
        sleep(SECOND * 10).await;
    }
    assert_eq!(service.handle().state(), State::Probation);
    sleep(SECOND * 61).await;
    service.clone().oneshot(()).await.unwrap();
}

//! What was refused here says nothing of the peer: it was not asked.

mod common;

use std::future::ready;
use std::time::Duration;

use common::{BoxError, events, probe};
use futures_util::future::join_all;
use murphy_policy::breaker::State;
use murphy_policy::bulkhead::Why;
use murphy_policy::concurrency::Aimd;
use murphy_policy::{
    AnyError, Attempt, Backoff, BreakerLayer, Budget, BulkheadError, BulkheadLayer, Classify,
    ConcurrencyLayer, IoClassify, Kind, Limited, Open, RetryError, RetryLayer, Shed, ThrottleLayer,
    Throttled, Verdict, find,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// A peer that takes a second, and never fails.
async fn slow_and_well(_: &'static str) -> Result<&'static str, BoxError> {
    sleep(SECOND).await;
    Ok("done")
}

fn one_place() -> BulkheadLayer {
    BulkheadLayer::new(1).unwrap().queue(0)
}

/// How many of six calls at once succeed.
async fn six_at_once<S>(service: &S) -> usize
where
    S: Service<&'static str> + Clone,
{
    let calls = (0..6).map(|_| service.clone().oneshot("charge"));
    let outcomes = join_all(calls).await;
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

async fn stays_closed<C>(name: &str, classify: C)
where
    C: Classify<&'static str, &'static str, BoxError> + Clone,
{
    let breaker = || BreakerLayer::new().classify(classify.clone());
    let shed = one_place().layer(service_fn(slow_and_well));
    let service = breaker().layer(shed);
    assert_eq!(six_at_once(&service).await, 1, "{name}");
    assert_eq!(service.handle().state(), State::Closed, "{name}, bulkhead");

    let limited = ConcurrencyLayer::new(Aimd::new().between(1, 1).unwrap());
    let service = breaker().layer(limited.layer(service_fn(slow_and_well)));
    assert_eq!(six_at_once(&service).await, 1, "{name}");
    assert_eq!(service.handle().state(), State::Closed, "{name}, limit");
}

#[tokio::test(start_paused = true)]
async fn our_own_shedding_opens_no_breaker() {
    stays_closed("any error", AnyError).await;
    stays_closed("errors", IoClassify).await;
    let own = |_: &Attempt, outcome: Result<&&str, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Failed(Kind::Server),
    };
    stays_closed("a closure that looks no further", own).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_was_shed_decides_nothing_and_its_place_is_free() {
    let breaker = BreakerLayer::new()
        .consecutive(1)
        .unwrap()
        .open_for(SECOND)
        .jitter(0.0)
        .unwrap();
    let peer = service_fn(async |request| match request {
        "fails" => Err(BoxError::from("broken")),
        slow => slow_and_well(slow).await,
    });
    let bulkhead = one_place().layer(peer);
    let service = breaker.layer(bulkhead.clone());
    service.clone().oneshot("fails").await.unwrap_err();
    sleep(SECOND).await;
    // Somebody else has the one place.
    let other = tokio::spawn(bulkhead.oneshot("slow"));
    tokio::task::yield_now().await;
    let shed = service.clone().oneshot("trial").await.unwrap_err();
    assert!(find::<Shed>(&*shed).is_some(), "{shed}");
    assert_eq!(service.handle().state(), State::Probation);
    other.await.unwrap().unwrap();
    service.clone().oneshot("trial").await.unwrap();
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn our_own_shedding_is_no_rejection_by_the_peer() {
    let throttle = || ThrottleLayer::new().seed(1);
    let service = throttle().layer(one_place().layer(service_fn(slow_and_well)));
    for _ in 0..10 {
        assert_eq!(six_at_once(&service).await, 1);
        assert_eq!(service.chance(), 0.0);
    }
    // Nor does it make up for those.
    let rejects = service_fn(async |_| Err::<&str, _>(BoxError::from("no room")));
    let service = throttle().layer(rejects);
    for _ in 0..10 {
        six_at_once(&service).await;
    }
    let alone = service.chance();
    let full = one_place().layer(service_fn(async |n: u32| {
        sleep(SECOND).await;
        Err::<(), _>(BoxError::from(format!("no room for {n}")))
    }));
    let service = throttle().layer(full);
    for n in 0..60 {
        join_all((0..4).map(|_| service.clone().oneshot(n))).await;
    }
    assert!(
        service.chance() > alone / 2.0,
        "{} of {alone}",
        service.chance()
    );
}

/// Three attempts, ten milliseconds apart, from a purse that holds `tokens`.
fn retry<C>(classify: C, budget: &Budget) -> RetryLayer<C> {
    RetryLayer::new()
        .classify(classify)
        .pace(Backoff::constant(SECOND / 100))
        .budget(budget.clone())
}

fn shed() -> BoxError {
    Shed::new("bulkhead", Why::Full { waiting: 0 }).into()
}

#[tokio::test(start_paused = true)]
async fn what_was_shed_is_repeated_after_a_wait_and_costs_nothing() {
    let broke = Budget::try_new(0.0, 0).unwrap();
    let service = probe(|n| ready(if n < 3 { Err(shed()) } else { Ok(n) }));
    let began = Instant::now();
    let call = retry(IoClassify, &broke).layer(service.clone()).oneshot(());
    assert_eq!(call.await.unwrap(), 3);
    assert_eq!(began.elapsed(), SECOND / 50);

    // One reset, one that was shed, one more: two extra attempts are sent, and one leaves.
    let one = Budget::try_new(0.0, 1).unwrap();
    let service = probe(|n| {
        ready(match n {
            1 => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
            2 => Err(shed()),
            n => Ok(n),
        })
    });
    let call = retry(IoClassify, &one).layer(service.clone()).oneshot(());
    assert_eq!(call.await.unwrap(), 3);
    assert_eq!(one.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_shed_empties_no_budget_of_failures() {
    let grpc = Budget::grpc(10, 0.1).unwrap();
    let before = grpc.balance();
    for _ in 0..100 {
        let always = probe(|_| ready(Err::<(), _>(shed())));
        let call = retry(AnyError, &grpc).layer(always).oneshot(());
        let error = call.await.unwrap_err();
        let gave_up = find::<RetryError>(&*error);
        assert!(
            matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
            "{error}"
        );
    }
    assert_eq!(grpc.balance(), before);
}

#[cfg(feature = "http")]
#[tokio::test(start_paused = true)]
async fn what_was_shed_may_be_repeated_whatever_it_was() {
    let post = || http::Request::post("/charge").body(()).unwrap();
    let reply = || http::Response::new(());
    let service = probe(move |n| ready(if n < 3 { Err(shed()) } else { Ok(reply()) }));
    let budget = Budget::default();
    let call = retry(murphy_policy::http::HttpClassify::new(), &budget)
        .layer(service.clone())
        .oneshot(post());
    call.await.unwrap();
    assert_eq!(service.calls(), 3);
}

#[test]
fn what_our_own_policies_refused_is_judged_as_not_asked() {
    let judged = |error: BoxError| {
        let outcome: Result<&(), _> = Err(&error);
        Classify::<(), _, _>::classify(&IoClassify, &(), &Attempt::new(1, 3), outcome)
    };
    let again = Verdict::Retry(Kind::Withheld);
    let over = Verdict::Failed(Kind::Withheld);
    let why = Why::Full { waiting: 3 };
    for (name, error, want) in [
        ("shed", BoxError::from(Shed::new("a", why)), again),
        ("limited", Limited::new("a", 1, why).into(), again),
        ("open", Open::new("a", Some(SECOND)).into(), over),
        ("throttled", Throttled::new("a", 0.5).into(), over),
    ] {
        assert_eq!(judged(error), want, "{name}");
    }
    // Of several attempts the last was refused; the others may have been heard.
    let attempts = |attempts| RetryError::Exhausted {
        last: shed(),
        attempts,
    };
    assert_eq!(judged(attempts(1).into()), again);
    assert_eq!(judged(attempts(2).into()), Verdict::Retry(Kind::Transient));
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let several = RetryError::<BoxError>::Exhausted {
        last: refused.into(),
        attempts: 2,
    };
    assert_eq!(judged(several.into()), Verdict::Retry(Kind::Transient));
}

#[tokio::test(start_paused = true)]
async fn a_typed_refusal_is_what_the_verdict_says_it_is() {
    let breaker = BreakerLayer::new().typed().classify(
        |_: &Attempt, outcome: Result<&&str, &BulkheadError<BoxError>>| match outcome {
            Ok(_) => Verdict::Success,
            Err(BulkheadError::Shed(_)) => Verdict::Failed(Kind::Withheld),
            Err(_) => Verdict::Retry(Kind::Transient),
        },
    );
    let service = breaker.layer(one_place().typed().layer(service_fn(slow_and_well)));
    assert_eq!(six_at_once(&service).await, 1);
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_left_is_not_forgotten_when_the_next_is_refused() {
    let service = probe(|n| {
        ready(Err::<(), BoxError>(match n {
            1 => "reset".into(),
            _ => Open::new("breaker", None).into(),
        }))
    });
    let budget = Budget::default();
    let call = retry(IoClassify, &budget)
        .layer(service.clone())
        .oneshot(());
    let (outcome, heard) = events(call).await;
    let error = outcome.unwrap_err();
    let gave_up = find::<RetryError>(&*error);
    assert!(
        matches!(gave_up, Some(RetryError::Exhausted { attempts: 2, .. })),
        "{error}"
    );
    assert_eq!(heard, ["retry.wait", "retry.attempt", "retry.exhausted"]);
}

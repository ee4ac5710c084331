//! The readiness contract, and the stacks that strangers build: they infer, and they move.

mod common;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use common::{BoxError, is_send, probe, ready_for};
use murphy_policy::{
    Attempt, Backoff, DeadlineLayer, Elapsed, Kind, RetryError, RetryLayer, TimeoutLayer, Verdict,
    find,
};
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimit;
use tower::{BoxError as TowerError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn retry() -> RetryLayer {
    RetryLayer::new().pace(Backoff::exponential(SECOND, SECOND))
}

#[tokio::test(start_paused = true)]
async fn every_attempt_of_every_layer_is_made_by_an_instance_that_was_readied() {
    let flaky = |n: u32| {
        ready(if n % 3 == 0 {
            Ok(n)
        } else {
            Err::<_, BoxError>("no".into())
        })
    };
    let service = probe(flaky);
    assert_eq!(retry().layer(service.clone()).oneshot(()).await.unwrap(), 3);
    let mut stack = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 60))
        .layer(retry())
        .layer(TimeoutLayer::new(SECOND))
        .service(service.clone());
    // One instance, several calls, readied for each.
    for want in [6, 9] {
        assert_eq!(ready_for(&mut stack).await.call(()).await.unwrap(), want);
    }
    let service = probe(|n| ready(Ok::<_, BoxError>(n)));
    let mut timeout = TimeoutLayer::new(SECOND).layer(service.clone());
    let mut deadline = DeadlineLayer::new(SECOND).layer(service);
    for _ in 0..2 {
        ready_for(&mut timeout).await.call(()).await.unwrap();
        ready_for(&mut deadline).await.call(()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn retries_take_turns_at_a_limit_of_one() {
    let running = Arc::new(AtomicU32::new(0));
    let calls = Arc::new(AtomicU32::new(0));
    let inner = {
        let (running, calls) = (Arc::clone(&running), Arc::clone(&calls));
        service_fn(move |()| {
            let (running, calls) = (Arc::clone(&running), Arc::clone(&calls));
            async move {
                assert_eq!(
                    running.fetch_add(1, SeqCst),
                    0,
                    "two at once over a limit of one"
                );
                sleep(SECOND).await;
                running.fetch_sub(1, SeqCst);
                let n = calls.fetch_add(1, SeqCst);
                if n < 8 {
                    Err(BoxError::from("no"))
                } else {
                    Ok(())
                }
            }
        })
    };
    let stack = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 60))
        .layer(retry())
        .layer(TimeoutLayer::new(SECOND * 9))
        .service(ConcurrencyLimit::new(inner, 1));
    let start = Instant::now();
    let calls_of_four: Vec<_> = (0..4)
        .map(|_| tokio::spawn(stack.clone().oneshot(())))
        .collect();
    for call in calls_of_four {
        call.await.unwrap().unwrap();
    }
    // Twelve attempts of a second each, one after another: no wait held the permit.
    assert_eq!((calls.load(SeqCst), start.elapsed()), (12, SECOND * 12));
}

/// The stack of the guide over `service`.
macro_rules! stack {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(DeadlineLayer::new(SECOND * 5))
            .layer(RetryLayer::new())
            .layer(TimeoutLayer::new(SECOND))
            .service($service)
    };
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("custom")]
struct Custom;

#[tokio::test(start_paused = true)]
async fn the_stack_infers_over_any_error_and_its_futures_move() {
    let boxed = stack!(service_fn(async |_: &str| Ok::<_, TowerError>(1)));
    assert_eq!(is_send(boxed.oneshot("x")).await.unwrap(), 1);

    let infallible = stack!(service_fn(async |_: &str| Ok::<_, Infallible>(2)));
    assert_eq!(is_send(infallible.oneshot("x")).await.unwrap(), 2);

    let custom = stack!(service_fn(async |_: &str| Err::<(), _>(Custom)));
    let error = is_send(custom.oneshot("x")).await.unwrap_err();
    assert_eq!(find::<Custom>(&*error), Some(&Custom));

    let service: common::Boxed =
        service_fn(async |s: &'static str| Ok::<_, BoxError>(s)).boxed_clone();
    assert_eq!(is_send(stack!(service).oneshot("x")).await.unwrap(), "x");

    let local = stack!(service_fn(|s: std::rc::Rc<str>| ready(Ok::<_, BoxError>(
        s.len()
    ))));
    assert_eq!(local.oneshot("abc".into()).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn errors_are_found_whatever_the_order() {
    let silent = || service_fn(|_: &str| std::future::pending::<Result<(), Infallible>>());
    let error = stack!(silent()).oneshot("x").await.unwrap_err();
    // Attempts of one second and waits of milliseconds: three of them fit into five seconds.
    assert!(matches!(
        find(&*error),
        Some(RetryError::<BoxError>::Exhausted { attempts: 3, .. })
    ));
    assert_eq!(find::<Elapsed>(&*error), Some(&Elapsed::new(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn a_terminal_error_comes_through_untouched() {
    let terminal = |_: &Attempt, _: Result<&(), &Custom>| Verdict::Terminal;
    let custom = || service_fn(async |_: &str| Err::<(), _>(Custom));
    let boxed = RetryLayer::new().classify(terminal).layer(custom());
    assert_eq!(
        *boxed
            .oneshot("x")
            .await
            .unwrap_err()
            .downcast::<Custom>()
            .unwrap(),
        Custom
    );
    let typed = RetryLayer::new().classify(terminal).typed().layer(custom());
    assert_eq!(typed.oneshot("x").await, Err(RetryError::Terminal(Custom)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_can_be_told_from_other_failures() {
    // What a classifier above a timeout looks at.
    let timeouts_only = |_: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(e) if find::<Elapsed>(&**e).is_some() => Verdict::Retry(Kind::Timeout),
        Err(_) => Verdict::Terminal,
    };
    let service = probe(|n| async move {
        if n == 1 {
            std::future::pending::<()>().await
        }
        Err::<(), _>(Custom)
    });
    let error = ServiceBuilder::new()
        .layer(RetryLayer::new().classify(timeouts_only))
        .layer(TimeoutLayer::new(SECOND))
        .service(service.clone())
        .oneshot(())
        .await
        .unwrap_err();
    assert!(error.is::<Custom>());
    assert_eq!(service.calls(), 2);
}

#[derive(Debug, thiserror::Error)]
#[error("layer")]
struct Wrapper(#[source] BoxError);

/// An error that is its own source.
#[derive(Debug)]
struct Ring;

impl std::fmt::Display for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ring")
    }
}

impl std::error::Error for Ring {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_is_found_beneath_other_peoples_wrappers() {
    let ours = || -> BoxError { Elapsed::new(SECOND).into() };
    let io = std::io::Error::other;
    for (name, wrapped) in [
        ("an io::Error", io(ours()).into()),
        ("an io::Error in another", io(io(ours()).into()).into()),
        (
            "a wrapper in an io::Error",
            io(Wrapper(ours()).into()).into(),
        ),
        (
            "an io::Error in a wrapper",
            Wrapper(io(ours()).into()).into(),
        ),
    ] {
        let wrapped: BoxError = wrapped;
        assert_eq!(find(&*wrapped), Some(&Elapsed::new(SECOND)), "{name}");
    }
    let in_60 = (0..60).fold(ours(), |error, _| Wrapper(error).into());
    assert!(find::<Elapsed>(&*in_60).is_some());
    assert!(find::<Elapsed>(&Ring).is_none());
}

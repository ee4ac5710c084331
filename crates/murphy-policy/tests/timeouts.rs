//! Scripts of timeouts: who waits in line, and whose timeout holds.

mod common;

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::{BoxError, probe};
use murphy_core::Scope;
use murphy_policy::timeout::{Bound, Estimate, Quantile, RoundTrip};
use murphy_policy::{Backoff, Elapsed, RetryError, RetryLayer, TimeoutLayer, find};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn silent<Req>(_: Req) -> std::future::Pending<Result<(), BoxError>> {
    pending()
}

fn elapsed(error: &BoxError) -> (Duration, Bound) {
    let elapsed = find::<Elapsed>(&**error).unwrap_or_else(|| panic!("{error:?}"));
    (elapsed.timeout(), elapsed.bound())
}

/// Polls once, for a task that counts how often it is woken.
fn poll<F: Future>(future: Pin<&mut F>) -> (Poll<F::Output>, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    (future.poll(&mut Context::from_waker(&waker)), woken)
}

#[tokio::test(start_paused = true)]
async fn each_call_in_line_ends_in_its_own_time() {
    let service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<u32>));
    let start = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|n| {
            tokio::spawn(async move {
                sleep(SECOND * n / 7).await;
                let began = Instant::now();
                let error = service.oneshot(n).await.unwrap_err();
                (elapsed(&error), began.elapsed())
            })
        })
        .collect();
    for call in calls {
        let (elapsed, took) = call.await.unwrap();
        assert_eq!(elapsed, (SECOND, Bound::Layer));
        assert!(
            took >= SECOND && took < SECOND + Duration::from_millis(2),
            "{took:?}"
        );
    }
    assert!(start.elapsed() < SECOND * 4);
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_is_dropped_keeps_nobody_waiting() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let start = Instant::now();
    let mut first = Box::pin(service.call(()));
    let mut second = Box::pin(service.call(()));
    assert!(poll(first.as_mut()).0.is_pending());
    sleep(SECOND / 2).await;
    assert!(poll(second.as_mut()).0.is_pending());
    drop(first);
    second.await.unwrap_err();
    assert_eq!(start.elapsed(), SECOND * 3 / 2);
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_nobody_polls_keeps_nobody_waiting() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let start = Instant::now();
    let mut first = pin!(service.call(()));
    let (_, woken) = poll(first.as_mut());
    sleep(SECOND / 2).await;
    let second = service.call(());
    sleep(SECOND / 4).await;
    // Its own second begins here.
    second.await.unwrap_err();
    assert_eq!(start.elapsed(), SECOND * 7 / 4);
    assert_eq!(woken.0.load(SeqCst), 1);
    assert!(poll(first).0.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_moves_to_another_task_wakes_that_one() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let mut call = pin!(service.call(()));
    let (_, before) = poll(call.as_mut());
    let (_, after) = poll(call.as_mut());
    sleep(SECOND).await;
    assert_eq!((before.0.load(SeqCst), after.0.load(SeqCst)), (0, 1));
    assert!(poll(call).0.is_ready());
}

fn paused() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

#[test]
fn a_runtime_that_stands_still_stalls_no_other() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let (still, running) = (paused(), paused());
    let mut stalled = pin!(service.call(()));
    assert!(
        still
            .block_on(async { poll(stalled.as_mut()).0 })
            .is_pending()
    );
    running.block_on(async {
        timeout(SECOND * 9, service.call(()))
            .await
            .unwrap()
            .unwrap_err();
    });
    let start = still.block_on(async { Instant::now() });
    let end = still.block_on(async {
        stalled.await.unwrap_err();
        Instant::now()
    });
    assert_eq!(end - start, SECOND);
}

#[test]
fn a_call_that_outlives_its_runtime_counts_anew_in_the_next() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(service.call(()))).collect();
    let first = paused();
    let woken = first.block_on(async {
        calls
            .iter_mut()
            .map(|call| poll(call.as_mut()).1)
            .collect::<Vec<_>>()
    });
    drop(first);
    assert!(woken.iter().all(|woken| woken.0.load(SeqCst) == 1));
    paused().block_on(async {
        let start = Instant::now();
        for call in calls {
            call.await.unwrap_err();
        }
        // Each joins the line when it is polled, one after the other.
        assert_eq!(start.elapsed(), SECOND * 3);
    });
}

/// Its timer was due when it went down, and nobody had looked: on a running clock.
#[test]
fn a_runtime_that_goes_down_late_takes_nobody_with_it() {
    let limit = SECOND / 50;
    let mut service = TimeoutLayer::new(limit).layer(service_fn(silent::<()>));
    let (mut due, mut waits) = (pin!(service.call(())), pin!(service.call(())));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    let woken = runtime.block_on(async {
        let (_, first) = poll(due.as_mut());
        let start = Instant::now();
        while start.elapsed() <= limit {
            std::hint::spin_loop();
        }
        [first, poll(waits.as_mut()).1]
    });
    drop(runtime);
    assert!(woken.iter().all(|woken| woken.0.load(SeqCst) == 1));
    paused().block_on(async {
        let start = Instant::now();
        waits.await.unwrap_err();
        assert_eq!(start.elapsed(), limit);
    });
}

#[test]
fn a_thread_that_ends_leaves_its_line_to_the_others() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(silent::<()>));
    let runtime = paused();
    let start = runtime.block_on(async { Instant::now() });
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(service.call(()))).collect();
    std::thread::scope(|threads| {
        for call in &mut calls {
            let runtime = runtime.handle().clone();
            threads.spawn(move || {
                let _in = runtime.enter();
                assert!(poll(call.as_mut()).0.is_pending());
            });
        }
    });
    runtime.block_on(async {
        for call in calls {
            call.await.unwrap_err();
        }
        assert_eq!(start.elapsed(), SECOND);
    });
}

#[tokio::test(start_paused = true)]
async fn more_timeouts_than_a_thread_remembers_all_end() {
    let start = Instant::now();
    let calls: Vec<_> = (1..=100)
        .map(|n| {
            let service = TimeoutLayer::new(SECOND * n).layer(service_fn(silent::<()>));
            tokio::spawn(service.oneshot(()))
        })
        .collect();
    for (n, call) in (1..).zip(calls) {
        call.await.unwrap().unwrap_err();
        assert_eq!(start.elapsed(), SECOND * n);
    }
}

/// Four threads, calls that are dropped, answered, moved and left to time out, on a running clock.
/// The machine may be slow, so that only what has to end is asked for, and that nothing ends early.
#[test]
fn a_crowd_on_four_threads_ends_in_time() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_time().build().unwrap();
    let limit = Duration::from_millis(20);
    let service = TimeoutLayer::new(limit).layer(service_fn(async |wait: u64| {
        sleep(Duration::from_millis(wait)).await;
        Ok::<_, std::fmt::Error>(())
    }));
    let calls = (0..2000_u64).map(|n| {
        runtime.spawn(async move {
            // A plain generator: what matters is that they differ.
            let draw = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            sleep(Duration::from_millis(draw % 30)).await;
            let start = Instant::now();
            let ended = match draw % 4 {
                0 => service.oneshot(1).await,
                1 => match timeout(limit / 2, service.oneshot(9_999)).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                },
                2 => {
                    let mut call = Box::pin(service.oneshot(9_999));
                    match timeout(limit / 4, call.as_mut()).await {
                        Ok(ended) => ended,
                        Err(_) => tokio::spawn(call).await.unwrap(),
                    }
                }
                _ => service.oneshot(9_999).await,
            };
            assert!(ended.is_ok() || start.elapsed() >= limit);
        })
    });
    let calls: Vec<_> = calls.collect();
    runtime.block_on(async {
        let all = async {
            for call in calls {
                call.await.unwrap();
            }
        };
        let all = timeout(SECOND * 20, all).await;
        all.expect("somebody waits past the deadline");
    });
}

#[tokio::test(start_paused = true)]
async fn a_request_says_how_long() {
    let of = |request: &u64| (*request > 0).then(|| SECOND * *request as u32);
    let service = TimeoutLayer::new(SECOND * 5)
        .by(of)
        .layer(service_fn(silent::<u64>));
    for (request, want) in [
        (0, (SECOND * 5, Bound::Layer)),
        (2, (SECOND * 2, Bound::Request)),
    ] {
        let start = Instant::now();
        let error = service.oneshot(request).await.unwrap_err();
        assert_eq!((elapsed(&error), start.elapsed()), (want, want.0));
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_get_longer() {
    let service = probe(|_| silent(()));
    let start = Instant::now();
    let error = ServiceBuilder::new()
        .layer(RetryLayer::new().pace(Backoff::exponential(SECOND, SECOND)))
        .layer(TimeoutLayer::by_attempt(|n| SECOND * n * 10))
        .service(service.clone())
        .oneshot(())
        .await
        .unwrap_err();
    assert_eq!(service.gaps(), [SECOND * 11, SECOND * 21]);
    assert_eq!(start.elapsed(), SECOND * 62);
    match find::<RetryError<BoxError>>(&*error) {
        Some(RetryError::Exhausted { last, .. }) => {
            assert_eq!(elapsed(last), (SECOND * 30, Bound::Attempt));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_deadline_is_all_there_is() {
    let plain = TimeoutLayer::new(SECOND * 5);
    let call = |left: u32| {
        let scope = Scope::current().with_deadline(Instant::now() + SECOND * left);
        let service = plain.within_deadline().layer(service_fn(silent::<()>));
        scope.enter(service.oneshot(()))
    };
    for (left, want) in [
        (3, (SECOND * 3, Bound::Deadline)),
        (9, (SECOND * 5, Bound::Layer)),
    ] {
        let start = Instant::now();
        let error = call(left).await.unwrap_err();
        assert_eq!((elapsed(&error), start.elapsed()), (want, want.0));
    }
    let error = call(0).await.unwrap_err();
    assert_eq!(elapsed(&error), (Duration::ZERO, Bound::Deadline));
    let of = |(): &()| Some(SECOND * 4);
    let scope = Scope::current().with_deadline(Instant::now() + SECOND);
    let call = plain.by(of).layer(service_fn(silent::<()>)).oneshot(());
    let error = scope.enter(call).await.unwrap_err();
    assert_eq!(elapsed(&error), (SECOND, Bound::Deadline));
}

#[tokio::test(start_paused = true)]
async fn an_estimate_follows_the_service() {
    let estimate = RoundTrip::try_new(SECOND / 100, SECOND * 60).unwrap();
    let service =
        TimeoutLayer::adaptive(estimate.clone()).layer(service_fn(async |millis: u64| {
            sleep(Duration::from_millis(millis)).await;
            if millis == 77 { Err("failed") } else { Ok(()) }
        }));
    let service = || service.clone();
    assert_eq!(estimate.timeout(), SECOND);
    service().oneshot(100).await.unwrap();
    assert_eq!(estimate.timeout(), SECOND * 3 / 10);
    service().oneshot(77).await.unwrap_err();
    assert_eq!(estimate.timeout(), SECOND * 3 / 10, "failures do not count");
    let start = Instant::now();
    let error = service().oneshot(9_999).await.unwrap_err();
    assert_eq!(elapsed(&error), (SECOND * 3 / 10, Bound::Estimate));
    assert_eq!(start.elapsed(), SECOND * 3 / 10);
    assert_eq!(estimate.timeout(), SECOND * 6 / 10);
}

#[tokio::test(start_paused = true)]
async fn a_quantile_follows_the_service() {
    let estimate = Quantile::try_new(0.9, SECOND / 1000, SECOND * 60).unwrap();
    let estimate = estimate.min_samples(20).unwrap();
    let service =
        TimeoutLayer::adaptive(estimate.clone()).layer(service_fn(async |millis: u64| {
            sleep(Duration::from_millis(millis)).await;
            Ok::<_, BoxError>(())
        }));
    for _ in 0..20 {
        service.clone().oneshot(100).await.unwrap();
    }
    let (timeout, bound) = elapsed(&service.oneshot(9_999).await.unwrap_err());
    assert_eq!(bound, Bound::Estimate);
    assert!(timeout >= SECOND / 5 && timeout < SECOND / 4, "{timeout:?}");
}

#[cfg(feature = "http")]
mod http {
    use ::http::{HeaderName, Request};
    use murphy_policy::RequestTimeout;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-timeout-ms");

    #[tokio::test(start_paused = true)]
    async fn a_header_shortens_it_and_an_extension_beats_it() {
        let layer = TimeoutLayer::new(SECOND * 5).by_header(NAME, SECOND * 8);
        let request = |value: &str| Request::get("/").header(NAME, value).body(()).unwrap();
        let extended = |mut request: Request<()>| {
            request.extensions_mut().insert(RequestTimeout(SECOND * 60));
            request
        };
        for (name, request, want) in [
            ("header", request("1500"), (SECOND * 3 / 2, Bound::Request)),
            ("capped", request("99999999"), (SECOND * 8, Bound::Request)),
            ("none", Request::new(()), (SECOND * 5, Bound::Layer)),
            (
                "extension",
                extended(request("1500")),
                (SECOND * 60, Bound::Request),
            ),
        ] {
            let (error, events) =
                common::events(layer.layer(service_fn(silent)).oneshot(request)).await;
            assert_eq!(elapsed(&error.unwrap_err()), want, "{name}");
            assert_eq!(events, ["timeout.elapsed"], "{name}");
        }
        for hostile in ["+1", "-1", "1.0", "", "123456789"] {
            let call = layer.layer(service_fn(silent)).oneshot(request(hostile));
            let (error, events) = common::events(call).await;
            assert_eq!(
                elapsed(&error.unwrap_err()),
                (SECOND * 5, Bound::Layer),
                "{hostile}"
            );
            assert_eq!(events, ["timeout.bad_header", "timeout.elapsed"]);
        }
        let service = TimeoutLayer::new(SECOND)
            .by_extension()
            .layer(service_fn(silent));
        let error = service.oneshot(extended(request("1"))).await.unwrap_err();
        assert_eq!(elapsed(&error), (SECOND * 60, Bound::Request));
    }
}

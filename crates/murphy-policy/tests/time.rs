//! Timeout and deadline: what is covered, what propagates, what is lazy.

mod common;

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{BoxError, events, probe, slow_to_ready};
use murphy_core::Scope;
use murphy_policy::{
    Backoff, DeadlineError, DeadlineLayer, Elapsed, Expired, RetryError, RetryLayer, TimeoutError,
    TimeoutLayer, find,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;

const SECOND: Duration = Duration::from_secs(1);

fn expired(error: &BoxError) -> Duration {
    find::<Expired>(&**error)
        .unwrap_or_else(|| panic!("{error:?}"))
        .allowed()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_an_attempt_and_says_so() {
    let (service, mut peer) = mock::pair::<&str, &str>();
    let mut service = TimeoutLayer::new(SECOND).layer(service);
    peer.allow(2);
    let start = Instant::now();
    let call = service.ready().await.unwrap().call("hello");
    let (error, events) = events(call).await;
    let error = error.unwrap_err();
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(find::<Elapsed>(&*error).unwrap().timeout(), SECOND);
    assert_eq!(
        error.to_string(),
        "no reply within 1s; it may still have taken effect"
    );
    assert_eq!(events, ["timeout.elapsed"]);

    let call = service.ready().await.unwrap().call("again");
    let serve = async {
        peer.next_request().await.unwrap();
        let (_, reply) = peer.next_request().await.unwrap();
        reply.send_response("hi");
    };
    let (answer, ()) = tokio::join!(call, serve);
    assert_eq!(answer.unwrap(), "hi");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_there_when_the_time_is_up_wins() {
    let late = || {
        service_fn(async |()| {
            sleep(SECOND).await;
            Ok::<_, BoxError>(())
        })
    };
    TimeoutLayer::new(SECOND)
        .layer(late())
        .oneshot(())
        .await
        .unwrap();
    DeadlineLayer::new(SECOND)
        .layer(late())
        .oneshot(())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_from_the_first_poll_that_pends() {
    let mut service =
        TimeoutLayer::new(SECOND).layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    let call = service.call(());
    sleep(SECOND * 5).await;
    let start = Instant::now();
    call.await.unwrap_err();
    assert_eq!(start.elapsed(), SECOND);
}

#[test]
fn a_ready_call_needs_no_runtime_and_so_no_timer() {
    let mut call = pin!(
        TimeoutLayer::new(SECOND)
            .layer(service_fn(|()| ready(Ok::<_, BoxError>(7))))
            .call(())
    );
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(7))));
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_time_are_no_bug() {
    let silent = || service_fn(|()| pending::<Result<(), BoxError>>());
    TimeoutLayer::new(Duration::ZERO)
        .layer(silent())
        .oneshot(())
        .await
        .unwrap_err();
    DeadlineLayer::new(Duration::ZERO)
        .layer(silent())
        .oneshot(())
        .await
        .unwrap_err();
    let hour = SECOND * 3600;
    let endless = TimeoutLayer::new(Duration::MAX).layer(silent()).oneshot(());
    assert!(tokio::time::timeout(hour, endless).await.is_err());
    let endless = DeadlineLayer::new(Duration::MAX)
        .layer(silent())
        .oneshot(());
    assert!(tokio::time::timeout(hour, endless).await.is_err());
}

/// The last one that can be told.
fn last_instant() -> Instant {
    let mut last = Instant::now();
    let mut step = Duration::MAX;
    while !step.is_zero() {
        while let Some(later) = last.checked_add(step) {
            last = later;
        }
        step /= 2;
    }
    last
}

#[tokio::test(start_paused = true)]
async fn the_last_instant_is_a_deadline_like_any_other() {
    let silent = || service_fn(|()| pending::<Result<(), BoxError>>());
    let hour = SECOND * 3600;
    let total = last_instant() - Instant::now();
    let endless = DeadlineLayer::new(total).layer(silent()).oneshot(());
    assert!(tokio::time::timeout(hour, endless).await.is_err());

    let slow = slow_to_ready(silent(), SECOND);
    let endless = DeadlineLayer::new(Duration::MAX).layer(slow).oneshot(());
    let scope = Scope::current().with_deadline(last_instant());
    let endless = scope.enter(endless);
    assert!(tokio::time::timeout(hour, endless).await.is_err());
}

#[tokio::test]
async fn no_timeout_ends_what_pends_once() {
    for _ in 0..20 {
        let yields = service_fn(async |()| {
            tokio::task::yield_now().await;
            Ok::<_, BoxError>(())
        });
        let service = TimeoutLayer::new(Duration::ZERO).layer(yields);
        assert!(service.oneshot(()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_inner_future_cannot_starve_the_timer() {
    // Always has more to do, and yields only because the runtime makes it.
    let busy = || {
        service_fn(async |()| -> Result<(), BoxError> {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        })
    };
    // Time is real to it: a paused clock would never move on while it is busy.
    tokio::time::resume();
    let limit = Duration::from_millis(20);
    TimeoutLayer::new(limit)
        .layer(busy())
        .oneshot(())
        .await
        .unwrap_err();
    DeadlineLayer::new(limit)
        .layer(busy())
        .oneshot(())
        .await
        .unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_readiness() {
    let service = probe(|_| ready(Ok::<_, BoxError>(())));
    let slow = slow_to_ready(service.clone(), SECOND * 9);
    let start = Instant::now();
    let (error, events) = events(DeadlineLayer::new(SECOND * 2).layer(slow).oneshot(())).await;
    assert_eq!(expired(&error.unwrap_err()), SECOND * 2);
    assert_eq!((start.elapsed(), service.calls()), (SECOND * 2, 0));
    assert_eq!(events, ["deadline.elapsed"]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_readiness_is_part_of_the_total() {
    let service = service_fn(|()| pending::<Result<(), BoxError>>());
    let slow = slow_to_ready(service, SECOND);
    let start = Instant::now();
    let error = DeadlineLayer::new(SECOND * 3)
        .layer(slow)
        .oneshot(())
        .await
        .unwrap_err();
    assert_eq!((expired(&error), start.elapsed()), (SECOND * 3, SECOND * 3));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_late_serves_the_next_call() {
    let (service, mut peer) = mock::pair::<&str, &str>();
    let mut service = DeadlineLayer::new(SECOND).layer(service);
    peer.allow(0);
    // Late, not broken: readiness is no error.
    let late = service.ready().await.unwrap().call("late");
    expired(&late.await.unwrap_err());
    // Twice, so that it is armed again.
    let late = service.ready().await.unwrap().call("late");
    let start = Instant::now();
    expired(&late.await.unwrap_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
    peer.allow(1);
    let call = service.ready().await.unwrap().call("on time");
    let (_, reply) = peer.next_request().await.unwrap();
    reply.send_response("hi");
    assert_eq!(call.await.unwrap(), "hi");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_propagates_to_call_and_to_every_poll() {
    let start = Instant::now();
    let service = service_fn(|()| {
        let in_call = Scope::current().deadline();
        async move {
            let first = Scope::current().deadline();
            sleep(SECOND).await;
            Ok::<_, BoxError>([in_call, first, Scope::current().deadline()])
        }
    });
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 5))
        .service(service);
    let seen = service.oneshot(()).await.unwrap();
    assert_eq!(seen, [Some(start + SECOND * 5); 3]);
    assert_eq!(Scope::current().deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_only_shrinks_and_keeps_the_key() {
    let start = Instant::now();
    let service = || service_fn(async |()| Ok::<_, BoxError>(Scope::current()));
    for (outer, inner, want) in [(3, 5, 3), (5, 3, 3)] {
        let service = ServiceBuilder::new()
            .layer(DeadlineLayer::new(SECOND * outer))
            .layer(DeadlineLayer::new(SECOND * inner))
            .service(service());
        let seen = Scope::current()
            .with_key(7_u64)
            .enter(service.oneshot(()))
            .await
            .unwrap();
        assert_eq!(
            seen,
            Scope::default()
                .with_key(7_u64)
                .with_deadline(start + SECOND * want)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_deadline_is_enforced() {
    let start = Instant::now();
    let silent = || service_fn(|()| pending::<Result<(), BoxError>>());
    for total in [SECOND * 5, Duration::MAX] {
        let call = DeadlineLayer::new(total).layer(silent()).oneshot(());
        let error = Scope::current()
            .with_deadline(Instant::now() + SECOND)
            .enter(call)
            .await;
        assert_eq!(expired(&error.unwrap_err()), SECOND);
    }
    assert_eq!(start.elapsed(), SECOND * 2);
    let service = probe(|_| ready(Ok::<_, BoxError>(())));
    let call = DeadlineLayer::new(SECOND)
        .layer(service.clone())
        .oneshot(());
    let past = Scope::current().with_deadline(Instant::now());
    assert_eq!(
        expired(&past.enter(call).await.unwrap_err()),
        Duration::ZERO
    );
    assert_eq!(service.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_deadline_holds_also_if_readiness_was_awaited_outside_of_it() {
    for total in [SECOND * 9, Duration::MAX] {
        let silent = service_fn(|()| pending::<Result<(), BoxError>>());
        let mut service = DeadlineLayer::new(total).layer(slow_to_ready(silent, SECOND));
        let service = common::ready_for(&mut service).await;
        let start = Instant::now();
        let scope = Scope::current().with_deadline(start + SECOND);
        let error = scope.enter(async { service.call(()).await }).await;
        assert_eq!(start.elapsed(), SECOND);
        // The second for readiness, and one more.
        assert_eq!(expired(&error.unwrap_err()), SECOND * 2);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_when_the_deadline_has_passed() {
    let called =
        || service_fn(|()| -> std::future::Ready<Result<(), BoxError>> { panic!("called") });
    let error = DeadlineLayer::new(Duration::ZERO)
        .layer(called())
        .oneshot(())
        .await;
    assert_eq!(expired(&error.unwrap_err()), Duration::ZERO);
    let past = Scope::current().with_deadline(Instant::now());
    let error = past
        .enter(DeadlineLayer::new(SECOND).layer(called()).oneshot(()))
        .await;
    assert_eq!(expired(&error.unwrap_err()), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cuts_an_attempt() {
    let service = probe(|n| async move {
        if n == 1 {
            return Err("refused".into());
        }
        pending::<Result<(), BoxError>>().await
    });
    let start = Instant::now();
    let error = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 5))
        .layer(RetryLayer::new().pace(Backoff::exponential(SECOND, SECOND)))
        .service(service.clone())
        .oneshot(())
        .await
        .unwrap_err();
    assert_eq!(
        (expired(&error), start.elapsed(), service.calls()),
        (SECOND * 5, SECOND * 5, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_beneath_a_deadline_knows_what_is_left() {
    let service = probe(|_| async {
        sleep(SECOND).await;
        Err::<(), BoxError>("refused".into())
    });
    let start = Instant::now();
    let error = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 5))
        .layer(RetryLayer::new().pace(Backoff::exponential(SECOND * 2, SECOND * 9)))
        .service(service.clone())
        .oneshot(())
        .await
        .unwrap_err();
    // Attempts end at 1 s and 4 s; the next wait of four would end at 8 s.
    match find::<RetryError>(&*error) {
        Some(RetryError::Deadline {
            needed,
            left,
            attempts: 2,
            ..
        }) => {
            assert_eq!((*needed, *left), (SECOND * 4, SECOND));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed(), SECOND * 4);
}

#[tokio::test(start_paused = true)]
async fn a_clone_does_not_inherit_the_wait() {
    let slow = slow_to_ready(service_fn(async |()| Ok::<_, BoxError>(())), SECOND);
    let mut one = DeadlineLayer::new(SECOND * 2).layer(slow);
    let waiting = one.ready();
    assert!(tokio::time::timeout(SECOND / 2, waiting).await.is_err());
    sleep(SECOND * 9).await;
    one.clone().oneshot(()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn typed_errors_match_without_a_downcast() {
    let silent = service_fn(|()| pending::<Result<(), std::rc::Rc<str>>>());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 9).typed())
        .layer(TimeoutLayer::new(SECOND).typed())
        .service(silent);
    match service.oneshot(()).await {
        Err(DeadlineError::Inner(TimeoutError::Elapsed(e))) => assert_eq!(e.timeout(), SECOND),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_instance_outlives_its_runtime() {
    let (service, mut peer) = mock::pair::<&str, &str>();
    let mut service = DeadlineLayer::new(SECOND).layer(service);
    peer.allow(0);
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let late = runtime.block_on(async { service.ready().await.unwrap().call("late").await });
        expired(&late.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn no_timer_stays_behind_readiness() {
    struct Awake;
    impl std::task::Wake for Awake {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let (service, mut peer) = mock::pair::<(), ()>();
    let mut service = DeadlineLayer::new(SECOND).layer(service);
    peer.allow(0);
    let task = std::sync::Arc::new(Awake);
    let waker = task.clone().into();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(service.poll_ready(&mut cx).is_pending());
    peer.allow(1);
    assert!(service.poll_ready(&mut cx).is_ready());
    drop(service.call(()));
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&task), 1, "a waker is held");
}

//! A bulkhead, as its callers see it.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{BoxError, events, is_send, probe, ready_for};
use murphy_core::{Key, Scope};
use murphy_policy::bulkhead::Why;
use murphy_policy::{Bulkhead, BulkheadError, BulkheadLayer, DeadlineLayer, Shed, find};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, timeout};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

type Log = Arc<Mutex<Vec<u32>>>;

/// A peer that takes a second, and writes down whom it serves and how many at once.
fn peer(
    log: &Log,
    most: &Arc<AtomicU32>,
) -> impl Service<u32, Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static {
    let (log, most, now) = (
        Arc::clone(log),
        Arc::clone(most),
        Arc::new(AtomicU32::new(0)),
    );
    service_fn(move |caller: u32| {
        let (log, most, now) = (Arc::clone(&log), Arc::clone(&most), Arc::clone(&now));
        async move {
            log.lock().unwrap().push(caller);
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(SECOND).await;
            now.fetch_sub(1, SeqCst);
            Ok(())
        }
    })
}

/// Spawns calls 0 to `n` that come in this order, each with `left` until its deadline.
async fn come<S>(service: &S, n: u32, left: Duration) -> Vec<JoinHandle<Result<(), Why>>>
where
    S: Service<u32, Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut calls = Vec::new();
    for caller in 0..n {
        let scope = Scope::current().with_deadline(Instant::now() + left);
        let call = service.clone().oneshot(caller);
        calls.push(tokio::spawn(scope.enter(async move {
            call.await
                .map_err(|e| find::<Shed>(&*e).expect("shed").why())
        })));
        yield_now().await;
    }
    calls
}

async fn outcomes(calls: Vec<JoinHandle<Result<(), Why>>>) -> Vec<Result<(), Why>> {
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    outcomes
}

#[tokio::test(start_paused = true)]
async fn so_many_at_once_in_the_order_in_which_they_came() {
    let (log, most) = (Log::default(), Arc::default());
    let service = BulkheadLayer::new(3)
        .unwrap()
        .queue(9)
        .layer(peer(&log, &most));
    let began = Instant::now();
    assert_eq!(
        outcomes(come(&service, 9, SECOND * 60).await).await,
        [Ok(()); 9]
    );
    assert_eq!(began.elapsed(), SECOND * 3);
    assert_eq!(
        (most.load(SeqCst), log.lock().unwrap().as_slice()),
        (3, &[0, 1, 2, 3, 4, 5, 6, 7, 8][..])
    );
    assert_eq!((service.in_flight(), service.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_sheds_at_once() {
    let service = BulkheadLayer::new(1)
        .unwrap()
        .queue(2)
        .layer(peer(&Log::default(), &Arc::default()));
    let mut calls = come(&service, 4, SECOND * 60).await;
    let last = timeout(Duration::ZERO, calls.pop().unwrap())
        .await
        .expect("at once")
        .unwrap();
    assert_eq!(last, Err(Why::Full { waiting: 2 }));
    assert_eq!(outcomes(calls).await, [Ok(()); 3]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_are_served_first_and_the_oldest_displaced() {
    let (log, most) = (Log::default(), Arc::default());
    let layer = BulkheadLayer::new(1).unwrap().queue(2).newest_first();
    let service = layer.layer(peer(&log, &most));
    let calls = come(&service, 4, SECOND * 60).await;
    assert_eq!(
        outcomes(calls).await,
        [Ok(()), Err(Why::Displaced), Ok(()), Ok(())]
    );
    assert_eq!(*log.lock().unwrap(), [0, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn whose_turn_would_be_too_late_is_told_at_once_what_was_expected() {
    let log = Log::default();
    let service = BulkheadLayer::new(1)
        .unwrap()
        .queue(20)
        .layer(peer(&log, &Arc::default()));
    let patient = come(&service, 11, SECOND * 60).await;
    // Two turns are given at 1 s and 2 s: one a second. Eight wait.
    sleep(SECOND * 5 / 2).await;
    let left = SECOND * 3;
    let hasty = come(&service, 1, left).await.remove(0);
    let told = timeout(Duration::ZERO, hasty)
        .await
        .expect("at once")
        .unwrap();
    let expected = SECOND * 9 - SECOND / 2;
    assert_eq!(told, Err(Why::Late { expected, left }));
    // Who has the time waits, and is served at the time that was foretold.
    let began = Instant::now();
    let steady = come(&service, 1, expected + SECOND).await.remove(0);
    outcomes(patient).await;
    assert_eq!(steady.await.unwrap(), Ok(()));
    assert_eq!(began.elapsed(), expected + SECOND);
    assert_eq!(log.lock().unwrap().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn whose_deadline_passes_leaves_the_queue() {
    let log = Log::default();
    let service = BulkheadLayer::new(1)
        .unwrap()
        .queue(9)
        .layer(peer(&log, &Arc::default()));
    let stuck = come(&service, 1, SECOND * 60).await;
    let began = Instant::now();
    let calls = come(&service, 2, SECOND / 2).await;
    let waited = SECOND / 2;
    assert_eq!(outcomes(calls).await, [Err(Why::Expired { waited }); 2]);
    assert_eq!((began.elapsed(), service.waiting()), (waited, 0));
    outcomes(stuck).await;
    assert_eq!(*log.lock().unwrap(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_layer_above_is_what_it_looks_at() {
    let inner = service_fn(|()| std::future::pending::<Result<(), BoxError>>());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(BulkheadLayer::new(1).unwrap())
        .service(inner);
    let (_, heard) = events(async {
        let first = tokio::spawn(service.clone().oneshot(()));
        yield_now().await;
        service.clone().oneshot(()).await.unwrap_err();
        first.await.unwrap().unwrap_err();
    })
    .await;
    assert!(heard.contains(&"bulkhead.shed"), "{heard:?}");
}

/// How a call ends, and a later one finds its place free.
async fn frees_its_place<S>(service: &Bulkhead<S>, call: impl Future<Output = ()>)
where
    S: Service<u32, Response = (), Error = BoxError> + Clone,
{
    call.await;
    yield_now().await;
    assert_eq!((service.in_flight(), service.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_after_a_reply_a_drop_and_a_panic() {
    let inner = service_fn(|how: u32| {
        assert_ne!(how, 1, "in `call`");
        async move {
            assert_ne!(how, 2, "in `poll`");
            sleep(SECOND).await;
            if how == 3 {
                Err(BoxError::from("no"))
            } else {
                Ok(())
            }
        }
    });
    let service = BulkheadLayer::new(1).unwrap().layer(inner);
    for how in [0, 1, 2, 3] {
        let call = tokio::spawn(service.clone().oneshot(how));
        frees_its_place(&service, async { drop(call.await) }).await;
    }
    let dropped = async { drop(timeout(SECOND / 2, service.clone().oneshot(0)).await) };
    frees_its_place(&service, dropped).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_when_the_reply_is_there_though_its_future_is_kept() {
    let inner = service_fn(|()| std::future::ready(Ok::<_, BoxError>(())));
    let service = BulkheadLayer::new(1).unwrap().layer(inner);
    let mut call = Box::pin(service.clone().call(()));
    assert!(futures_poll(&mut call).await.is_some());
    assert_eq!(service.in_flight(), 0);
    drop(call);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_race_lose_no_place() {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (inside, at_most) = (Arc::clone(&now), Arc::clone(&most));
    let inner = service_fn(move |()| {
        let (inside, at_most) = (Arc::clone(&inside), Arc::clone(&at_most));
        async move {
            at_most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            yield_now().await;
            inside.fetch_sub(1, SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    let service = BulkheadLayer::new(3).unwrap().queue(4).typed().layer(inner);
    let tasks = (0..12).map(|_| {
        let service = service.clone();
        tokio::spawn(async move {
            let mut served = 0;
            for _ in 0..500 {
                served += u32::from(service.clone().oneshot(()).await.is_ok());
            }
            served
        })
    });
    let mut served = 0;
    for task in Vec::from_iter(tasks) {
        served += task.await.unwrap();
    }
    assert_eq!((service.in_flight(), service.waiting()), (0, 0));
    assert!(served > 500 && most.load(SeqCst) <= 3);
}

#[tokio::test(start_paused = true)]
async fn one_key_does_not_take_the_places_of_another() {
    let inner = service_fn(|_: u64| std::future::pending::<Result<(), BoxError>>());
    let layer = BulkheadLayer::new(2).unwrap().queue(0);
    let service = layer
        .by(|key: &u64| Key::new(*key))
        .partitions(2)
        .layer(inner);
    let mut held = Vec::new();
    for (key, enters) in [
        (1, true),
        (1, true),
        (1, false),
        (2, true),
        // No room for more keys: the others share two places.
        (3, true),
        (4, true),
        (5, false),
        (2, true),
    ] {
        let mut call = Box::pin(service.clone().oneshot(key));
        assert_eq!(futures_poll(&mut call).await.is_none(), enters, "{key}");
        held.push(call);
    }
    assert_eq!(service.in_flight(), 6);
    drop(held);
    let mut call = Box::pin(service.clone().oneshot(5));
    assert!(futures_poll(&mut call).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_hands_its_turn_on() {
    let log = Log::default();
    let service = BulkheadLayer::new(1)
        .unwrap()
        .queue(9)
        .layer(peer(&log, &Arc::default()));
    let calls = come(&service, 4, SECOND * 60).await;
    calls[1].abort();
    yield_now().await;
    assert_eq!(service.waiting(), 2);
    // The turn of 2 has come, and it is dropped before it looks.
    let mut second = Box::pin(service.clone().oneshot(9));
    assert!(futures_poll(&mut second).await.is_none());
    calls[2].abort();
    calls[3].abort();
    sleep(SECOND * 2).await;
    assert_eq!(service.in_flight(), 1, "granted, and not looked at");
    drop(second);
    assert_eq!((service.in_flight(), service.waiting()), (0, 0));
    assert_eq!(*log.lock().unwrap(), [0]);
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_waiter_holds_nothing_of_the_inner_service_and_readies_its_own_instance() {
    let inner = probe(|_| async {
        sleep(SECOND).await;
        Ok::<_, BoxError>(())
    });
    let limited = ServiceBuilder::new()
        .layer(BulkheadLayer::new(1).unwrap())
        .layer(ConcurrencyLimitLayer::new(2))
        .service(inner.clone());
    let first = tokio::spawn(limited.clone().oneshot(()));
    yield_now().await;
    let waits = tokio::spawn(limited.clone().oneshot(()));
    yield_now().await;
    yield_now().await;
    // Two permits: one is in use, and the one that waits has none.
    timeout(SECOND / 2, ready_for(&mut limited.clone()))
        .await
        .expect("a permit is free");
    first.await.unwrap().unwrap();
    waits.await.unwrap().unwrap();
    assert_eq!(inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn typed_errors_ask_nothing_of_the_inner_one() {
    #[derive(Debug, PartialEq)]
    struct NoError(*const ());
    let inner = service_fn(|()| async { Err::<(), _>(NoError(std::ptr::null())) });
    let service = BulkheadLayer::new(1).unwrap().queue(0).typed().layer(inner);
    assert!(matches!(
        service.clone().oneshot(()).await,
        Err(BulkheadError::Inner(_))
    ));
    let full = BulkheadLayer::new(1).unwrap().queue(0).typed();
    let held = full.layer(service_fn(|()| {
        std::future::pending::<Result<(), NoError>>()
    }));
    let mut first = Box::pin(held.clone().oneshot(()));
    assert!(futures_poll(&mut first).await.is_none());
    assert!(matches!(
        held.oneshot(()).await,
        Err(BulkheadError::Shed(Shed { .. }))
    ));
}

#[test]
fn no_places_are_no_bulkhead() {
    assert_eq!(BulkheadLayer::new(0).unwrap_err().field, "bulkhead.places");
}

#[test]
fn what_was_shed_says_why() {
    let late = Why::Late {
        expected: SECOND * 2,
        left: SECOND,
    };
    for (why, want) in [
        (Why::Full { waiting: 3 }, "3 wait already"),
        (late, "its turn is expected in 2s, and 1s are left"),
        (
            Why::Expired { waited: SECOND },
            "its deadline passed after 1s in the queue",
        ),
        (Why::Displaced, "newer calls took its place in the queue"),
    ] {
        assert_eq!(
            Shed::new("db", why).to_string(),
            format!("`db` shed the call: {want}")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn its_future_moves_between_threads() {
    let inner = probe(|_| std::future::ready(Ok::<_, BoxError>(())));
    let mut service = is_send(BulkheadLayer::new(1).unwrap().layer(inner));
    is_send(ready_for(&mut service).await.call(()))
        .await
        .unwrap();
}

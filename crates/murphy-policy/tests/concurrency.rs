//! An adaptive limit before a peer whose capacity changes.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{BoxError, events, is_send, probe, ready_for, slow_to_ready};
use murphy_policy::bulkhead::Why;
use murphy_policy::concurrency::{Aimd, ConcurrencyError, Gradient, LeastRtt, Limit, Round};
use murphy_policy::{ConcurrencyLayer, Limited, find};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const WORK: Duration = Duration::from_millis(100);

/// Adds slots, or takes them away as they become free.
async fn set(slots: &Arc<Semaphore>, from: usize, to: usize) {
    slots.add_permits(to.saturating_sub(from));
    let gone = from.saturating_sub(to) as u32;
    slots.acquire_many(gone).await.unwrap().forget();
}

/// Puts more load than it can bear on a peer of 40, then 20, then 60 slots; a call takes one for a
/// tenth of a second, in order of arrival. The limits that it has when it was given time to settle,
/// for ten seconds each, as shares of the slots.
async fn shares(limit: impl Limit + Send + 'static, settled: Duration) -> Vec<(usize, f64)> {
    let slots = Arc::new(Semaphore::new(40));
    let of_peer = Arc::clone(&slots);
    let peer = service_fn(move |()| {
        let slots = Arc::clone(&of_peer);
        async move {
            let _slot = slots.acquire().await?;
            sleep(WORK).await;
            Ok::<_, BoxError>(())
        }
    });
    let service = ConcurrencyLayer::new(limit).typed().layer(peer);
    let callers: Vec<_> = (0..150)
        .map(|n| {
            let service = service.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(n)).await;
                loop {
                    if service.clone().oneshot(()).await.is_err() {
                        sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        })
        .collect();
    let mut shares = Vec::new();
    let mut before = 40;
    for capacity in [40, 20, 60] {
        set(&slots, before, capacity).await;
        before = capacity;
        sleep(settled).await;
        for _ in 0..100 {
            sleep(WORK).await;
            shares.push((capacity, f64::from(service.limit()) / capacity as f64));
        }
    }
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    shares
}

/// All shares are within 15 % of the capacity.
#[track_caller]
fn settles(shares: &[(usize, f64)]) {
    for (capacity, share) in shares {
        assert!(
            (0.85..=1.15).contains(share),
            "{share} of {capacity}: {shares:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_least_round_trip_finds_a_capacity_in_eight_seconds_and_keeps_it() {
    let limit = LeastRtt::new().between(1, 200).unwrap();
    settles(&shares(limit, SECOND * 8).await);
}

#[tokio::test(start_paused = true)]
async fn aimd_finds_a_capacity_in_eight_seconds_and_keeps_it() {
    let limit = Aimd::new().between(1, 200).unwrap();
    settles(&shares(limit.timeout(WORK * 21 / 20), SECOND * 8).await);
}

#[tokio::test(start_paused = true)]
async fn the_gradient_tolerates_half_and_creeps_and_stays_below_its_maximum() {
    let limit = Gradient::new().between(1, 70).unwrap();
    let shares = shares(limit, SECOND * 10).await;
    // What it promises: neither less than the capacity, nor more than it was told to bear.
    for (capacity, share) in shares {
        assert!(
            (0.95..=70.0 / capacity as f64).contains(&share),
            "{share} of {capacity}"
        );
    }
}

/// A limit of one number.
struct Fixed(u32);

impl Limit for Fixed {
    fn limit(&self) -> u32 {
        self.0
    }

    fn update(&mut self, _: Round) {}
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_the_limit_is_shed_at_once_and_says_what_the_limit_is() {
    let ((), heard) = events(async {
        let peer = service_fn(|()| std::future::pending::<Result<(), BoxError>>());
        let service = ConcurrencyLayer::new(Fixed(2)).named("db").layer(peer);
        let under_way: Vec<_> = (0..2)
            .map(|_| tokio::spawn(service.clone().oneshot(())))
            .collect();
        yield_now().await;
        let error = timeout(Duration::ZERO, service.oneshot(()))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`db` lets 2 calls through at once: 0 wait already"
        );
        let limited = find::<Limited>(&*error).unwrap();
        assert_eq!(
            (limited.limit(), limited.why()),
            (2, Why::Full { waiting: 0 })
        );
        under_way.iter().for_each(tokio::task::JoinHandle::abort);
    })
    .await;
    assert_eq!(heard, ["concurrency.limited"]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_before_it_is_a_bulkheads() {
    let peer = service_fn(|()| async {
        sleep(SECOND).await;
        Ok::<_, BoxError>(())
    });
    let service = ConcurrencyLayer::new(Fixed(1)).queue(1).layer(peer);
    let one = tokio::spawn(service.clone().oneshot(()));
    yield_now().await;
    let other = tokio::spawn(service.clone().oneshot(()));
    yield_now().await;
    assert!(service.clone().oneshot(()).await.is_err());
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert_eq!(service.in_flight(), 0);
}

/// Writes down its rounds.
struct Rounds(Arc<Mutex<Vec<Round>>>);

impl Limit for Rounds {
    fn limit(&self) -> u32 {
        1
    }

    fn update(&mut self, round: Round) {
        self.0.lock().unwrap().push(round);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_measured_from_call_to_reply_and_failures_are_told() {
    let rounds = Arc::default();
    let peer = service_fn(|fails: bool| async move {
        sleep(SECOND).await;
        if fails {
            Err(BoxError::from("no"))
        } else {
            Ok(())
        }
    });
    let layer = ConcurrencyLayer::new(Rounds(Arc::clone(&rounds))).queue(5);
    let service = layer.layer(slow_to_ready(peer, SECOND * 3));
    let calls = [false, true].map(|fails| tokio::spawn(service.clone().oneshot(fails)));
    for call in calls {
        let _ = call.await.unwrap();
    }
    let failed = {
        let mut failed = Round::new(SECOND, 1);
        (failed.rtt, failed.dropped) = (None, true);
        failed
    };
    // Neither readiness nor the queue is part of it.
    assert_eq!(*rounds.lock().unwrap(), [Round::new(SECOND, 1), failed]);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_after_a_drop_and_a_panic() {
    let peer = service_fn(|panics: bool| {
        assert!(!panics, "in `call`");
        std::future::pending::<Result<(), BoxError>>()
    });
    let service = ConcurrencyLayer::new(Fixed(1)).layer(peer);
    assert!(
        tokio::spawn(service.clone().oneshot(true))
            .await
            .unwrap_err()
            .is_panic()
    );
    assert!(
        timeout(SECOND, service.clone().oneshot(false))
            .await
            .is_err()
    );
    assert_eq!(service.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_none_is_one() {
    let inner = probe(|_| std::future::ready(Ok::<_, BoxError>(())));
    let mut service = is_send(ConcurrencyLayer::new(Fixed(0)).layer(inner));
    is_send(ready_for(&mut service).await.call(()))
        .await
        .unwrap();
    assert_eq!(service.limit(), 1);
}

#[tokio::test(start_paused = true)]
async fn typed_errors_ask_nothing_of_the_inner_one() {
    #[derive(Debug, PartialEq)]
    struct NoError;
    let inner = service_fn(|()| std::future::ready(Err::<(), _>(NoError)));
    let service = ConcurrencyLayer::new(Fixed(1)).typed().layer(inner);
    assert_eq!(
        service.oneshot(()).await,
        Err(ConcurrencyError::Inner(NoError))
    );
}

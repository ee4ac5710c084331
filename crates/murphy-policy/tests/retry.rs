//! Retry: attempts, waits, bounds and what the caller is told.

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use common::{BoxError, events, probe};
use murphy_core::{Key, Scope};
use murphy_policy::{
    Attempt, Backoff, BadKnob, Budget, Classify, Kind, Once, Replay, RetryError, RetryLayer, Step,
    Verdict, find,
};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn unjittered() -> Backoff {
    Backoff::exponential(SECOND, SECOND * 60)
}

fn refused() -> BoxError {
    common::listen();
    "refused".into()
}

fn gave_up(error: &BoxError) -> &RetryError {
    find(&**error).expect("an error of the retry's own")
}

#[tokio::test(start_paused = true)]
async fn three_attempts_wait_one_and_two_seconds_and_are_exhausted() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().attempts(3).unwrap().pace(unjittered());
    let (error, events) = events(layer.layer(service.clone()).oneshot(())).await;
    assert_eq!(service.gaps(), [SECOND, SECOND * 2]);
    let error = error.unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Exhausted { attempts: 3, .. }
    ));
    assert_eq!(error.to_string(), "gave up after attempt 3; last: refused");
    assert_eq!(
        events,
        [
            "retry.wait",
            "retry.attempt",
            "retry.wait",
            "retry.attempt",
            "retry.exhausted"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_it_and_says_nothing() {
    let service = probe(|n| ready(if n < 3 { Err(refused()) } else { Ok(n) }));
    let layer = RetryLayer::new();
    assert_eq!(layer.layer(service.clone()).oneshot(()).await.unwrap(), 3);
    let service = probe(|n| ready(Ok::<_, BoxError>(n)));
    let (answer, events) = events(layer.layer(service).oneshot(())).await;
    assert_eq!((answer.unwrap(), events.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_attempt_never_retries_nor_clones_the_request() {
    let clones = Arc::new(AtomicU32::new(0));
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().attempts(1).unwrap();
    let error = layer
        .layer(service.clone())
        .oneshot(Counted(clones.clone()))
        .await
        .unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Exhausted { attempts: 1, .. }
    ));
    assert_eq!((service.calls(), clones.load(SeqCst)), (1, 0));
}

struct Counted(Arc<AtomicU32>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, SeqCst);
        Self(Arc::clone(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_request_moves_the_copy() {
    let never_left = |attempt: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(_) if attempt.number() == 2 => Verdict::Retry(Kind::NotSent),
        Err(_) => Verdict::Retry(Kind::Transient),
    };
    let clones = Arc::new(AtomicU32::new(0));
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let request = Counted(Arc::clone(&clones));
    let retry = RetryLayer::new().classify(never_left);
    let _ = retry.layer(service.clone()).oneshot(request).await;
    // 1, 2, 2 again, 3: of four requests the last is the copy.
    assert_eq!((service.calls(), clones.load(SeqCst)), (4, 3));

    // Where none never left, the last might have.
    let clones = Arc::new(AtomicU32::new(0));
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let request = Counted(Arc::clone(&clones));
    let _ = RetryLayer::new()
        .layer(service.clone())
        .oneshot(request)
        .await;
    assert_eq!((service.calls(), clones.load(SeqCst)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_repeated_gets_one_attempt_and_an_event() {
    struct Unclonable;
    for declines in [false, true] {
        let service = probe(|_| ready(Err::<(), _>(refused())));
        let (answer, events) = if declines {
            let layer = RetryLayer::new().replay(|_: &Unclonable| None);
            events(layer.layer(service.clone()).oneshot(Unclonable)).await
        } else {
            let layer = RetryLayer::new().replay(Once);
            events(layer.layer(service.clone()).oneshot(Unclonable)).await
        };
        assert_eq!(answer.unwrap_err().to_string(), "refused");
        assert_eq!(service.calls(), 1);
        assert_eq!(events, ["retry.not_replayable"]);
    }
}

/// Sends back what the error carries: nothing is copied beforehand.
#[derive(Clone)]
struct FromError;

impl Replay<String, Bounced> for FromError {
    type Saved = ();

    fn split(&self, request: String, _: &Attempt) -> (String, Option<()>) {
        (request, Some(()))
    }

    fn next(&self, (): &mut (), attempt: &Attempt, error: Option<&mut Bounced>) -> Option<String> {
        let request = error?.0.take()?;
        Some(format!("{request} {}", attempt.number()))
    }
}

#[derive(Debug)]
struct Bounced(Option<String>);

#[tokio::test(start_paused = true)]
async fn a_request_can_come_back_from_the_error_with_its_attempt_number() {
    let bounce = service_fn(async |request: String| Err::<(), _>(Bounced(Some(request))));
    let layer = RetryLayer::new().replay(FromError).typed();
    match layer.layer(bounce).oneshot("hello".into()).await {
        Err(RetryError::Exhausted { last, attempts: 3 }) => {
            assert_eq!(last.0.unwrap(), "hello 2 3");
        }
        other => panic!("{other:?}"),
    }
}

/// Retries what is safe to repeat by its first letter.
#[derive(Clone)]
struct Safe;

impl Classify<&'static str, (), BoxError> for Safe {
    type Seen = bool;

    fn see(&self, request: &&'static str) -> bool {
        request.starts_with("GET")
    }

    fn classify(&self, safe: &bool, _: &Attempt, outcome: Result<&(), &BoxError>) -> Verdict {
        match outcome {
            Err(_) if *safe => Verdict::Retry(Kind::Transient),
            Err(_) => Verdict::Terminal,
            Ok(()) => Verdict::Success,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_can_depend_on_the_request() {
    for (request, calls) in [("GET /", 3), ("POST /", 1)] {
        let service = probe(|_| ready(Err::<(), _>(refused())));
        let answer = RetryLayer::new()
            .classify(Safe)
            .layer(service.clone())
            .oneshot(request)
            .await;
        assert!(answer.is_err());
        assert_eq!(service.calls(), calls, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_reply_comes_back_as_the_reply() {
    let busy = |_: &Attempt, reply: Result<&u16, &BoxError>| match reply {
        Ok(503) => Verdict::Retry(Kind::Server),
        Ok(429) => Verdict::Forbid,
        _ => Verdict::Success,
    };
    for (status, calls, says) in [(503, 3, "retry.exhausted"), (429, 1, "retry.forbidden")] {
        let service = probe(move |_| ready(Ok::<u16, BoxError>(status)));
        let layer = RetryLayer::new().classify(busy).layer(service.clone());
        let (answer, events) = events(layer.oneshot(())).await;
        assert_eq!((answer.unwrap(), service.calls()), (status, calls));
        assert_eq!(events.last(), Some(&says));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_reply_is_let_go_before_the_wait() {
    let replies = Arc::new(());
    let held = Arc::clone(&replies);
    let service = probe(move |_| ready(Ok::<_, BoxError>(Arc::clone(&held))));
    let always = |_: &Attempt, _: Result<&Arc<()>, &BoxError>| Verdict::Retry(Kind::Server);
    let layer = RetryLayer::new().classify(always).pace(unjittered());
    let call = tokio::spawn(layer.layer(service).oneshot(()));
    tokio::time::sleep(SECOND / 2).await;
    // Ours and the script's, and none in the waiting call.
    assert_eq!(Arc::strong_count(&replies), 2);
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn pushback_is_final() {
    let forbid = |_: &Attempt, _: Result<&(), &BoxError>| Verdict::Forbid;
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let error = RetryLayer::new()
        .classify(forbid)
        .layer(service)
        .oneshot(())
        .await
        .unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Forbidden { attempts: 1, .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_obeyed_up_to_its_limit() {
    for (hint, waits) in [(SECOND * 7, SECOND * 7), (Duration::MAX, SECOND * 60)] {
        let told = move |_: &Attempt, _: Result<&(), &BoxError>| {
            Verdict::RetryAfter(Kind::Throttled, hint)
        };
        let service = probe(|_| ready(Err::<(), _>(refused())));
        let layer = RetryLayer::new()
            .classify(told)
            .pace(Backoff::none())
            .attempts(2)
            .unwrap();
        let _ = layer.layer(service.clone()).oneshot(()).await;
        assert_eq!(service.gaps(), [waits]);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_whose_hint_was_cut_do_not_return_together() {
    let told =
        |_: &Attempt, _: Result<&(), &BoxError>| Verdict::RetryAfter(Kind::Throttled, SECOND * 99);
    let layer = RetryLayer::new()
        .seed(42)
        .classify(told)
        .pace(Backoff::full_jitter(SECOND, SECOND))
        .attempts(2)
        .unwrap();
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let service = probe(|_| ready(Err::<(), _>(refused())));
        let _ = layer.layer(service.clone()).oneshot(()).await;
        waits.extend(service.gaps());
    }
    assert_eq!(waits.len(), 8, "{waits:?}");
    assert!(waits.iter().all(|wait| (60..=61).contains(&wait.as_secs())));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_pass_the_deadline_fails_at_once() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().pace(unjittered());
    let start = Instant::now();
    let call = layer.layer(service.clone()).oneshot(());
    let scope = Scope::current().with_deadline(start + SECOND * 2);
    let error = scope.enter(call).await.unwrap_err();
    // One second waited for the second attempt; the next wait of two is one too many.
    assert_eq!(start.elapsed(), SECOND);
    let want = (SECOND * 2, SECOND, 2);
    match gave_up(&error) {
        RetryError::Deadline {
            needed,
            left,
            last,
            attempts,
        } => {
            assert_eq!((*needed, *left, *attempts), want);
            assert_eq!(last.as_ref().unwrap().to_string(), "refused");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(service.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_becomes_ready_too_late_is_not_sent() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let slow = common::slow_to_ready(service.clone(), SECOND * 3);
    let budget = Budget::try_new(0.0, 5).unwrap();
    let layer = RetryLayer::new().pace(unjittered()).budget(budget.clone());
    let mut slow = layer.layer(slow);
    let call = common::ready_for(&mut slow).await.call(());
    let scope = Scope::current().with_deadline(Instant::now() + SECOND * 2);
    let error = scope.enter(call).await.unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Deadline { attempts: 1, .. }
    ));
    assert_eq!((service.calls(), budget.balance()), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_it_without_a_wait() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().pace(unjittered()).budget(budget.clone());
    let start = Instant::now();
    let error = layer.layer(service.clone()).oneshot(()).await.unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Budget {
            attempts: 2,
            last: Some(_)
        }
    ));
    assert_eq!(start.elapsed(), SECOND);
    let error = layer.layer(service.clone()).oneshot(()).await.unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Budget { attempts: 1, .. }
    ));
    assert_eq!((start.elapsed(), service.calls()), (SECOND, 3));
}

#[tokio::test(start_paused = true)]
async fn what_bounds_a_retry_says_so() {
    let service = || probe(|_| ready(Err::<(), _>(refused())));
    let broke = RetryLayer::new().budget(Budget::try_new(0.0, 0).unwrap());
    let (_, heard) = events(broke.layer(service()).oneshot(())).await;
    assert_eq!(heard, ["retry.over_budget"]);
    let late = RetryLayer::new()
        .pace(unjittered())
        .layer(service())
        .oneshot(());
    let scope = Scope::current().with_deadline(Instant::now() + SECOND);
    let (_, heard) = events(scope.enter(late)).await;
    assert_eq!(heard, ["retry.past_deadline"]);
}

#[tokio::test(start_paused = true)]
async fn the_services_of_a_layer_share_its_budget() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().attempts(100).unwrap();
    for _ in 0..10 {
        let _ = layer.clone().layer(service.clone()).oneshot(()).await;
    }
    // Ten calls, ten attempts in reserve, and a fifth of one for each call.
    assert_eq!(service.calls(), 10 + 10 + 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_everything_is_retried() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().attempts(100).unwrap().no_budget();
    let _ = layer.layer(service.clone()).oneshot(()).await;
    assert_eq!(service.calls(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_pace_is_told_the_number_the_wait_before_and_the_kind() {
    let throttled = |_: &Attempt, _: Result<&(), &BoxError>| Verdict::Retry(Kind::Throttled);
    let growing = |step: Step| {
        assert_eq!(step.kind, Kind::Throttled);
        step.previous * 3 + SECOND * (step.n + 1)
    };
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new()
        .attempts(4)
        .unwrap()
        .classify(throttled)
        .pace(growing);
    let _ = layer.layer(service.clone()).oneshot(()).await;
    assert_eq!(service.gaps(), [SECOND, SECOND * 5, SECOND * 18]);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_before_its_retry_costs_nothing() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().pace(unjittered()).budget(budget.clone());
    let waiting = layer.layer(service.clone()).oneshot(());
    assert!(tokio::time::timeout(SECOND / 2, waiting).await.is_err());
    assert_eq!((service.calls(), budget.balance()), (1, 1));

    let mut readying = layer.layer(common::slow_to_ready(service.clone(), SECOND * 9));
    let readying = common::ready_for(&mut readying).await.call(());
    assert!(tokio::time::timeout(SECOND * 5, readying).await.is_err());
    assert_eq!((service.calls(), budget.balance()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_paid_when_it_is_sent_and_not_before() {
    let budget = Budget::try_new(0.0, 3).unwrap();
    let layer = RetryLayer::new().budget(budget.clone());
    // Dropped in flight: it was sent.
    let service = probe(|n| async move {
        if n > 1 {
            pending::<()>().await;
        }
        Err::<(), _>(refused())
    });
    let call = layer.layer(service.clone()).oneshot(());
    assert!(tokio::time::timeout(SECOND * 5, call).await.is_err());
    assert_eq!((service.calls(), budget.balance()), (2, 2));
    // A panic in the inner `call`: it was not.
    let service = probe(|n| {
        assert!(n == 1, "as planned");
        ready(Err::<(), _>(refused()))
    });
    let call = tokio::spawn(layer.layer(service.clone()).oneshot(()));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((service.calls(), budget.balance()), (2, 2));
    // A panic in the verdict on it: it was.
    let second = |attempt: &Attempt, _: Result<&(), &BoxError>| {
        assert!(attempt.number() == 1, "as planned");
        Verdict::Retry(Kind::Server)
    };
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = layer.classify(second);
    let call = tokio::spawn(layer.layer(service.clone()).oneshot(()));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((service.calls(), budget.balance()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_pace_without_end_is_a_wait_without_end() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new().pace(|_: Step| Duration::MAX);
    let call = layer.layer(service.clone()).oneshot(());
    assert!(tokio::time::timeout(SECOND * 3600, call).await.is_err());
    let call = layer.layer(service.clone()).oneshot(());
    let scope = Scope::current().with_deadline(Instant::now() + SECOND);
    let error = scope.enter(call).await.unwrap_err();
    assert!(matches!(
        gave_up(&error),
        RetryError::Deadline {
            needed: Duration::MAX,
            ..
        }
    ));
    assert_eq!(service.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_refused_lets_its_instance_go() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let service = service_fn(async |()| Err::<(), _>(refused()));
    let limited = ConcurrencyLimit::new(service, 1);
    let layer = RetryLayer::new().pace(unjittered()).budget(budget.clone());
    let mut call = std::pin::pin!(layer.layer(limited.clone()).oneshot(()));
    assert!(tokio::time::timeout(SECOND / 2, &mut call).await.is_err());
    budget.acquire().unwrap().sent();
    let error = call.as_mut().await.unwrap_err();
    assert!(matches!(gave_up(&error), RetryError::Budget { .. }));
    // The call is over and its future still here: the one place is free.
    let mut limited = limited;
    tokio::time::timeout(SECOND, limited.ready())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_become_ready_ends_the_call() {
    #[derive(Clone)]
    struct Breaks(Arc<AtomicBool>);
    impl Service<()> for Breaks {
        type Response = ();
        type Error = BoxError;
        type Future = std::future::Ready<Result<(), BoxError>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(if self.0.load(SeqCst) {
                Err("gone".into())
            } else {
                Ok(())
            })
        }
        fn call(&mut self, (): ()) -> Self::Future {
            self.0.store(true, SeqCst);
            ready(Err(refused()))
        }
    }
    let budget = Budget::try_new(0.0, 1).unwrap();
    let error = RetryLayer::new()
        .budget(budget.clone())
        .layer(Breaks(Arc::default()))
        .oneshot(())
        .await
        .unwrap_err();
    assert_eq!((error.to_string().as_str(), budget.balance()), ("gone", 1));
}

/// The waits of `sessions` calls, one after another, through a layer with this seed.
async fn waits(seed: u64, sessions: u32, key: Option<Key>) -> Vec<Duration> {
    waits_at("retry", seed, sessions, key).await
}

async fn waits_at(site: &'static str, seed: u64, sessions: u32, key: Option<Key>) -> Vec<Duration> {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let pace = {
        let seen = Arc::clone(&seen);
        let backoff = Backoff::full_jitter(SECOND, SECOND * 4);
        move |step: Step| {
            let wait = murphy_policy::Pace::wait(&backoff, step);
            seen.lock().unwrap().push(wait);
            wait
        }
    };
    let layer = RetryLayer::new()
        .attempts(4)
        .unwrap()
        .no_budget()
        .seed(seed)
        .named(site)
        .pace(pace);
    for _ in 0..sessions {
        let call = layer
            .layer(probe(|_| ready(Err::<(), _>(refused()))))
            .oneshot(());
        let scope = Scope::current();
        let scope = key.map_or(scope, |key| scope.with_key(key));
        let _ = scope.enter(call).await;
    }
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_sessions_never_wait_alike_nor_past_the_cap() {
    let waits = waits(42, 1_000, None).await;
    assert_eq!(waits.len(), 3_000);
    assert!(waits.iter().all(|wait| *wait <= SECOND * 4));
    let distinct: std::collections::BTreeSet<_> = waits.iter().collect();
    assert_eq!(distinct.len(), waits.len());
    // Uniform below the cap of each retry: 1, 2 and 4 s.
    for (n, cap) in [1.0, 2.0, 4.0].into_iter().enumerate() {
        let mean: f64 = waits
            .iter()
            .skip(n)
            .step_by(3)
            .map(Duration::as_secs_f64)
            .sum::<f64>()
            / 1e3;
        assert!((mean / cap - 0.5).abs() < 0.05, "retry {n}: mean {mean}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_seed_waits_the_same_twice() {
    assert_eq!(waits(42, 100, None).await, waits(42, 100, None).await);
    assert_ne!(waits(42, 100, None).await, waits(43, 100, None).await);
}

#[tokio::test(start_paused = true)]
async fn layers_without_a_seed_do_not_wait_in_step() {
    // As a program does that makes a stack for each client.
    let mut waits = std::collections::BTreeSet::new();
    for name in ["retry", "retry", "retry", "a->b", "a->b", "a->b"] {
        let service = probe(|_| ready(Err::<(), _>(refused())));
        let pace = Backoff::full_jitter(SECOND * 60, SECOND * 60);
        let layer = RetryLayer::new().pace(pace).named(name);
        let _ = layer.layer(service.clone()).oneshot(()).await;
        waits.extend(service.gaps());
    }
    assert_eq!(waits.len(), 12, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn one_key_waits_the_same_whoever_came_before() {
    let key = Some(Key::from("order-17"));
    let once = waits(42, 1, key).await;
    assert_eq!(waits(42, 2, key).await[3..], once);
    assert_ne!(waits(42, 1, Some(Key::from("order-18"))).await, once);
}

#[test]
fn one_key_draws_the_same_under_any_threads() {
    let draws = || {
        let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
        let pace = {
            let seen = Arc::clone(&seen);
            move |step: Step| {
                seen.lock().unwrap().insert((step.n, step.draw.bits()));
                Duration::ZERO
            }
        };
        let layer = RetryLayer::new().no_budget().seed(42).pace(pace);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .build()
            .unwrap();
        runtime.block_on(async {
            let calls: Vec<_> = (0..64_u64)
                .map(|key| {
                    let service = probe(|_| ready(Err::<(), _>(refused())));
                    let call = layer.layer(service).oneshot(());
                    tokio::spawn(Scope::current().with_key(key).enter(call))
                })
                .collect();
            for call in calls {
                call.await.unwrap().unwrap_err();
            }
        });
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 64 * 2);
        seen
    };
    assert_eq!(draws(), draws());
}

#[tokio::test(start_paused = true)]
async fn one_seed_waits_otherwise_elsewhere() {
    assert_eq!(
        waits_at("retry", 42, 1, None).await,
        waits(42, 1, None).await
    );
    assert_ne!(
        waits_at("a->b", 42, 1, None).await,
        waits(42, 1, None).await
    );
}

#[tokio::test(start_paused = true)]
async fn the_session_numbers_do_not_collide_with_keys() {
    assert_ne!(
        waits(42, 1, None).await,
        waits(42, 1, Some(Key::new(0))).await
    );
}

#[test]
fn no_attempts_are_refused_by_name() {
    let error: BadKnob = RetryLayer::new().attempts(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`attempts = 0`: use 1 or more; 1 never retries"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pending_attempt_is_dropped_with_the_call() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let service = probe(move |_| {
        let held = Arc::clone(&held);
        async move {
            pending::<()>().await;
            drop(held);
            Ok::<(), BoxError>(())
        }
    });
    let call = RetryLayer::new().layer(service.clone()).oneshot(());
    assert!(tokio::time::timeout(SECOND, call).await.is_err());
    assert_eq!((service.calls(), Arc::strong_count(&alive)), (1, 2));
}

proptest! {
    #[test]
    fn no_constructor_panics(
        attempts in any::<u32>(),
        seed in any::<u64>(),
        hint in any::<Duration>(),
        base in any::<Duration>(),
        cap in any::<Duration>(),
        name in any::<String>(),
    ) {
        let layer = RetryLayer::new()
            .seed(seed)
            .longest_hint(hint)
            .pace(Backoff::full_jitter(base, cap))
            .named(name)
            .attempts(attempts);
        prop_assert_eq!(layer.is_ok(), attempts > 0);
        murphy_policy::TimeoutLayer::new(hint).layer(());
        murphy_policy::DeadlineLayer::new(hint).layer(());
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_left_costs_the_budget_nothing() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    // The first fails; then a connection is refused for as long as there are attempts.
    let verdict = |attempt: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(_) if attempt.number() == 1 => Verdict::Retry(Kind::Transient),
        Err(_) => Verdict::Retry(Kind::NotSent),
    };
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new()
        .attempts(5)
        .unwrap()
        .budget(budget.clone());
    let layer = layer.pace(Backoff::none()).classify(verdict);
    assert!(layer.layer(service.clone()).oneshot(()).await.is_err());
    // Five, and the one that was repeated for free.
    assert_eq!((service.calls(), budget.balance()), (6, 1));
    // Where it is said when to try again, that is waited for.
    let later = |_: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(_) => Verdict::RetryAfter(Kind::NotSent, SECOND),
    };
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = layer.classify(later);
    let began = Instant::now();
    assert!(layer.layer(service.clone()).oneshot(()).await.is_err());
    assert_eq!((service.calls(), began.elapsed()), (5, SECOND * 4));
    assert_eq!(budget.balance(), 1);
}

/// Whoever waits for a breaker to close has asked nobody yet: its first request is no extra one.
#[tokio::test(start_paused = true)]
async fn until_one_has_left_none_is_extra() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let verdict = |attempt: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(_) if attempt.number() < 4 => Verdict::RetryAfter(Kind::NotSent, SECOND),
        Err(_) => Verdict::Retry(Kind::Transient),
    };
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let layer = RetryLayer::new()
        .attempts(9)
        .unwrap()
        .budget(budget.clone());
    let layer = layer.pace(Backoff::none()).classify(verdict);
    let error = layer.layer(service.clone()).oneshot(()).await.unwrap_err();
    // Three that never left, one that did, and the one extra that the budget has.
    assert_eq!(service.calls(), 5);
    assert!(matches!(
        find(&*error),
        Some(RetryError::<BoxError>::Budget { attempts: 5, .. })
    ));
    assert_eq!(budget.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_requests_own_budget_pays_and_the_layers_does_not() {
    let (own, layers) = (Budget::try_new(0.0, 1).unwrap(), Budget::unlimited());
    let pays = own.clone();
    let layer = RetryLayer::new().budget(layers).pace(unjittered());
    let layer = layer.budget_by(move |(): &()| pays.clone());
    let peer = probe(|_| ready(Err::<(), _>(refused())));
    for (calls, left) in [(2, 0), (3, 0)] {
        let error = layer.layer(peer.clone()).oneshot(()).await.unwrap_err();
        assert!(matches!(gave_up(&error), RetryError::Budget { .. }));
        assert_eq!((peer.calls(), own.balance()), (calls, left));
    }
}

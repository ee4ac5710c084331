//! The hedge's promises, as scripts: nobody who fails beats somebody who is slow.

mod common;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{BoxError, events, probe, slow_to_ready};
use murphy_core::Scope;
use murphy_policy::hedge::{Delay, Idempotent};
use murphy_policy::timeout::Quantile;
use murphy_policy::{Attempt, Budget, HedgeLayer, Kind, RetryLayer, Verdict};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt};

type BoxFuture = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

const MS: Duration = Duration::from_millis(1);

/// What the n-th request does: after so many milliseconds, a success or a failure.
async fn step(script: &'static [(u64, bool)], n: u32) -> Result<u32, BoxError> {
    let (millis, works) = script[n as usize - 1];
    sleep(MS * millis as u32).await;
    if works {
        Ok(n)
    } else {
        Err(format!("failure {n}").into())
    }
}

/// Calls once, hedging after 10 ms with at most so many attempts: what came, after how many
/// milliseconds, and how many requests were made.
async fn call(attempts: u32, script: &'static [(u64, bool)]) -> (Result<u32, String>, u64, u32) {
    let service = probe(move |n| step(script, n));
    let layer = HedgeLayer::new(MS * 10, Idempotent)
        .attempts(attempts)
        .unwrap();
    let began = Instant::now();
    let outcome = layer.layer(service.clone()).oneshot(()).await;
    let outcome = outcome.map_err(|error| error.to_string());
    let millis = began.elapsed().as_millis() as u64;
    (outcome, millis, service.calls())
}

#[tokio::test(start_paused = true)]
async fn the_first_success_wins() {
    let failed = |n: u32| Err(format!("failure {n}"));
    for (name, attempts, script, want) in [
        ("quick enough", 2, &[(9, true)][..], (Ok(1), 9, 1)),
        (
            "slow, and a hedge is quicker",
            2,
            &[(900, true), (4, true)],
            (Ok(2), 14, 2),
        ),
        (
            "slow, and still first",
            2,
            &[(12, true), (40, true)],
            (Ok(1), 12, 2),
        ),
        (
            "a hedge that fails does not beat a slow first",
            2,
            &[(50, true), (1, false)],
            (Ok(1), 50, 2),
        ),
        (
            "a failure is followed at once",
            2,
            &[(3, false), (4, true)],
            (Ok(2), 7, 2),
        ),
        (
            "all fail: the first failure",
            3,
            &[(3, false), (4, false), (1, false)],
            (failed(1), 8, 3),
        ),
        (
            "all fail, the first last",
            3,
            &[(40, false), (1, false), (1, false)],
            (failed(1), 40, 3),
        ),
        (
            "each has its delay",
            4,
            &[(900, true), (900, true), (900, true), (5, true)],
            (Ok(4), 35, 4),
        ),
        (
            "at most so many",
            3,
            &[(900, true), (800, true), (700, true)],
            (Ok(3), 720, 3),
        ),
        ("one only", 1, &[(900, true)], (Ok(1), 900, 1)),
        ("one only, which fails", 1, &[(9, false)], (failed(1), 9, 1)),
    ] {
        assert_eq!(call(attempts, script).await, want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_ends_the_call() {
    let fatal = |attempt: &Attempt, outcome: Result<&u32, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) if attempt.number() == 2 => Verdict::Terminal,
        Err(_) => Verdict::Forbid,
    };
    for (name, script, want, calls) in [
        ("of the first", &[(5, false)][..], "failure 1", 1),
        ("of a hedge", &[(900, true), (5, false)], "failure 2", 2),
    ] {
        let service = probe(move |n| step(script, n));
        let layer = HedgeLayer::new(MS * 10, Idempotent).classify(fatal);
        let error = layer.layer(service.clone()).oneshot(()).await.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), service.calls()),
            (want, calls),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_twice_is_sent_once() {
    let service = probe(|n| step(&[(900, false)], n));
    let layer = HedgeLayer::new(MS * 10, |(): &()| false);
    let (outcome, heard) = events(layer.layer(service.clone()).oneshot(())).await;
    assert!(outcome.is_err());
    assert_eq!((service.calls(), heard), (1, vec!["hedge.not_repeatable"]));
}

#[tokio::test(start_paused = true)]
async fn each_hedge_is_paid_when_it_is_sent() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    let layer = HedgeLayer::new(MS * 10, Idempotent)
        .attempts(3)
        .unwrap()
        .budget(budget.clone());
    let service = probe(|n| step(&[(50, true), (50, true)], n));
    let (outcome, heard) = events(layer.layer(service.clone()).oneshot(())).await;
    assert_eq!((outcome.unwrap(), service.calls()), (1, 2));
    assert_eq!(heard, ["hedge.sent", "hedge.over_budget"]);
    assert_eq!(budget.balance(), 0);
    // Dropped while it readies: nothing was sent.
    let budget = Budget::try_new(0.0, 1).unwrap();
    let layer = HedgeLayer::new(MS * 10, Idempotent).budget(budget.clone());
    let service = probe(|n| step(&[(50, true)], n));
    let mut slow = layer.layer(slow_to_ready(service.clone(), MS * 30));
    let call = Service::call(common::ready_for(&mut slow).await, ());
    assert!(tokio::time::timeout(MS * 20, call).await.is_err());
    assert_eq!((service.calls(), budget.balance()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_when_is_asked_then() {
    let busy = |_: &Attempt, outcome: Result<&u32, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::RetryAfter(Kind::Throttled, MS * 100),
    };
    let service = probe(|n| step(&[(5, false), (5, true)], n));
    let layer = HedgeLayer::new(MS * 10, Idempotent).classify(busy);
    let began = Instant::now();
    assert_eq!(layer.layer(service.clone()).oneshot(()).await.unwrap(), 2);
    assert_eq!(began.elapsed(), MS * 110);
}

#[tokio::test(start_paused = true)]
async fn no_delay_sends_all_at_once() {
    let service = probe(|n| step(&[(30, true), (20, true), (10, true)], n));
    let layer = HedgeLayer::new(Duration::ZERO, Idempotent)
        .attempts(3)
        .unwrap();
    let began = Instant::now();
    assert_eq!(layer.layer(service.clone()).oneshot(()).await.unwrap(), 3);
    assert!(began.elapsed() <= MS * 13, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hedges_know_which_attempt_they_are() {
    let service = tower::service_fn(|(): ()| {
        let attempt = Scope::current().attempt();
        async move {
            sleep(if attempt == 1 { MS * 900 } else { MS }).await;
            Ok::<_, BoxError>(attempt)
        }
    });
    let layer = HedgeLayer::new(MS * 10, Idempotent);
    assert_eq!(layer.layer(service).oneshot(()).await.unwrap(), 2);
}

/// Every request fails: of `n` calls, ⌊p·n⌋ + reserve further requests are made, hedges and retries
/// together.
#[tokio::test(start_paused = true)]
async fn hedge_and_retry_share_one_exact_budget() {
    for (ratio, reserve) in [(0.1, 0), (0.25, 5), (1.0, 0)] {
        let budget = Budget::try_new(ratio, reserve).unwrap();
        let service = probe(|_| ready(Err::<(), BoxError>("down".into())));
        let retry = RetryLayer::new()
            .attempts(3)
            .unwrap()
            .budget(budget.clone());
        let hedge = HedgeLayer::new(MS * 10, Idempotent)
            .attempts(3)
            .unwrap()
            .sharing(budget);
        let stack = hedge.layer(retry.layer(service.clone()));
        for _ in 0..400 {
            assert!(stack.clone().oneshot(()).await.is_err());
        }
        let extra = f64::from(service.calls()) - 400.0;
        let want = (ratio * 400.0_f64).floor() + f64::from(reserve);
        assert!((extra - want).abs() <= 1.0, "{extra} of {want}");
    }
}

/// Remembers what it is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(bool, u64)>>>);

impl Delay<()> for Told {
    fn delay(&self, (): &()) -> Option<Duration> {
        Some(MS * 10)
    }
    fn learns(&self) -> bool {
        true
    }
    fn answered(&self, after: Duration) {
        self.0
            .lock()
            .unwrap()
            .push((true, after.as_millis() as u64));
    }
    fn censored(&self, after: Duration) {
        self.0
            .lock()
            .unwrap()
            .push((false, after.as_millis() as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn losers_are_measured_too() {
    for (name, script, want) in [
        ("alone", &[(5, true)][..], &[(true, 5)][..]),
        (
            "a hedge won",
            &[(900, true), (4, true)],
            &[(true, 4), (false, 14)],
        ),
        (
            "the first won",
            &[(20, true), (40, true)],
            &[(true, 20), (false, 10)],
        ),
        (
            "a failure tells nothing",
            &[(5, false), (7, true)],
            &[(true, 7)],
        ),
    ] {
        let told = Told::default();
        let service = probe(move |n| step(script, n));
        let layer = HedgeLayer::new(told.clone(), Idempotent);
        layer.layer(service).oneshot(()).await.unwrap();
        assert_eq!(*told.0.lock().unwrap(), want, "{name}");
    }
    // The caller left.
    let told = Told::default();
    let service = probe(|n| step(&[(900, true), (900, true)], n));
    let call = HedgeLayer::new(told.clone(), Idempotent)
        .layer(service)
        .oneshot(());
    assert!(tokio::time::timeout(MS * 50, call).await.is_err());
    assert_eq!(*told.0.lock().unwrap(), [(false, 50), (false, 40)]);
}

/// Where each tenth request stalls, the 95th percentile is that of the stalls, and stays it, although
/// hedges win against nearly all of them.
#[tokio::test(start_paused = true)]
async fn a_percentile_does_not_drift_with_the_luck_of_the_winners() {
    let p95 = Quantile::try_new(0.95, MS, MS * 1000)
        .unwrap()
        .factor(1.0)
        .unwrap();
    let service = probe(|n| async move {
        sleep(if n % 10 == 0 { MS * 200 } else { MS * 5 }).await;
        Ok::<_, BoxError>(n)
    });
    let layer = HedgeLayer::new(p95.clone(), Idempotent).budget(Budget::unlimited());
    let hedge = layer.layer(service.clone());
    for _ in 0..4000 {
        hedge.clone().oneshot(()).await.unwrap();
    }
    let delay = Delay::<()>::delay(&p95, &()).unwrap();
    assert!((MS * 180..MS * 220).contains(&delay), "{delay:?}");
    let hedged = f64::from(service.calls()) / 4000.0;
    assert!(hedged < 1.02, "{hedged}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_breaks_while_it_readies_ends_no_call() {
    /// Ready for its first call, and broken from then on, clones included.
    #[derive(Clone)]
    struct Breaks(Arc<AtomicBool>);
    impl Service<()> for Breaks {
        type Response = u32;
        type Error = BoxError;
        type Future = BoxFuture;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            let broken = self.0.swap(true, SeqCst);
            Poll::Ready(if broken { Err("broken".into()) } else { Ok(()) })
        }
        fn call(&mut self, (): ()) -> BoxFuture {
            Box::pin(async {
                sleep(MS * 50).await;
                Ok(1)
            })
        }
    }
    let service = HedgeLayer::new(MS * 10, Idempotent).layer(Breaks(Arc::default()));
    assert_eq!(service.oneshot(()).await.unwrap(), 1);
}

#[test]
fn a_number_of_attempts_that_cannot_be_is_named() {
    for attempts in [0, 6, u32::MAX] {
        let layer = HedgeLayer::new(MS, Idempotent);
        let e = layer.attempts(attempts).map(|_| ()).unwrap_err();
        assert_eq!((e.field, e.value), ("hedge.attempts", attempts.to_string()));
    }
}

#[tokio::test]
async fn what_is_answered_at_once_needs_no_timer_and_no_runtime_of_its_own() {
    let service = tower::service_fn(|n: u32| ready(Ok::<_, BoxError>(n)));
    let call = HedgeLayer::new(MS, Idempotent).layer(service).oneshot(7);
    let runtime_without_timers = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(call).unwrap()
    });
    assert_eq!(runtime_without_timers.join().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_more_time_than_there_is_has_answered() {
    let busy = |_: &Attempt, outcome: Result<&u32, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::RetryAfter(Kind::Throttled, MS * 30_000),
    };
    for script in [&[(5, false)][..], &[(15, false), (5, false)]] {
        let service = probe(move |n| step(script, n));
        let layer = HedgeLayer::new(MS * 10, Idempotent).classify(busy);
        let began = Instant::now();
        let scope = Scope::current().with_deadline(began + MS * 2_000);
        let call = layer.layer(service.clone()).oneshot(());
        assert_eq!(
            scope.enter(call).await.unwrap_err().to_string(),
            "failure 1"
        );
        assert!(began.elapsed() <= MS * 15, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_request_that_succeeds_is_told_to_the_budget_that_it_pays_into() {
    let budget = Budget::grpc(2, 0.5).unwrap();
    budget.failed();
    budget.failed();
    assert_eq!(budget.balance(), 0);
    let hedge = HedgeLayer::new(MS * 10, Idempotent).budget(budget.clone());
    let sharing = HedgeLayer::new(MS * 10, Idempotent).sharing(budget.clone());
    let service = probe(|n| step(&[(1, true); 8], n));
    for _ in 0..4 {
        sharing.layer(service.clone()).oneshot(()).await.unwrap();
    }
    // A retry beneath would have told it.
    assert_eq!(budget.balance(), 0);
    for _ in 0..4 {
        hedge.layer(service.clone()).oneshot(()).await.unwrap();
    }
    assert_eq!(budget.balance(), 1);
}

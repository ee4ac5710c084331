//! What a budget is owed, where a call takes an unusual way out.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::Scope;
use murphy_policy::hedge::Idempotent;
use murphy_policy::{
    Attempt, Backoff, BoxError, Budget, BulkheadLayer, Factory, HedgeLayer, Kind, RetryLayer,
    Verdict,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

type Error = &'static str;

/// Errors are what they say.
fn as_said(_: &Attempt, outcome: Result<&u32, &Error>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Success,
        Err(&"not sent") => Verdict::Retry(Kind::NotSent),
        Err(_) => Verdict::Retry(Kind::Transient),
    }
}

/// Fails like this, one call after the other, and answers when there is no more to say; ready only so
/// often.
#[derive(Clone)]
struct Says {
    errors: Arc<Mutex<Vec<Error>>>,
    ready: Arc<AtomicU32>,
}

impl Says {
    fn new(errors: &[Error], ready: u32) -> Self {
        let errors = errors.iter().rev().copied().collect();
        Self {
            errors: Arc::new(Mutex::new(errors)),
            ready: Arc::new(AtomicU32::new(ready)),
        }
    }
}

impl Service<u32> for Says {
    type Response = u32;
    type Error = Error;
    type Future = std::future::Ready<Result<u32, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let less = |n: u32| n.checked_sub(1);
        match self.ready.fetch_update(SeqCst, SeqCst, less) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(_) => Poll::Pending,
        }
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let error = self.errors.lock().unwrap().pop();
        std::future::ready(error.map_or(Ok(request), Err))
    }
}

fn retry(budget: &Budget) -> RetryLayer<fn(&Attempt, Result<&u32, &Error>) -> Verdict> {
    RetryLayer::new()
        .attempts(5)
        .unwrap()
        .pace(Backoff::none())
        .classify(as_said as fn(&Attempt, Result<&u32, &Error>) -> Verdict)
        .budget(budget.clone())
}

#[tokio::test(start_paused = true)]
async fn what_never_left_is_returned_where_its_repetition_is_dropped_before_it_is_sent() {
    for budget in [
        Budget::try_new(0.0, 5).unwrap(),
        Budget::in_flight(0.0, 5).unwrap(),
        Budget::aws_standard(),
    ] {
        let before = budget.balance();
        // Ready for the first and for the second attempt, and not for the repetition of that.
        let says = Says::new(&["lost", "not sent"], 2);
        let call = retry(&budget).typed().layer(says).oneshot(1);
        assert!(tokio::time::timeout(MS, call).await.is_err());
        assert_eq!(budget.balance(), before, "{budget:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_left_is_returned_where_it_cannot_be_repeated() {
    let budget = Budget::try_new(0.0, 5).unwrap();
    let copies = AtomicU32::new(1);
    let one_more = Arc::new(move |_: &Attempt| {
        let less = |n: u32| n.checked_sub(1);
        copies.fetch_update(SeqCst, SeqCst, less).ok()
    });
    let says = Says::new(&["lost", "not sent"], 99);
    let layer = retry(&budget).replay(Factory(move |attempt: &Attempt| one_more(attempt)));
    layer.typed().layer(says).oneshot(1).await.unwrap_err();
    assert_eq!(budget.balance(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_never_left_pays_for_its_repetition_and_that_once() {
    let budget = Budget::try_new(0.0, 5).unwrap();
    let says = Says::new(&["lost", "not sent"], 99);
    assert_eq!(retry(&budget).typed().layer(says).oneshot(1).await, Ok(1));
    assert_eq!(budget.balance(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_counts_for_nothing_in_a_budget_of_its_own() {
    let budget = Budget::in_flight(1.0, 0).unwrap();
    let own = budget.clone();
    let layer = RetryLayer::new().budget_by(move |_: &u32| own.clone());
    let mut service = layer.layer(service_fn(|_: u32| {
        std::future::pending::<Result<u32, BoxError>>()
    }));
    let first = service.ready().await.unwrap().call(1);
    assert_eq!(budget.balance(), 1);
    let ready = service.ready().await.unwrap();
    let repeated = Scope::current().with_attempt(2).sync(|| ready.call(1));
    assert_eq!(budget.balance(), 1);
    drop((first, repeated));
    assert_eq!(budget.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_never_left_costs_nothing() {
    let budget = Budget::try_new(0.0, 5).unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let service = ServiceBuilder::new()
        .layer(
            HedgeLayer::new(MS * 10, Idempotent)
                .classify(as_said)
                .budget(budget.clone()),
        )
        .service(service_fn(move |request: u32| {
            let n = calls.fetch_add(1, SeqCst);
            async move {
                if n > 0 {
                    return Err("not sent");
                }
                tokio::time::sleep(MS * 50).await;
                Ok(request)
            }
        }));
    assert_eq!(service.oneshot(1).await, Ok(1));
    assert_eq!(budget.balance(), 5);
}

#[tokio::test(start_paused = true)]
async fn one_budget_counts_a_failure_once_though_a_hedge_lies_above_the_retry() {
    let budget = Budget::grpc(10, 0.1).unwrap();
    let service = ServiceBuilder::new()
        .layer(HedgeLayer::new(MS * 10, Idempotent).sharing(budget.clone()))
        .layer(
            RetryLayer::new()
                .attempts(1)
                .unwrap()
                .budget(budget.clone()),
        )
        .service(service_fn(async |_: u32| {
            Err::<u32, BoxError>("lost".into())
        }));
    service.oneshot(1).await.unwrap_err();
    // Two attempts failed: eight tokens are left, of which five are never spent.
    assert_eq!(budget.balance(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_budget_counts_a_success_once_though_a_hedge_lies_above_the_retry() {
    let budget = Budget::grpc(10, 0.5).unwrap();
    (0..4).for_each(|_| budget.failed());
    let service = ServiceBuilder::new()
        .layer(HedgeLayer::new(MS * 10, Idempotent).sharing(budget.clone()))
        .layer(
            RetryLayer::new()
                .attempts(1)
                .unwrap()
                .budget(budget.clone()),
        )
        .service(service_fn(async |n: u32| Ok::<u32, BoxError>(n)));
    for _ in 0..4 {
        service.clone().oneshot(1).await.unwrap();
    }
    // Six were left, and four successes at a half each are two.
    assert_eq!(budget.balance(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_waited_in_a_queue_still_knows_which_it_is() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new().pace(Backoff::none()))
        .layer(BulkheadLayer::new(1).unwrap())
        .service(service_fn(move |name: &'static str| {
            let attempt = Scope::current().attempt();
            notes.lock().unwrap().push((name, attempt));
            async move {
                tokio::time::sleep(MS * 10).await;
                match (name, attempt) {
                    ("a", 1) => Err(BoxError::from("lost")),
                    _ => Ok(()),
                }
            }
        }));
    let (a, b) = tokio::join!(service.clone().oneshot("a"), service.clone().oneshot("b"));
    a.unwrap();
    b.unwrap();
    assert_eq!(*seen.lock().unwrap(), [("a", 1), ("b", 1), ("a", 2)]);
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn with_towers_retry_too_each_requests_own_budget_pays() {
    let (own, other) = (
        Budget::try_new(0.0, 1).unwrap(),
        Budget::try_new(1.0, 9).unwrap(),
    );
    let pays = own.clone();
    let layer = RetryLayer::new()
        .pace(Backoff::none())
        .budget(other.clone())
        .budget_by(move |_: &u32| pays.clone());
    let service = ServiceBuilder::new()
        .layer(tower::retry::RetryLayer::new(layer.into_tower()))
        .service(service_fn(async |_: u32| {
            Err::<u32, _>(BoxError::from("lost"))
        }));
    service.oneshot(1).await.unwrap_err();
    assert_eq!((own.balance(), other.balance()), (0, 9));
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn with_towers_retry_too_a_repetition_pays_nothing_in() {
    use murphy_policy::adapt::Bounded;

    let budget = Budget::try_new(1.0, 0).unwrap();
    let never = Budget::unlimited();
    let decides = RetryLayer::new().attempts(1).unwrap().budget(never);
    let policy = Bounded::new(decides.into_tower()).budget(budget.clone());
    let service = ServiceBuilder::new()
        .layer(tower::retry::RetryLayer::new(policy))
        .service(service_fn(async |_: u32| {
            Err::<u32, _>(BoxError::from("lost"))
        }));
    for (attempt, want) in [(1, 1), (2, 1)] {
        let scope = Scope::current().with_attempt(attempt);
        scope.enter(service.clone().oneshot(1)).await.unwrap_err();
        assert_eq!(budget.balance(), want, "attempt {attempt}");
    }
}

//! To and from tower's retry.
#![cfg(feature = "tower")]

mod common;

use std::future::{Ready, ready};
use std::time::Duration;

use common::{BoxError, events, probe};
use murphy_core::Scope;
use murphy_policy::adapt::Bounded;
use murphy_policy::{Attempt, Backoff, Budget, Kind, RetryLayer, Verdict};
use tokio::time::Instant;
use tower::retry::{Policy, RetryLayer as TowerLayer};
use tower::{Layer, ServiceExt};

const SECOND: Duration = Duration::from_secs(1);

fn refused() -> BoxError {
    "refused".into()
}

#[tokio::test(start_paused = true)]
async fn towers_retry_decides_as_ours() {
    let pace = Backoff::exponential(SECOND, SECOND * 60);
    let policy = || RetryLayer::new().pace(pace).into_tower();
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let began = Instant::now();
    let call = TowerLayer::new(policy()).layer(service.clone()).oneshot(());
    let (outcome, heard) = events(call).await;
    assert_eq!(outcome.unwrap_err().to_string(), "refused");
    assert_eq!((service.calls(), began.elapsed()), (3, SECOND * 3));
    assert_eq!(heard, ["retry.wait", "retry.wait", "retry.exhausted"]);

    // A wait that would pass the deadline ends the call at once.
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let scope = Scope::current().with_deadline(Instant::now() + SECOND * 2);
    let began = Instant::now();
    let call = TowerLayer::new(policy()).layer(service.clone()).oneshot(());
    assert!(scope.enter(call).await.is_err());
    assert_eq!((service.calls(), began.elapsed()), (2, SECOND));
}

#[tokio::test(start_paused = true)]
async fn each_call_is_its_own_and_all_share_the_budget() {
    let budget = Budget::try_new(0.0, 3).unwrap();
    let policy = RetryLayer::new()
        .pace(Backoff::none())
        .budget(budget.clone());
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let retry = TowerLayer::new(policy.into_tower()).layer(service.clone());
    for calls in [3, 5, 6] {
        assert!(retry.clone().oneshot(()).await.is_err());
        assert_eq!(service.calls(), calls);
    }
    assert_eq!(budget.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn hints_and_free_repeats_are_known_to_towers_retry_too() {
    let judge = |_: &Attempt, outcome: Result<&u32, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(error) if error.to_string() == "unsent" => Verdict::Retry(Kind::NotSent),
        Err(_) => Verdict::RetryAfter(Kind::Throttled, SECOND * 5),
    };
    let layer = RetryLayer::new().attempts(2).unwrap().classify(judge);
    let service = probe(|n| {
        ready(match n {
            1 => Err("unsent".into()),
            2 => Err("busy".into()),
            n => Ok(n),
        })
    });
    let began = Instant::now();
    let policy = layer.pace(Backoff::none()).into_tower();
    let call = TowerLayer::new(policy).layer(service.clone()).oneshot(());
    assert_eq!(call.await.unwrap(), 3);
    assert_eq!(began.elapsed(), SECOND * 5);
}

/// Repeats whatever fails, for ever.
#[derive(Clone, Debug)]
struct Always;

impl Policy<(), (), BoxError> for Always {
    type Future = Ready<()>;

    fn retry(&mut self, (): &mut (), result: &mut Result<(), BoxError>) -> Option<Ready<()>> {
        result.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, (): &()) -> Option<()> {
        Some(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_somebody_else_is_kept_within_bounds() {
    let service = probe(|_| ready(Err::<(), _>(refused())));
    let bounded = Bounded::new(Always).attempts(4).unwrap();
    let call = TowerLayer::new(bounded).layer(service.clone()).oneshot(());
    assert!(call.await.is_err());
    assert_eq!(service.calls(), 4, "attempts");

    let service = probe(|_| ready(Err::<(), _>(refused())));
    let budget = Budget::try_new(0.0, 1).unwrap();
    let bounded = Bounded::new(Always).attempts(9).unwrap().budget(budget);
    let call = TowerLayer::new(bounded).layer(service.clone()).oneshot(());
    assert!(call.await.is_err());
    assert_eq!(service.calls(), 2, "the budget");

    let service = probe(|_| async {
        tokio::time::sleep(SECOND).await;
        Err::<(), _>(refused())
    });
    let bounded = Bounded::new(Always).attempts(9).unwrap();
    let scope = Scope::current().with_deadline(Instant::now() + SECOND * 3);
    let call = TowerLayer::new(bounded).layer(service.clone()).oneshot(());
    assert!(scope.enter(call).await.is_err());
    assert_eq!(service.calls(), 3, "the deadline");

    assert_eq!(
        Bounded::new(Always).attempts(0).unwrap_err().field,
        "attempts"
    );
}

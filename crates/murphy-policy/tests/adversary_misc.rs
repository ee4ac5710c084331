//! Sums and orders at the edge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use murphy_core::Scope;
use murphy_policy::hedge::Idempotent;
use murphy_policy::{
    Attempt, Backoff, BoxError, Budget, DeadlineLayer, HedgeLayer, Hints, Kind, Pace, RetryError,
    RetryLayer, Rule, Stack, Step, TimeoutLayer, Verdict, find,
};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn no_hint_and_no_number_is_too_large() {
    for hints in [
        Hints::Plus,
        Hints::Exact,
        Hints::Spread,
        Hints::Within(Duration::MAX),
    ] {
        for longest in [Duration::ZERO, SECOND, Duration::MAX] {
            let judge = |_: &Attempt, _: Result<&(), &BoxError>| {
                Verdict::RetryAfter(Kind::Throttled, Duration::MAX)
            };
            let service = ServiceBuilder::new()
                .layer(DeadlineLayer::new(SECOND * 9))
                .layer(
                    RetryLayer::new()
                        .attempts(u32::MAX)
                        .unwrap()
                        .pace(Backoff::constant(SECOND))
                        .hints(hints)
                        .longest_hint(longest)
                        .shortest_attempt(Duration::MAX)
                        .no_budget()
                        .classify(judge),
                )
                .service(service_fn(async |(): ()| Err::<(), BoxError>("no".into())));
            let error = service.oneshot(()).await.unwrap_err();
            let late = find::<RetryError<BoxError>>(&*error);
            assert!(
                matches!(late, Some(RetryError::Deadline { attempts: 1, .. })),
                "{hints:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_is_the_end_and_no_permit_is_taken() {
    let budget = Budget::try_new(0.0, 3).unwrap();
    let service = ServiceBuilder::new()
        .layer(
            RetryLayer::new()
                .pace(Backoff::none())
                .budget(budget.clone()),
        )
        .service(service_fn(async |(): ()| Err::<(), BoxError>("no".into())));
    let past = Scope::current().with_deadline(Instant::now());
    tokio::time::advance(SECOND).await;
    let error = past.enter(service.oneshot(())).await.unwrap_err();
    let late = find::<RetryError<BoxError>>(&*error);
    assert!(matches!(late, Some(RetryError::Deadline { .. })), "{error}");
    assert_eq!(budget.balance(), 3);
}

#[tokio::test(start_paused = true)]
async fn nested_repeaters_with_one_budget_grant_exactly_what_it_has() {
    for (ratio, reserve, calls, want) in [(0.5, 0, 10, 15), (0.0, 4, 3, 7), (0.2, 0, 25, 30)] {
        let budget = Budget::try_new(ratio, reserve).unwrap();
        let sent = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&sent);
        let retry = || {
            RetryLayer::new()
                .attempts(3)
                .unwrap()
                .pace(Backoff::none())
                .budget(budget.clone())
        };
        let service = ServiceBuilder::new()
            .layer(
                HedgeLayer::new(MS, Idempotent)
                    .attempts(5)
                    .unwrap()
                    .sharing(budget.clone()),
            )
            .layer(retry())
            .layer(
                HedgeLayer::new(MS, Idempotent)
                    .attempts(3)
                    .unwrap()
                    .sharing(budget.clone()),
            )
            .service(service_fn(move |(): ()| {
                count.fetch_add(1, SeqCst);
                async { Err::<(), BoxError>("no".into()) }
            }));
        for _ in 0..calls {
            service.clone().oneshot(()).await.unwrap_err();
        }
        assert_eq!(sent.load(SeqCst), want, "{ratio}, {reserve}");
    }
}

#[test]
fn a_hedge_with_a_purse_of_its_own_is_refused_for_what_it_does() {
    let unsound = Stack::new()
        .layer(HedgeLayer::new(MS, Idempotent))
        .layer(RetryLayer::new().budget_by(|(): &()| Budget::default()))
        .layer(TimeoutLayer::new(SECOND))
        .build()
        .unwrap_err();
    assert!(unsound.breaks(Rule::OnePurse));
    assert!(
        !unsound.to_string().contains("into one budget"),
        "{unsound}"
    );
}

#[test]
fn what_is_linear_stays_linear() {
    let pace = Backoff::linear(SECOND, SECOND * 1000)
        .multiplier(3.0)
        .unwrap();
    let mut step = Step::first(murphy_core::Draw::from_bits(0));
    step.n = 2;
    assert_eq!(pace.wait(step), SECOND * 3);
}

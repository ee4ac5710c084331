//! Orders that are wrong and look right, and sums that do not add up.

use std::time::Duration;

use murphy_policy::hedge::Idempotent;
use murphy_policy::stack::{Part, check};
use murphy_policy::{
    Attempt, Backoff, BoxError, BreakerLayer, Budget, BulkheadLayer, DeadlineLayer, HedgeLayer,
    RetryLayer, Rule, Stack, TimeoutLayer, Verdict,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_layer_whose_requests_have_budgets_of_their_own_does_not_name_its_own() {
    let layer = RetryLayer::new().budget_by(|_: &u32| Budget::unlimited());
    let stack = Stack::new().layer(layer).layer(TimeoutLayer::new(SECOND));
    let report = stack.build().unwrap().report().clone();
    assert!(matches!(
        &report.parts()[0],
        Part::Retry { budget: None, .. }
    ));
    assert_eq!(report.amplification(), None);
}

#[test]
fn a_breaker_beneath_the_timeout_is_told_of_no_timeout() {
    let unsound = Stack::new()
        .layer(TimeoutLayer::new(SECOND))
        .layer(BreakerLayer::new())
        .build();
    assert!(unsound.unwrap_err().breaks(Rule::TimeoutsCounted));
}

#[test]
fn a_fallback_beneath_a_retry_leaves_it_nothing_to_repeat() {
    let timeout = Part::Timeout { most: Some(SECOND) };
    let retry = Part::Retry {
        attempts: 3,
        waits: Some(SECOND),
        longest_hint: SECOND,
        budget: None,
    };
    let unsound = check(&[retry, Part::Fallback, timeout]).unwrap_err();
    assert!(unsound.breaks(Rule::FallbackOutside));
}

#[test]
fn a_bulkhead_lies_within_a_hedge() {
    let unsound = Stack::new()
        .layer(BulkheadLayer::new(1).unwrap())
        .layer(HedgeLayer::new(SECOND, Idempotent))
        .layer(TimeoutLayer::new(SECOND))
        .build();
    assert!(unsound.unwrap_err().breaks(Rule::NothingHeldAsleep));
}

#[test]
fn the_shorter_of_two_deadlines_counts() {
    let unsound = Stack::new()
        .layer(DeadlineLayer::new(SECOND * 60))
        .layer(DeadlineLayer::new(SECOND))
        .layer(RetryLayer::new().pace(Backoff::none()))
        .layer(TimeoutLayer::new(SECOND))
        .build()
        .unwrap_err();
    assert!(unsound.breaks(Rule::FitsDeadline));
}

#[test]
fn numbers_without_end_make_no_report_panic() {
    let stack = Stack::new()
        .layer(DeadlineLayer::new(Duration::MAX))
        .layer(
            HedgeLayer::new(Duration::MAX, Idempotent)
                .attempts(5)
                .unwrap()
                .budget(Budget::unlimited()),
        )
        .layer(
            RetryLayer::new()
                .attempts(u32::MAX)
                .unwrap()
                .pace(Backoff::constant(Duration::MAX))
                .no_budget(),
        )
        .layer(TimeoutLayer::new(Duration::MAX))
        .build();
    let _ = stack
        .map(|stack| stack.report().to_string())
        .map_err(|e| e.to_string());
}

#[test]
fn what_judges_takes_the_place_of_what_judged_and_of_its_budgets() {
    let judge = |_: &Attempt, outcome: Result<&u32, &BoxError>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Terminal,
    };
    let layer = RetryLayer::new()
        .budget_by(|_: &u32| Budget::unlimited())
        .classify(judge);
    let stack = Stack::new().layer(layer).layer(TimeoutLayer::new(SECOND));
    let report = stack.build().unwrap().report().clone();
    assert!(matches!(
        &report.parts()[0],
        Part::Retry {
            budget: Some(_),
            ..
        }
    ));
}

#[test]
fn the_shorter_of_two_timeouts_counts() {
    let stack = Stack::new()
        .layer(DeadlineLayer::new(SECOND * 4))
        .layer(RetryLayer::new().pace(Backoff::none()))
        .layer(TimeoutLayer::new(SECOND))
        .layer(TimeoutLayer::new(SECOND * 5))
        .build()
        .unwrap();
    assert_eq!(stack.report().longest(), Some(SECOND * 3));
}

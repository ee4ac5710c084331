//! What a stack says of its worst case is no less than what happens.

mod common;

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use common::BoxError;
use murphy_policy::concurrency::Aimd;
use murphy_policy::hedge::Idempotent;
use murphy_policy::stack::Report;
use murphy_policy::{
    Attempt, Backoff, Budget, BulkheadLayer, ConcurrencyLayer, DeadlineLayer, HedgeLayer, Kind,
    RetryLayer, Rule, Stack, TimeoutLayer, Verdict,
};
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::Instant;
use tower::{ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const CALLS: u32 = 1_000;

/// One of each kind, as most would make it.
fn budgets() -> [(&'static str, Budget); 8] {
    [
        ("a fifth", Budget::try_new(0.2, 0).unwrap()),
        ("a fifth, and a reserve", Budget::try_new(0.2, 25).unwrap()),
        ("in flight", Budget::in_flight(0.2, 3).unwrap()),
        ("AWS 2.0", Budget::aws_standard()),
        ("AWS 2.1", Budget::aws_standard_2_1()),
        ("gRPC", Budget::grpc(10, 0.1).unwrap()),
        ("Finagle", Budget::finagle(SECOND * 10, 10, 0.2).unwrap()),
        (
            "Finagle, no reserve",
            Budget::finagle(SECOND * 10, 0, 0.2).unwrap(),
        ),
    ]
}

/// How many requests so many calls make at most, by the report.
fn reckoned(report: &Report, calls: u32) -> f64 {
    let calls = f64::from(calls);
    let most = report.most_requests() as f64 * calls;
    let bounded = report.amplification();
    bounded.map_or(most, |times| times * calls + report.reserve() as f64)
}

/// One call after the other, of up to so many attempts, of which the n-th of all comes to what `fate`
/// says: how many requests they made, and how many were reckoned.
async fn requests(
    budget: Budget,
    attempts: u32,
    calls: u32,
    fate: impl Fn(u32) -> Option<Kind>,
) -> (f64, f64) {
    let judge = |_: &Attempt, outcome: Result<&Option<Kind>, &BoxError>| match outcome {
        Ok(None) => Verdict::Success,
        Ok(Some(kind)) => Verdict::Retry(*kind),
        Err(_) => Verdict::Terminal,
    };
    let retry = RetryLayer::new().attempts(attempts).unwrap();
    let retry = retry.pace(Backoff::none()).budget(budget).classify(judge);
    let stack = Stack::new().layer(retry).layer(TimeoutLayer::new(SECOND));
    let stack = stack.build().unwrap();
    let came = Arc::new(AtomicU32::new(0));
    let service = stack.service(service_fn(|()| {
        let fate = fate(came.fetch_add(1, Relaxed));
        ready(Ok::<_, BoxError>(fate))
    }));
    for _ in 0..calls {
        service.clone().oneshot(()).await.unwrap();
    }
    (
        f64::from(came.load(Relaxed)),
        reckoned(stack.report(), calls),
    )
}

#[tokio::test(start_paused = true)]
async fn a_thousand_failing_calls_cost_no_more_than_was_reckoned() {
    for kind in [Kind::Transient, Kind::Timeout, Kind::Throttled] {
        for (name, budget) in budgets() {
            let (made, reckoned) = requests(budget, 4, CALLS, |_| Some(kind)).await;
            assert!(made <= reckoned, "{name}: {made}, reckoned {reckoned}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_made_good_cost_no_more_than_was_reckoned() {
    // Every second attempt works: the account of the AWS SDKs gives back what it took, for ever.
    let every_second = |n: u32| n.is_multiple_of(2).then_some(Kind::Transient);
    for (name, budget) in budgets() {
        let (made, reckoned) = requests(budget, 4, CALLS, every_second).await;
        assert!(made <= reckoned, "{name}: {made}, reckoned {reckoned}");
    }
    let (made, reckoned) = requests(Budget::aws_standard(), 4, CALLS, every_second).await;
    assert_eq!(made, 2_000.0);
    assert!(reckoned <= 2_100.0, "the bound is not far: {reckoned}");
}

#[tokio::test(start_paused = true)]
async fn what_is_reckoned_of_shares_and_tokens_is_what_a_long_outage_costs() {
    for (name, budget, want) in [
        ("a fifth", Budget::try_new(0.2, 0).unwrap(), 1_200.0),
        ("and a reserve", Budget::try_new(0.2, 25).unwrap(), 1_225.0),
        (
            "Finagle",
            Budget::finagle(SECOND * 10, 0, 0.2).unwrap(),
            1_200.0,
        ),
    ] {
        let (made, reckoned) = requests(budget, 4, CALLS, |_| Some(Kind::Server)).await;
        assert_eq!(made, want, "{name}");
        assert!((reckoned - made).abs() < 1e-3, "{name}: {reckoned}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_fails_no_more_is_sent_than_was_reckoned(
        which in 0..8_usize,
        attempts in 1..6_u32,
        calls in 0..400_u32,
        fates in prop::collection::vec(0..6_u8, 1..200),
        mostly in 0..3_u8,
    ) {
        let (name, budget) = budgets().into_iter().nth(which).unwrap();
        let fate = move |n: u32| match fates[n as usize % fates.len()] {
            0 => Some(Kind::Transient),
            1 => Some(Kind::Timeout),
            2 => Some(Kind::Throttled),
            _ if mostly == 0 => Some(Kind::Server),
            3 if mostly == 1 => Some(Kind::Server),
            _ => None,
        };
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let (made, reckoned) = runtime.block_on(requests(budget, attempts, calls, fate));
        prop_assert!(made <= reckoned + 1e-6, "{name}: {made}, reckoned {reckoned}");
    }
}

#[test]
fn where_nothing_bounds_it_nothing_is_said() {
    let report = |budget: Budget, hedged: bool| {
        let hedge = HedgeLayer::new(SECOND, Idempotent).sharing(budget.clone());
        let retry = RetryLayer::new().budget(budget);
        let timeout = TimeoutLayer::new(SECOND);
        let plain = Stack::new().layer(retry.clone()).layer(timeout);
        let stack = Stack::new().layer(hedge).layer(retry).layer(timeout);
        match hedged {
            true => stack.build().unwrap().report().clone(),
            false => plain.build().unwrap().report().clone(),
        }
    };
    for (name, budget, alone, hedged) in [
        (
            "a fifth",
            Budget::try_new(0.2, 7).unwrap(),
            Some((1.2, 7)),
            Some((1.2, 7)),
        ),
        // An attempt that ended frees its place for the next.
        ("in flight", Budget::in_flight(0.2, 3).unwrap(), None, None),
        // A success gives its cost back, and a hedge's as well: what is bounded is not known.
        ("AWS 2.0", Budget::aws_standard(), Some((2.0, 100)), None),
        (
            "AWS 2.1",
            Budget::aws_standard_2_1(),
            Some((2.0, 100)),
            None,
        ),
        // A retry follows a failure, which costs; a hedge follows none.
        ("gRPC", Budget::grpc(10, 0.1).unwrap(), Some((1.1, 5)), None),
        // So many a second, however few the calls.
        (
            "Finagle",
            Budget::finagle(SECOND * 10, 10, 0.2).unwrap(),
            None,
            None,
        ),
        ("unlimited", Budget::unlimited(), None, None),
    ] {
        for (hedges, want) in [(false, alone), (true, hedged)] {
            let report = report(budget.clone(), hedges);
            let times = report.amplification();
            let said = times.map(|times| ((times * 1e3).round() / 1e3, report.reserve()));
            assert_eq!(said, want, "{name}, hedged: {hedges}");
        }
    }
}

#[test]
fn a_reserve_is_named() {
    let stack = |attempts| {
        let retry = RetryLayer::new().attempts(attempts).unwrap();
        let stack = Stack::new().layer(retry).layer(TimeoutLayer::new(SECOND));
        stack.build().unwrap().report().to_string()
    };
    let said = stack(3);
    assert!(
        said.contains("in the long run 1.20 and 10 more once"),
        "{said}"
    );
    // Who makes one attempt takes nothing out.
    let said = stack(1);
    assert!(
        said.ends_with("at most 1; through 3 such layers 1"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_beneath_a_deadline_is_not_proven() {
    let stack = |queue| {
        let retry = RetryLayer::new().pace(Backoff::none());
        Stack::new()
            .layer(DeadlineLayer::new(SECOND * 10))
            .layer(retry)
            .layer(BulkheadLayer::new(1).unwrap().queue(queue))
            .layer(TimeoutLayer::new(SECOND * 3))
            .build()
            .unwrap()
    };
    assert_eq!(stack(0).report().longest(), Some(SECOND * 9));
    let queueing = stack(10);
    assert_eq!(queueing.report().longest(), None);
    let said = queueing.report().to_string();
    assert!(
        said.contains("not known beforehand: calls wait in the queue of Bulkhead"),
        "{said}"
    );
    // The fourth waits longer for its first attempt than three attempts take.
    let slow = queueing.service(service_fn(async |()| {
        tokio::time::sleep(SECOND * 2).await;
        Ok::<_, BoxError>(Instant::now())
    }));
    let began = Instant::now();
    let calls = (0..4).map(|_| slow.clone().oneshot(()));
    let ends = futures_util::future::join_all(calls).await;
    let last = ends.into_iter().map(|end| end.unwrap() - began).max();
    assert_eq!(last, Some(SECOND * 8));
}

#[test]
fn what_bounds_a_queue_makes_it_known_again() {
    let adaptive = |queue| {
        Stack::new()
            .layer(TimeoutLayer::new(SECOND * 5))
            .layer(ConcurrencyLayer::new(Aimd::new()).queue(queue))
            .layer(TimeoutLayer::new(SECOND))
            .allow(Rule::QueueOutside)
            .build()
            .unwrap()
    };
    assert_eq!(adaptive(0).report().longest(), Some(SECOND));
    assert_eq!(adaptive(5).report().longest(), Some(SECOND * 5));
}

//! Budgets that are kept as others keep theirs: against their own rules, and against a simulation
//! of which the numbers are published.

use std::time::Duration;

use murphy_core::{Draw, Seed};
use murphy_policy::{Budget, Budgets, Kind};
use proptest::prelude::*;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

fn drain(budget: &Budget, kind: Kind) -> u32 {
    let mut taken = 0;
    while let Some(permit) = budget.acquire_after(kind) {
        permit.sent();
        taken += 1;
    }
    taken
}

#[test]
fn what_a_retry_costs_in_aws_standard_mode() {
    for (name, budget, kind, want) in [
        ("2.0", Budget::aws_standard(), Kind::Transient, 100),
        (
            "2.0, throttled",
            Budget::aws_standard(),
            Kind::Throttled,
            100,
        ),
        ("2.0, timed out", Budget::aws_standard(), Kind::Timeout, 50),
        ("2.1", Budget::aws_standard_2_1(), Kind::Transient, 35),
        (
            "2.1, throttled",
            Budget::aws_standard_2_1(),
            Kind::Throttled,
            100,
        ),
    ] {
        assert_eq!(drain(&budget, kind), want, "{name}");
    }
}

#[test]
fn a_retry_that_succeeds_gives_its_cost_back_and_a_first_success_one_token() {
    let budget = Budget::aws_standard();
    let spent: Vec<_> = (0..100).map(|_| budget.acquire().unwrap().sent()).collect();
    assert!(budget.acquire().is_none());
    spent
        .into_iter()
        .take(2)
        .for_each(murphy_policy::Spent::succeeded);
    assert_eq!(drain(&budget, Kind::Transient), 2);
    (0..4).for_each(|_| budget.succeeded());
    assert!(budget.acquire().is_none());
    budget.succeeded();
    assert_eq!(drain(&budget, Kind::Transient), 1);
    (0..10_000).for_each(|_| budget.succeeded());
    assert_eq!(
        drain(&budget, Kind::Transient),
        100,
        "never more than it began with"
    );
}

#[test]
fn grpc_stops_at_half_and_resumes_above() {
    let budget = Budget::grpc(10, 0.1).unwrap();
    let open = || budget.acquire().is_some();
    for failures in 1..=4 {
        budget.failed();
        assert!(open(), "{failures}");
    }
    budget.failed();
    assert!(!open(), "five of ten are not more than half");
    budget.succeeded();
    assert!(open(), "5.1 are");
    (0..100).for_each(|_| budget.failed());
    (0..50).for_each(|_| budget.succeeded());
    assert!(!open());
    budget.succeeded();
    assert!(open());
    // Extra attempts take nothing; what they come to does.
    (0..1000).for_each(|_| drop(budget.acquire().unwrap().sent()));
    assert!(open());
}

#[test]
fn what_grpc_cannot_be_given_is_named() {
    for (max, ratio, field) in [
        (0, 0.1, "budget.max_tokens"),
        (1001, 0.1, "budget.max_tokens"),
        (10, 0.0, "budget.token_ratio"),
        (10, 0.0009, "budget.token_ratio"),
        (10, f64::NAN, "budget.token_ratio"),
    ] {
        assert_eq!(Budget::grpc(max, ratio).unwrap_err().field, field);
    }
}

#[test]
fn of_the_calls_under_way_so_many_may_be_repeated() {
    let budget = Budget::in_flight(0.2, 3).unwrap();
    let calls: Vec<_> = (0..10).map(|_| budget.begin()).collect();
    let few: Vec<_> = std::iter::from_fn(|| Some(budget.acquire()?.sent())).collect();
    assert_eq!(few.len(), 3, "a fifth of ten is less than the least");
    let more: Vec<_> = (0..90).map(|_| budget.begin()).collect();
    let rest: Vec<_> = std::iter::from_fn(|| Some(budget.acquire()?.sent())).collect();
    assert_eq!(few.len() + rest.len(), 20);
    drop(few);
    assert_eq!(budget.balance(), 3, "an attempt that ended frees its place");
    drop((calls, more));
    assert_eq!(budget.balance(), 0);
    drop(rest);
    assert_eq!(budget.balance(), 3);
}

proptest! {
    #[test]
    fn in_flight_grants_the_floor_of_the_ratio(ratio in 0.0001..=2.0_f64, calls in 0..3_000_usize) {
        let budget = Budget::in_flight(ratio, 0).unwrap();
        let _begun: Vec<_> = (0..calls).map(|_| budget.begin()).collect();
        let taken: Vec<_> = std::iter::from_fn(|| Some(budget.acquire()?.sent())).collect();
        let want = (ratio * calls as f64).floor() as i64;
        prop_assert!((taken.len() as i64 - want).abs() <= 1, "{} for {want}", taken.len());
    }
}

#[tokio::test(start_paused = true)]
async fn finagle_forgets_after_its_time_and_has_a_reserve_in_each() {
    let budget = Budget::finagle(SECOND * 10, 2, 0.2).unwrap();
    assert_eq!(
        drain(&budget, Kind::Transient),
        20,
        "2 a second, for ten of them"
    );
    (0..100).for_each(|_| budget.deposit());
    assert_eq!(drain(&budget, Kind::Transient), 20, "a fifth of a hundred");
    advance(SECOND * 9).await;
    assert_eq!(drain(&budget, Kind::Transient), 0);
    advance(SECOND).await;
    assert_eq!(
        drain(&budget, Kind::Transient),
        20,
        "what was taken is forgotten too"
    );
    (0..100).for_each(|_| budget.deposit());
    // Thirty days on, it begins anew, at once.
    advance(SECOND * 86_400 * 30).await;
    assert_eq!(drain(&budget, Kind::Transient), 20);
    // A part of the window: what is older is gone.
    let budget = Budget::finagle(SECOND * 10, 0, 1.0).unwrap();
    for _ in 0..10 {
        budget.deposit();
        advance(SECOND).await;
    }
    assert_eq!(budget.balance(), 9);
    advance(SECOND * 4).await;
    assert_eq!(drain(&budget, Kind::Transient), 5);
}

#[tokio::test(start_paused = true)]
async fn finagles_fractions_are_exact() {
    for (ratio, calls, want) in [
        (0.75, 100, 75),
        (0.6, 100, 60),
        (0.9, 1000, 900),
        (0.0, 50, 0),
        // It divides the double, and cuts the quotient: 1000 / 0.0015 is 666 666.
        (0.0004, 10_000, 4),
        (0.0004, 9_999, 3),
        (0.0015, 2_000, 3),
        (0.0015, 1_999, 2),
        (1.0 / 3.0, 9, 3),
        (2.0 / 3.0, 3, 2),
        (999.9, 1, 1_000),
    ] {
        let budget = Budget::finagle(SECOND * 10, 0, ratio).unwrap();
        (0..calls).for_each(|_| budget.deposit());
        assert_eq!(drain(&budget, Kind::Transient), want, "{ratio}");
    }
}

#[test]
fn each_key_has_its_own_and_the_map_is_bounded() {
    let budgets = Budgets::new(2, || Budget::try_new(0.0, 1).unwrap());
    for key in 0..1000_u64 {
        budgets.of(key).deposit();
    }
    assert_eq!(budgets.len(), 2);
    assert_eq!(drain(&budgets.of(0_u64), Kind::Transient), 1);
    assert_eq!(drain(&budgets.of(0_u64), Kind::Transient), 0);
    assert_eq!(drain(&budgets.of(1_u64), Kind::Transient), 1);
    assert_eq!(drain(&budgets.of(500_u64), Kind::Transient), 1);
    assert_eq!(
        drain(&budgets.of(900_u64), Kind::Transient),
        0,
        "all others share one"
    );
}

/// A hundred clients make a hundred calls each, of up to so many attempts, against a server that
/// fails each with probability `p`: success, and requests a call.
fn simulated(p: f64, attempts: u64, budget: impl Fn() -> Budget) -> (f64, f64) {
    const CLIENTS: u64 = 100;
    const CALLS: u64 = 100;
    let (mut successes, mut requests) = (0, 0);
    for client in 0..CLIENTS {
        let budget = budget();
        for call in 0..CALLS {
            budget.deposit();
            let draw = |attempt: u64| {
                let bits = Seed::new(7).bits() ^ (client << 32 | call << 8 | attempt);
                Draw::from_bits(bits).nth(1).unit()
            };
            let mut spent = None;
            for attempt in 1..=attempts {
                requests += 1;
                if draw(attempt) >= p {
                    successes += 1;
                    match spent.take() {
                        None => budget.succeeded(),
                        Some(spent) => murphy_policy::Spent::succeeded(spent),
                    }
                    break;
                }
                budget.failed();
                if attempt == attempts {
                    break;
                }
                spent = match budget.acquire() {
                    Some(permit) => Some(permit.sent()),
                    None => break,
                };
            }
        }
    }
    let calls = (CLIENTS * CALLS) as f64;
    (f64::from(successes) / calls, f64::from(requests) / calls)
}

/// M. Brooker's comparison of ways to bound retries ("Fixing retries with token buckets and circuit
/// breakers", 2022), with the accounts of AWS and gRPC beside his.
#[test]
fn success_and_load_are_as_published() {
    type Build = fn() -> Budget;
    let adaptive: Build = || Budget::try_new(0.1, 5).unwrap().cap(5);
    let standard: Build = Budget::aws_standard;
    let standard_2_1: Build = Budget::aws_standard_2_1;
    let grpc: Build = || Budget::grpc(10, 0.1).unwrap();
    let unlimited: Build = Budget::unlimited;
    for (p, name, build, success, load) in [
        (0.1, "3 retries", unlimited, 1.0, 1.11),
        (0.5, "3 retries", unlimited, 0.938, 1.88),
        (1.0, "3 retries", unlimited, 0.0, 4.0),
        (0.1, "a tenth", adaptive, 0.992, 1.10),
        (0.3, "a tenth", adaptive, 0.796, 1.14),
        (1.0, "a tenth", adaptive, 0.0, 1.14),
        (0.1, "AWS 2.0", standard, 0.999, 1.11),
        (0.5, "AWS 2.0", standard, 0.875, 1.75),
        (0.75, "AWS 2.0", standard, 0.570, 2.27),
        (1.0, "AWS 2.0", standard, 0.0, 1.99),
        (0.5, "AWS 2.1", standard_2_1, 0.846, 1.70),
        (0.75, "AWS 2.1", standard_2_1, 0.372, 1.49),
        (1.0, "AWS 2.1", standard_2_1, 0.0, 1.35),
        (0.1, "gRPC", grpc, 0.984, 1.09),
        (0.2, "gRPC", grpc, 0.856, 1.07),
        (0.5, "gRPC", grpc, 0.523, 1.05),
        (1.0, "gRPC", grpc, 0.0, 1.03),
    ] {
        // The AWS SDKs make three attempts, all others here four.
        let attempts = if name.starts_with("AWS") { 3 } else { 4 };
        let got = simulated(p, attempts, build);
        let near = |got: f64, want: f64| (got - want).abs() <= 0.02;
        assert!(
            near(got.0, success) && near(got.1, load),
            "{name} at {p}: {got:?}"
        );
    }
}

//! The stack's rules: each wrong order is named, and the right one is let through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use murphy_policy::hedge::Idempotent;
use murphy_policy::stack::{Part, check};
use murphy_policy::{
    Backoff, BoxError, Budget, DeadlineLayer, HedgeLayer, RetryLayer, Rule, Stack, TimeoutLayer,
};
use tower::{ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// What breaks in a stack of these: `f`allback, `d`eadline, `k`ey, `h`edge, `r`etry, `b`reaker,
/// t`H`rottle, b`u`lkhead, `t`imeout, one of `0`; `o`ther.
fn broken(letters: &str) -> Vec<Rule> {
    let budget = Budget::default();
    let part = |letter| match letter {
        'f' => Part::Fallback,
        'd' => Part::Deadline {
            total: SECOND * 100,
        },
        'k' => Part::IdempotencyKey,
        'h' => Part::Hedge {
            attempts: 2,
            budget: budget.clone(),
            pays_in: false,
        },
        'r' => Part::Retry {
            attempts: 3,
            waits: Some(SECOND),
            longest_hint: SECOND,
            budget: Some(budget.clone()),
        },
        'b' => Part::Breaker,
        'H' => Part::Throttle,
        'u' => Part::Bulkhead { queue: 1 },
        't' => Part::Timeout { most: Some(SECOND) },
        '0' => Part::Timeout {
            most: Some(Duration::ZERO),
        },
        _ => Part::Other { name: "other" },
    };
    let parts: Vec<Part> = letters.chars().map(part).collect();
    match check(&parts) {
        Ok(()) => Vec::new(),
        Err(unsound) => unsound.findings().iter().map(|f| f.rule).collect(),
    }
}

#[test]
fn each_wrong_order_is_named() {
    for (name, letters, want) in [
        ("nothing", "", &[][..]),
        ("the whole order", "fdkhrbHut", &[]),
        (
            "no fallback when time is up",
            "df",
            &[Rule::FallbackOutside],
        ),
        ("a deadline an attempt", "rdt", &[Rule::DeadlineOutside]),
        ("a deadline a hedge", "hdt", &[Rule::DeadlineOutside]),
        ("two deadlines", "dd", &[Rule::OneDeadline]),
        ("two deadlines, far apart", "dkdrt", &[Rule::OneDeadline]),
        ("no time to answer", "r0", &[Rule::TimeToAnswer]),
        ("a key an attempt", "rkt", &[Rule::OneKey]),
        ("a key a hedge", "hkt", &[Rule::OneKey]),
        ("a hedge an attempt", "rht", &[Rule::HedgeOutside]),
        ("a breaker of calls", "brt", &[Rule::AttemptsCounted]),
        ("a throttle of calls", "Hrt", &[Rule::AttemptsCounted]),
        ("a place held asleep", "urt", &[Rule::NothingHeldAsleep]),
        (
            "one timeout for all",
            "tr",
            &[Rule::TimeoutInside, Rule::AttemptBounded],
        ),
        ("no time in the queue", "tu", &[Rule::QueueOutside]),
        ("attempts without end", "r", &[Rule::AttemptBounded]),
        (
            "attempts without end, under others",
            "ro",
            &[Rule::AttemptBounded],
        ),
        ("a breaker is in the right place", "rbt", &[]),
        ("two layers of others' between", "oot", &[]),
    ] {
        assert_eq!(broken(letters), want, "{name}");
    }
}

#[test]
fn the_time_that_attempts_and_waits_can_take_must_fit() {
    let stack = |deadline: Duration| {
        let pace = Backoff::exponential(SECOND, SECOND * 60);
        Stack::new()
            .layer(DeadlineLayer::new(deadline))
            .layer(RetryLayer::new().pace(pace))
            .layer(TimeoutLayer::new(SECOND * 2))
    };
    // Three attempts of two seconds, and waits of one and two.
    let sound = stack(SECOND * 9).build().unwrap();
    assert_eq!(sound.report().longest(), Some(SECOND * 9));
    let unsound = stack(SECOND * 9 - Duration::from_millis(1))
        .build()
        .unwrap_err();
    assert!(unsound.breaks(Rule::FitsDeadline));
    assert!(
        unsound
            .to_string()
            .contains("up to 9s, of a deadline of 8.999s"),
        "{unsound}"
    );
    stack(SECOND).allow(Rule::FitsDeadline).build().unwrap();
}

#[test]
fn of_two_deadlines_the_longer_one_is_named() {
    for (outer, inner, which) in [(1, 2, "inner"), (2, 1, "outer")] {
        let stack = Stack::new()
            .layer(DeadlineLayer::new(SECOND * outer))
            .layer(DeadlineLayer::new(SECOND * inner));
        let unsound = stack.clone().build().unwrap_err().to_string();
        let says = format!("the {which} one never ends a call");
        assert!(unsound.contains(&says), "{unsound}");
        stack.allow(Rule::OneDeadline).build().unwrap();
    }
    let never = Stack::new().layer(DeadlineLayer::new(Duration::ZERO));
    let unsound = never.build().unwrap_err();
    assert!(unsound.breaks(Rule::TimeToAnswer), "{unsound}");
}

#[test]
fn a_pace_that_does_not_say_is_not_proven() {
    let stack = Stack::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(RetryLayer::new().pace(|_| SECOND * 100))
        .layer(TimeoutLayer::new(SECOND));
    let sound = stack.build().unwrap();
    assert_eq!(sound.report().longest(), None);
    assert!(sound.report().to_string().contains("not known beforehand"));
}

#[tokio::test(start_paused = true)]
async fn no_call_costs_more_than_was_reckoned() {
    const CALLS: u32 = 1_000;
    let millis = Duration::from_millis;
    for (name, fails_after) in [
        ("failures that the retry sees first", Duration::ZERO),
        ("failures that the hedge does not wait for", millis(20)),
    ] {
        let budget = Budget::try_new(0.2, 0).unwrap();
        let retry = RetryLayer::new().attempts(4).unwrap();
        let retry = retry.pace(Backoff::none()).budget(budget.clone());
        let stack = Stack::new()
            .layer(HedgeLayer::new(millis(10), Idempotent).sharing(budget))
            .layer(retry)
            .layer(TimeoutLayer::new(SECOND))
            .build()
            .unwrap();
        let came = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&came);
        let service = stack.service(service_fn(move |()| {
            counted.fetch_add(1, Relaxed);
            async move {
                tokio::time::sleep(fails_after).await;
                Err::<(), BoxError>("no".into())
            }
        }));
        for _ in 0..CALLS {
            service.clone().oneshot(()).await.unwrap_err();
        }
        let requests = f64::from(came.load(Relaxed)) / f64::from(CALLS);
        let reckoned = stack.report().amplification().unwrap();
        assert!(
            requests <= reckoned,
            "{name}: {requests} requests a call, reckoned {reckoned}"
        );
    }
}

#[test]
fn what_a_call_can_cost_is_reckoned() {
    let budget = Budget::try_new(0.2, 0).unwrap();
    let retry = RetryLayer::new().attempts(4).unwrap();
    let timeout = TimeoutLayer::new(SECOND);
    let plain = Stack::new()
        .layer(retry.clone().no_budget())
        .layer(timeout)
        .build()
        .unwrap();
    let report = plain.report();
    assert_eq!((report.most_requests(), report.amplification()), (4, None));
    assert_eq!(report.amplification_through(3), 64.0);

    let hedge = HedgeLayer::new(SECOND, Idempotent).sharing(budget.clone());
    let shared = Stack::new()
        .layer(hedge.clone())
        .layer(retry.clone().budget(budget))
        .layer(timeout);
    let sound = shared.build().unwrap();
    let report = sound.report();
    assert_eq!(report.most_requests(), 8);
    assert!((report.amplification().unwrap() - 1.2).abs() < 1e-6);
    assert!((report.amplification_through(3) - 1.728).abs() < 1e-6);
    assert_eq!(
        report.to_string(),
        "Hedge > Retry > Timeout\n\
         attempts and waits: up to 4.35s; no deadline\n\
         requests a call: at most 8, in the long run 1.20; through 3 such layers 1.73"
    );

    let two = Stack::new()
        .layer(hedge)
        .layer(retry)
        .layer(timeout)
        .build()
        .unwrap_err();
    assert!(two.breaks(Rule::OnePurse));
    assert!(two.to_string().contains("1.44 requests a call"), "{two}");

    let budget = Budget::default();
    let hedge = HedgeLayer::new(SECOND, Idempotent).budget(budget.clone());
    let retry = RetryLayer::new().budget(budget);
    let twice = Stack::new().layer(hedge).layer(retry).layer(timeout);
    let twice = twice.build().unwrap_err();
    assert!(twice.to_string().contains("pays twice"), "{twice}");
}

#[tokio::test(start_paused = true)]
async fn a_sound_stack_is_a_layer() {
    let sound = Stack::new()
        .layer(DeadlineLayer::new(SECOND * 10))
        .layer(RetryLayer::new())
        .layer(TimeoutLayer::new(SECOND))
        .build()
        .unwrap();
    let service = sound.service(service_fn(async |n: u32| Ok::<_, BoxError>(n + 1)));
    assert_eq!(service.oneshot(1).await.unwrap(), 2);
}

#[test]
fn what_is_recommended_is_sound() {
    let recommended = Stack::recommended();
    check(recommended.report().parts()).unwrap();
    assert_eq!(
        recommended.report().to_string(),
        "Deadline > Retry > Breaker > Timeout\n\
         attempts and waits: up to 9.15s of 10s\n\
         requests a call: at most 3, in the long run 1.20 and 10 more once; through 3 such layers 1.73"
    );
}

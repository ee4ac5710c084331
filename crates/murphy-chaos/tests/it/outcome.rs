//! What is green, what is red, and what is neither.

use std::time::Duration;

use murphy_chaos::{Budget, Kind, Menu, Verdict, World, always, reachable, sometimes};
use tokio::time::timeout;

use crate::support::exploring;

async fn one_call(w: &World) -> bool {
    let call = w.site("api->pay").run(17u64, || async {});
    timeout(Duration::from_secs(5), call).await.is_ok()
}

#[test]
fn what_is_never_true_is_not_green() {
    let outcome = exploring("never-true", 100).run(async |w: World| {
        sometimes!(one_call(&w).await, "it is heard");
        sometimes!(
            w.elapsed() > Duration::from_secs(6000),
            "it takes two hours"
        );
    });
    assert_eq!(outcome.verdict, Verdict::Failed);
    assert!(outcome.failures.is_empty());
    let [gap] = &outcome.gaps[..] else {
        panic!("{outcome}")
    };
    assert!(gap.contains("it takes two hours"), "{gap}");
    assert!(outcome.marks["it is heard"].held < outcome.marks["it is heard"].met);
}

#[test]
fn what_was_expected_and_never_met_is_not_green() {
    let test = async |w: World| {
        if !one_call(&w).await {
            reachable!("it is lost");
        }
    };
    let expecting = |name: &str| exploring("expected", 100).expecting(name).run(test);
    assert_eq!(expecting("it is lost").verdict, Verdict::Passed);
    let outcome = expecting("it is refused");
    assert_eq!(outcome.exit_code(), 1, "{outcome}");
    assert!(outcome.gaps[0].contains("it is refused"), "{outcome}");
}

#[test]
fn a_fault_that_was_asked_for_and_never_struck_is_not_green() {
    let menu = Menu::only([Kind::LostReply, Kind::Duplicate]).calls_only();
    let outcome = exploring("unable", 100)
        .menu(menu)
        .run(async |w: World| _ = one_call(&w).await);
    assert_eq!(outcome.verdict, Verdict::Failed);
    let [gap] = &outcome.gaps[..] else {
        panic!("{outcome}")
    };
    assert!(
        gap.contains("`duplicate` never struck: no site can do it"),
        "{gap}"
    );
    assert!(
        outcome.to_string().contains("duplicate unable"),
        "{outcome}"
    );
}

#[test]
fn a_test_without_calls_is_undecided() {
    let outcome = exploring("no-calls", 100).run(async |_: World| {});
    assert_eq!(
        (outcome.verdict, outcome.exit_code()),
        (Verdict::Undecided, 2)
    );
    assert!(
        outcome.undecided[0].contains("nothing was explored"),
        "{outcome}"
    );
}

#[test]
fn a_budget_that_ends_among_the_singles_is_undecided() {
    let outcome = exploring("small", 5).run(async |w: World| _ = one_call(&w).await);
    assert_eq!(outcome.verdict, Verdict::Undecided);
    assert!(
        outcome.undecided[0].contains("2 of 12 were tried"),
        "{outcome}"
    );
    assert_eq!(outcome.runs, 5);
}

#[test]
fn a_budget_without_time_is_undecided() {
    let explored = exploring("no-time", 0).budget(Budget::time(Duration::ZERO));
    let outcome = explored.run(async |w: World| _ = one_call(&w).await);
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("0 of 12 were tried"),
        "{outcome}"
    );
}

#[test]
fn what_the_test_cannot_judge_is_undecided_unless_something_fails() {
    let undecided = exploring("unknown", 100).run(async |w: World| {
        if !one_call(&w).await {
            w.undecided("the checker ran out of memory");
        }
    });
    assert_eq!(undecided.verdict, Verdict::Undecided, "{undecided}");
    let failed = exploring("unknown-and-failed", 100).run(async |w: World| {
        w.undecided("the checker ran out of memory");
        always!(one_call(&w).await, "it is heard");
    });
    assert_eq!(failed.verdict, Verdict::Failed, "{failed}");
}

#[test]
fn what_fails_without_faults_is_said_at_once() {
    let outcome = exploring("at-once", 1000).run(async |w: World| {
        one_call(&w).await;
        Err("a bad day")
    });
    let failure = &outcome.failures[0];
    assert_eq!(
        failure.violation.name,
        "the test returned an error: a bad day"
    );
    assert!(
        failure.injections.is_empty() && outcome.runs < 10,
        "{outcome}"
    );
}

#[test]
#[should_panic(expected = "SAFETY: it is heard")]
fn check_fails_the_test_with_the_report() {
    exploring("check", 100).check(async |w: World| {
        always!(one_call(&w).await, "it is heard");
    });
}

#[test]
fn a_run_in_which_time_stands_still_is_cut() {
    let outcome = exploring("spins", 100)
        .patience(Duration::from_millis(100))
        .run(async |w: World| {
            let mut heard = one_call(&w).await;
            while !heard {
                // It looks again at once, for ever.
                tokio::task::yield_now().await;
                heard = w.elapsed() > Duration::from_secs(60);
            }
        });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("virtual time stands still"),
        "{outcome}"
    );
}

#[test]
fn different_failures_are_told_apart_up_to_the_limit() {
    let test = async |w: World| {
        for n in 1..=4u64 {
            let call = w.site("api->pay").run(n, || async {});
            let heard = timeout(Duration::from_secs(5), call).await.is_ok();
            always!(heard, ["one", "two", "three", "four"][n as usize - 1]);
        }
    };
    for (limit, found) in [(1, 1), (3, 3), (9, 4)] {
        let outcome = exploring("several", 200).failures(limit).run(test);
        assert_eq!(outcome.failures.len(), found, "{outcome}");
    }
}

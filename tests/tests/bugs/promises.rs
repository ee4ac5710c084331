//! What holds of each bug, and of all.

use murphy_chaos::{Failure, Stage, Verdict};

use crate::harness::{Bug, Takes, Twin};
use crate::process;

/// The most lines by which twins may differ.
const MOST_LINES: usize = 5;

fn holds(bug: &Bug) {
    let found = bug.explored(Twin::Buggy);
    let [failure] = &found.failures[..] else {
        panic!("{}: one failure, not\n{found}", bug.name);
    };
    println!("{found}");
    assert_eq!(failure.violation.name, bug.breaks, "{found}");
    assert!(failure.is_minimal && failure.confirmed == 3, "{found}");
    assert!(failure.injections.len() <= 3, "{found}");
    takes(
        bug,
        failure,
        found.phases.iter().map(|p| (p.stage, p.failed)),
    );

    let again = process::replays(bug, &failure.code.to_string());
    assert_eq!(
        again,
        format!("1 {}", failure.fingerprint()),
        "{}",
        bug.name
    );

    let clean = bug.explored(Twin::Fixed);
    println!("{clean}");
    assert_eq!(clean.verdict, Verdict::Passed, "{clean}");
    assert!(clean.runs >= bug.runs, "{clean}");
}

fn takes(bug: &Bug, failure: &Failure, failed: impl Iterator<Item = (Stage, u64)>) {
    let failed: Vec<_> = failed.collect();
    let of = |stage| failed.iter().find(|(s, _)| *s == stage).map_or(0, |f| f.1);
    let nudges = failure.injections.iter().filter(|i| i.is_nudge()).count();
    match bug.takes {
        Takes::One => {
            assert_eq!(
                (failure.stage, failure.injections.len()),
                (Stage::Singles, 1)
            );
        }
        Takes::Two => {
            assert_eq!(of(Stage::Singles) + of(Stage::Orders), 0, "no single fault");
            assert_eq!(failure.stage, Stage::Pairs);
            assert_eq!((failure.injections.len(), nudges), (2, 0));
        }
        Takes::Order => {
            assert_eq!(failure.stage, Stage::Orders);
            assert!(nudges > 0 && nudges == failure.injections.len());
        }
    }
}

macro_rules! each {
    ($($bug:ident)*) => {$(
        #[test]
        fn $bug() {
            holds(&crate::$bug::BUG);
        }
    )*};
}

each! {
    no_fencing not_idempotent majority_off_by_one volatile_vote paused_observer
    duplicate_counted deadline_dropped budget_kept lost_update wrong_reply
}

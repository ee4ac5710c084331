//! What holds of each bug, and of all.

use murphy_chaos::{Failure, Outcome, Stage, Verdict};

use crate::BUGS;
use crate::harness::{Bug, Takes, Twin};
use crate::process;

/// The most lines by which twins differ.
const MOST_LINES: usize = 5;

fn holds(bug: &Bug) {
    let (outcome, failure) = bug.found();
    println!("{outcome}");
    assert_eq!(failure.violation.name, bug.breaks, "{outcome}");
    assert!(failure.is_minimal && failure.confirmed == 3, "{outcome}");
    assert!(failure.injections.len() <= 3, "{outcome}");
    takes(bug, outcome, failure);

    let told = process::replays(&failure.code);
    let broken = format!("exit 1, {}", failure.fingerprint());
    assert_eq!(told, [broken], "{} in a fresh process", bug.name);

    let clean = bug.explored(Twin::Fixed);
    println!("{clean}");
    assert_eq!(clean.verdict, Verdict::Passed, "{clean}");
    assert!(clean.runs >= bug.runs, "the whole budget\n{clean}");
}

fn takes(bug: &Bug, outcome: &Outcome, failure: &Failure) {
    let failed = |stage| {
        let of = outcome.phases.iter().filter(|phase| phase.stage == stage);
        of.map(|phase| phase.failed).sum::<u64>()
    };
    let all_singles = |phase: &&murphy_chaos::Phase| {
        phase.stage == Stage::Singles && phase.of == Some(phase.tried)
    };
    let nudges = failure.injections.iter().filter(|i| i.is_nudge()).count();
    let (stage, faults) = (failure.stage, failure.injections.len() - nudges);
    match bug.takes {
        Takes::One => assert_eq!((stage, faults, nudges), (Stage::Singles, 1, 0)),
        Takes::Two => {
            assert!(outcome.phases.iter().any(|p| all_singles(&p)), "{outcome}");
            assert_eq!(failed(Stage::Singles) + failed(Stage::Orders), 0);
            assert_eq!((stage, faults, nudges), (Stage::Pairs, 2, 0));
        }
        Takes::Order => {
            assert_eq!((stage, faults), (Stage::Orders, 0));
            assert!(nudges > 0, "{outcome}");
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

/// The lines between the two marks: all that is said of the twins, but for who they are.
fn difference(source: &str) -> Vec<&str> {
    let lines = source.lines().map(str::trim);
    let after = lines.skip_while(|line| *line != "// Twins part.").skip(1);
    after.take_while(|line| *line != "// Twins meet.").collect()
}

#[test]
fn twins_differ_by_five_lines_at_most() {
    for bug in BUGS {
        let lines = difference(bug.source);
        assert!(
            (1..=MOST_LINES).contains(&lines.len()),
            "{}: {lines:?}",
            bug.name
        );
        let said = [
            "one line",
            "two lines",
            "three lines",
            "four lines",
            "five lines",
        ];
        let said = format!("//! Twins differ by {}: ", said[lines.len() - 1]);
        assert!(bug.source.contains(&said), "{}: {said}", bug.name);
        let looks = |text: &str| text.matches("is_fixed").count();
        let here: usize = lines.iter().map(|line| looks(line)).sum();
        assert_eq!(
            (here, looks(bug.source)),
            (1, 1),
            "{}: in one place",
            bug.name
        );
        assert_eq!(
            bug.source.matches("// Twins part.").count(),
            1,
            "{}",
            bug.name
        );
    }
}

#[test]
fn four_take_two_faults_and_one_takes_none() {
    let count = |takes| BUGS.iter().filter(|bug| bug.takes == takes).count();
    assert!(count(Takes::Two) >= 4 && count(Takes::Order) >= 1);
}

/// A count and no time: it is the same wherever it runs.
#[test]
fn shrinking_takes_twenty_replays_at_the_median() {
    let mut replays = BUGS.map(|bug| bug.found().1.replays);
    replays.sort_unstable();
    println!("replays of shrinking: {replays:?}");
    let median = (replays[BUGS.len() / 2 - 1] + replays[BUGS.len() / 2]).div_ceil(2);
    assert!(median <= 20, "{replays:?}");
}

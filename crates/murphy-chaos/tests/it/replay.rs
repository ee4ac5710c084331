//! Replay codes, and that they survive what is added elsewhere.

use std::time::Duration;

use murphy_chaos::{Menu, ReplayCode, Verdict, World, always};
use tokio::time::timeout;

use crate::support::{Counter, exploring};

const PATIENCE: Duration = Duration::from_secs(5);

/// Both replicas have to be told; with `more`, much else happens around it.
async fn two_of_two(w: World, more: bool) {
    let stored = Counter::default();
    if more {
        for key in 1..=5u64 {
            let _ = timeout(PATIENCE, w.site("api->audit").run(key, || async {})).await;
            // Another key at a site of old.
            let _ = timeout(PATIENCE, w.site("api->a").run(key, || async {})).await;
        }
    }
    for replica in ["a", "b"] {
        let count = stored.clone();
        let site = w.site(&format!("api->{replica}"));
        let store = site.run("order-17", move || async move { count.add() });
        let _ = timeout(PATIENCE, store).await;
    }
    always!(stored.get() > 0, "what was acknowledged is stored");
}

fn code() -> ReplayCode {
    let menu = Menu::default().calls_only();
    let outcome = exploring("two", 1000)
        .menu(menu)
        .run(|w| two_of_two(w, false));
    outcome.failures[0].code.clone()
}

#[test]
fn a_code_repeats_the_failure_also_after_a_site_a_call_and_a_layer_were_added() {
    let text = code().to_string();
    for more in [false, true] {
        let code: ReplayCode = text.parse().expect("a code");
        let outcome = exploring("two", 1)
            .replay(code)
            .run(|w| two_of_two(w, more));
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
        assert_eq!(outcome.failures[0].code.to_string(), text);
        assert_eq!(outcome.failures[0].confirmed, 3);
    }
}

#[test]
fn a_code_of_another_exploration_is_skipped() {
    let outcome = exploring("other", 1)
        .replay(code())
        .run(|w| two_of_two(w, false));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    assert!(outcome.notes[0].contains("skipped"), "{outcome}");
    assert_eq!(outcome.runs, 0);
}

#[test]
fn a_code_whose_calls_are_gone_is_no_pass() {
    let outcome = exploring("two", 1).replay(code()).run(async |w: World| {
        let _ = timeout(PATIENCE, w.site("api->c").run(1u64, || async {})).await;
    });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("2 of the code's 2 calls were not made"),
        "{outcome}"
    );
}

#[test]
fn the_plan_of_a_failure_is_one_for_the_fault_crate() {
    let outcome = exploring("two-plan", 1000)
        .menu(Menu::default().calls_only())
        .run(|w| two_of_two(w, false));
    let failure = &outcome.failures[0];
    assert_eq!(failure.plan.faults().len(), 2);
    let transcript = failure.transcript.as_ref().expect("a ledger");
    let struck = transcript.records.iter().filter(|r| r.fault != "watch");
    assert_eq!(struck.count(), 2, "{transcript:?}");
}

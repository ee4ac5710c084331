//! Seeded bugs are found, and shrunk to what causes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use murphy_chaos::{Kind, Menu, Promise, Stage, Verdict, World, always, eventually, sometimes};
use tokio::time::timeout;

use crate::support::{Counter, exploring};

const PATIENCE: Duration = Duration::from_secs(5);

/// Charges again what it did not hear back from.
async fn charges_again(w: World) {
    let charged = Counter::default();
    for _attempt in 0..3 {
        let count = charged.clone();
        let site = w.site("api->pay");
        let charge = site.run(17u64, move || async move { count.add() });
        if timeout(PATIENCE, charge).await.is_ok() {
            break;
        }
    }
    always!(
        charged.get() <= 1,
        "an order is charged once",
        "{} times",
        charged.get()
    );
}

#[test]
fn a_retry_that_is_not_idempotent_needs_one_lost_reply() {
    let outcome = exploring("not-idempotent", 500).run(charges_again);
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
    let [failure] = &outcome.failures[..] else {
        panic!("one failure, not {outcome}");
    };
    assert_eq!(failure.violation.promise, Promise::Safety);
    let told: Vec<String> = failure.injections.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["lost-reply: passage 0 of key 0x11 at api->pay"]);
    assert_eq!(failure.confirmed, 3);
    println!("{outcome}");
}

/// Two replicas are told; one lost message is repaired by the other.
async fn two_of_two(w: World) {
    let stored = Counter::default();
    for replica in ["a", "b"] {
        let count = stored.clone();
        let site = w.site(&format!("api->{replica}"));
        let store = site.run(17u64, move || async move { count.add() });
        let _ = timeout(PATIENCE, store).await;
    }
    always!(stored.get() > 0, "what was acknowledged is stored");
}

#[test]
fn a_bug_of_two_faults_is_shrunk_to_two() {
    let menu = Menu::default().calls_only();
    let outcome = exploring("two-of-two", 2000).menu(menu).run(two_of_two);
    let [failure] = &outcome.failures[..] else {
        panic!("one failure, not {outcome}");
    };
    println!("{outcome}");
    assert_eq!(failure.injections.len(), 2, "{outcome}");
}

/// It waits for an answer for ever.
async fn without_a_deadline(w: World) {
    w.site("api->pay").run(17u64, || async {}).await;
}

#[test]
fn silence_without_end_is_cut_by_the_horizon() {
    let outcome = exploring("no-deadline", 100).run(without_a_deadline);
    println!("{outcome}");
    assert_eq!(outcome.failures[0].violation.promise, Promise::Liveness);
    assert_eq!(outcome.failures[0].violation.name, "the run ends");
}

/// It gives up for ever after the first loss.
async fn never_again(w: World) {
    let up = std::cell::Cell::new(true);
    for _ in 0..3 {
        let call = w.site("api->pay").run(17u64, || async {});
        up.set(up.get() && timeout(PATIENCE, call).await.is_ok());
    }
    eventually!(Duration::from_secs(60), "the breaker closes", up.get()).await;
}

#[test]
fn what_never_recovers_is_a_failure_of_liveness() {
    let outcome = exploring("never-again", 500).run(never_again);
    println!("{outcome}");
    assert_eq!(outcome.failures[0].violation.promise, Promise::Liveness);
    assert_eq!(outcome.failures[0].injections.len(), 1);
}

/// The same, with a key that the service knows again.
async fn charges_once(w: World) {
    let (charged, seen) = (Counter::default(), Arc::new(AtomicBool::new(false)));
    let mut heard = false;
    for _attempt in 0..3 {
        let (count, seen) = (charged.clone(), Arc::clone(&seen));
        let site = w.site("api->pay");
        let charge = site.run(17u64, move || async move {
            if !seen.swap(true, SeqCst) {
                count.add();
            }
        });
        heard = timeout(PATIENCE, charge).await.is_ok();
        if heard {
            break;
        }
    }
    sometimes!(!heard, "all attempts are lost");
    always!(charged.get() <= 1, "an order is charged once");
}

#[test]
fn a_clean_system_stays_green() {
    let menu = Menu::only([Kind::LostRequest, Kind::LostReply, Kind::Latency]);
    let outcome = exploring("clean", 3000).menu(menu).run(charges_once);
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    assert!(outcome.runs >= 3000, "{outcome}");
    assert_eq!(outcome.exit_code(), 0);
}

/// Two attempts; the second is made only if the first was not heard of.
async fn two_attempts(w: World) {
    let mut heard = false;
    for _attempt in 0..2 {
        let call = w.site("api->pay").run(17u64, || async {});
        heard = heard || timeout(PATIENCE, call).await.is_ok();
    }
    always!(heard, "one of two attempts is heard of");
}

#[test]
fn a_call_that_only_a_fault_brings_about_is_struck_too() {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let retry = async |w: World| {
        let first = w.site("api->pay").run(17u64, || async {});
        if timeout(PATIENCE, first).await.is_err() {
            let again = w.site("api->pay").run(17u64, || async {});
            let heard = timeout(PATIENCE, again).await.is_ok();
            always!(heard, "the retry is heard of");
        }
    };
    // Enough for the singles and a pair, and for no storm that would find it by luck.
    let outcome = exploring("revealed", 6).menu(menu.clone()).run(retry);
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage, Stage::Pairs, "{outcome}");
    let told: Vec<String> = failure.injections.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "lost-request: passage 0 of key 0x11 at api->pay",
            "lost-request: passage 1 of key 0x11 at api->pay",
        ]
    );
    let outcome = exploring("two-attempts", 500).menu(menu).run(two_attempts);
    assert_eq!(outcome.failures[0].injections.len(), 2, "{outcome}");
}

#[test]
fn pairs_leave_out_what_fails_alone() {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let going_on = exploring("alone", 40).menu(menu).going_on();
    let outcome = going_on.run(async |w: World| {
        for key in 1..=3u64 {
            let call = w.site("api->pay").run(key, || async {});
            let heard = timeout(PATIENCE, call).await.is_ok();
            always!(heard || key > 1, "the first is heard of");
        }
    });
    let tried = outcome.phases.iter().map(|p| (p.stage, p.tried, p.failed));
    let tried: Vec<_> = tried.take(4).collect();
    let all = [
        (Stage::FaultFree, 3, 0),
        (Stage::Singles, 3, 1),
        (Stage::Orders, 1, 0),
        (Stage::Pairs, 1, 0),
    ];
    assert_eq!(tried, all, "{outcome}");
    assert_eq!(outcome.phases.last().map(|p| p.stage), Some(Stage::Storms));
}

/// What is lost and what is slow are two promises: a delay is not shrunk from one to the other.
#[test]
fn shrinking_keeps_to_one_promise() {
    let menu = Menu::only([Kind::Latency]).calls_only();
    let menu = menu.delays([Duration::from_secs(16)]);
    let outcome = exploring("promise", 50).menu(menu).run(async |w: World| {
        let call = w.site("api->pay").run(17u64, || async {});
        let heard = timeout(PATIENCE, call).await.is_ok();
        always!(heard, "it is heard of");
        always!(w.elapsed() < Duration::from_secs(1), "it is quick");
    });
    let failure = &outcome.failures[0];
    assert_eq!(failure.violation.name, "it is heard of");
    let told = failure.injections[0].to_string();
    assert!(told.ends_with("by 8s"), "{told}");
    assert_eq!(failure.confirmed, 3);
}

/// A node that would be down for an hour is back at once.
#[test]
fn what_must_happen_in_the_end_has_calm_to_happen_in() {
    let hour = Duration::from_secs(3600);
    let menu = Menu::only([]).outages([hour]).steps([]);
    let explored = exploring("calm", 200)
        .menu(menu)
        .storm(hour)
        .horizon(hour * 2);
    let outcome = explored.run(async |w: World| {
        let node = w.node("pay");
        let ping = async || {
            let work = w
                .site("api->pay")
                .run(17u64, || node.run(async {}))
                .inline();
            matches!(timeout(PATIENCE, work).await, Ok(Ok(())))
        };
        sometimes!(!ping().await, "it is down");
        eventually!(PATIENCE * 2, "it answers", ping().await).await;
    });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

//! Nodes that are paused, crash, are cut off, and whose clocks are set.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::core::Clock;
use murphy_chaos::{Menu, Verdict, World, always, sometimes};
use tokio::time::{Instant, sleep};

use crate::support::exploring;

const TTL: Duration = Duration::from_secs(10);

/// A holder checks its lease and then writes; a rival takes over when the lease is over.
async fn checks_then_writes(w: World, fenced: bool) {
    let newest = Rc::new(Cell::new(0));
    let write = |token: u64, newest: &Cell<u64>| {
        if fenced && token < newest.get() {
            return;
        }
        always!(token >= newest.get(), "no stale write is admitted");
        newest.set(newest.get().max(token));
    };
    let (site, node) = (w.site("a->store"), w.node("a"));
    let until = Instant::now() + TTL;
    let holder = node.run_inline(async {
        if site
            .run(1u64, move || async move { Instant::now() < until })
            .await
        {
            sleep(Duration::from_millis(2)).await; // it works
            write(1, &newest);
        }
    });
    let rival = async {
        sleep(TTL).await;
        write(2, &newest);
    };
    let both = async { tokio::join!(biased; holder, rival) };
    let _ = tokio::time::timeout(Duration::from_secs(600), both).await;
}

#[test]
fn a_pause_after_the_check_is_found_by_enumeration() {
    let outcome = exploring("pause", 2000)
        .menu(Menu::only([]))
        .run(|w| checks_then_writes(w, false));
    let failure = &outcome.failures[0];
    assert_eq!(failure.violation.name, "no stale write is admitted");
    assert_eq!(failure.injections.len(), 1, "{outcome}");
    let told = failure.injections[0].to_string();
    assert!(told.starts_with("pause a from "), "{told}");
    assert!(
        outcome.failures.len() == 1 && failure.is_minimal,
        "{outcome}"
    );
}

#[test]
fn the_fenced_twin_survives_the_same() {
    let outcome = exploring("fenced", 2000)
        .menu(Menu::only([]))
        .run(|w| checks_then_writes(w, true));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

#[test]
fn a_clock_that_is_set_is_found() {
    let menu = Menu::only([]).outages([]);
    let outcome = exploring("step", 200).menu(menu).run(async |w: World| {
        let clock = w.node("a").clock();
        let began = clock.wall();
        w.site("a->b")
            .run(1u64, async || sleep(Duration::from_millis(5)).await)
            .await;
        let took = clock.wall() - began;
        always!(!took.is_negative(), "time does not go back");
    });
    let told = outcome.failures[0].injections[0].to_string();
    assert!(
        told.starts_with("set the clock of a by -3600000 ms"),
        "{told}"
    );
}

#[test]
fn a_two_way_cut_is_shrunk_to_one_way() {
    let menu = Menu::only([]).outages([Duration::from_secs(30)]).steps([]);
    let outcome = exploring("cut", 500)
        .menu(menu)
        .failures(1)
        .run(async |w: World| {
            for node in ["a", "b", "c"] {
                let _ = w.network().nodes([node]);
            }
            for to in ["b", "c"] {
                let call = w
                    .site(&format!("a->{to}"))
                    .run(1u64, async || sleep(Duration::from_millis(3)).await);
                let heard = tokio::time::timeout(Duration::from_secs(5), call)
                    .await
                    .is_ok();
                always!(heard || to == "b", "c hears of it");
            }
        });
    let failure = &outcome.failures[0];
    assert_eq!(failure.injections.len(), 1, "{outcome}");
    let what = failure.injections[0].to_string();
    assert!(
        what.starts_with("cut a -> c") || what.starts_with("isolate"),
        "{what}"
    );
}

/// A partition names a side for every node: a cut between two of four is no such thing.
#[test]
fn two_nodes_of_many_are_cut_off_from_one_another() {
    let menu = Menu::only([]).outages([Duration::from_secs(30)]).steps([]);
    let outcome = exploring("cut-of-many", 300)
        .menu(menu)
        .run(async |w: World| {
            let _ = w.network().nodes(["a", "b", "c", "d"]);
            let call = async |link: &str| {
                let call = w
                    .site(link)
                    .run(1u64, async || sleep(Duration::from_millis(1)).await);
                tokio::time::timeout(Duration::from_secs(5), call)
                    .await
                    .is_ok()
            };
            let there = call("a->b").await;
            let back = call("b->a").await;
            let around = call("a->c").await;
            sometimes!(!there && !back && around, "only the two are cut off");
        });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    let mut cuts = outcome
        .coverage
        .cells()
        .filter(|(_, kind, _)| *kind == "cut");
    assert!(cuts.all(|(_, _, cell)| cell.injected > 0), "{outcome}");
}

//! Policies that are taken out one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use murphy_chaos::{Kind, Menu, NotAblated, Policies, World, Worth, always};
use tokio::time::timeout;

use crate::support::{Counter, exploring};

const ALL: [&str; 3] = ["retry", "key", "log"];
const PATIENCE: Duration = Duration::from_secs(5);

/// A charge under three policies: a retry pays for what is not heard of, a key for what is done twice, and a log for nothing.
async fn charges(w: World, policies: Policies) {
    let (charged, seen) = (Counter::default(), Arc::new(AtomicBool::new(false)));
    let attempts = if policies.has("retry") { 3 } else { 1 };
    let has_key = policies.has("key");
    let mut heard = false;
    for _ in 0..attempts {
        let (count, seen) = (charged.clone(), Arc::clone(&seen));
        let charge = w.site("api->pay").run(17u64, move || async move {
            if !seen.swap(true, SeqCst) || !has_key {
                count.add();
            }
        });
        heard = timeout(PATIENCE, charge).await.is_ok();
        if heard {
            break;
        }
    }
    let _writes_a_log = policies.has("log");
    always!(charged.get() <= 1, "an order is charged once");
    always!(heard || charged.get() == 1, "an order is charged");
}

fn menu() -> Menu {
    Menu::only([Kind::LostRequest, Kind::LostReply]).calls_only()
}

#[test]
fn each_policy_is_told_what_it_pays_for_and_one_that_it_never_mattered() {
    // Enough for the singles: three lost requests break it anyhow.
    let explored = exploring("ablate", 8).menu(menu());
    let ablation = explored.ablate(ALL, charges);
    let ablation = ablation.expect("all in place, it is green");
    assert_eq!(ablation.paid_for("key"), ["lost-reply"], "{ablation}");
    assert_eq!(ablation.paid_for("retry"), ["lost-request"], "{ablation}");
    assert!(ablation.never_mattered("log"), "{ablation}");
    assert!(ablation.paid_for("log").is_empty());
    let told = ablation.to_string();
    assert!(
        told.contains("without key    broken by lost-reply at api->pay"),
        "{told}"
    );
    assert!(
        told.contains("without log    nothing is broken: it never mattered"),
        "{told}"
    );
}

/// Ten kinds of failures would be more than an exploration looks for by default.
#[test]
fn all_kinds_that_break_something_are_known() {
    let kinds = [
        Kind::LostRequest,
        Kind::LostReply,
        Kind::Latency,
        Kind::SlowReply,
    ];
    let menu = Menu::only(kinds).calls_only();
    let ablation = exploring("ablate-all", 12)
        .menu(menu)
        .ablate(["retry"], async |w: World, policies: Policies| {
            for call in ["a", "b"] {
                let attempts = if policies.has("retry") { 4 } else { 1 };
                let mut heard = false;
                for _ in 0..attempts {
                    let call = w.site(call).run(17u64, async || ());
                    heard = heard || timeout(PATIENCE, call).await.is_ok();
                }
                always!(heard, &format!("{call} is heard of"));
            }
        })
        .expect("all in place, it is green");
    assert_eq!(
        ablation.paid_for("retry"),
        ["latency", "lost-reply", "lost-request", "slow-reply"],
        "{ablation}"
    );
    let Worth::Pays(causes) = &ablation.rows[0].worth else {
        panic!("{ablation}");
    };
    assert!(
        ablation
            .to_string()
            .contains("broken by latency at a, b; lost-reply at a, b; "),
        "{ablation}"
    );
    assert_eq!(causes.len(), 8, "four kinds at two places: {causes:?}");
}

#[test]
fn the_same_seed_is_the_same_table() {
    let of = |jobs| {
        let explored = exploring("ablate-same", 8).menu(menu()).jobs(jobs);
        let ablation = explored.ablate(ALL, charges).expect("green");
        let rows = ablation.rows.into_iter();
        rows.map(|row| (row.policy, row.worth)).collect::<Vec<_>>()
    };
    assert_eq!(of(1), of(2));
}

#[test]
fn what_is_not_green_with_all_in_place_is_refused() {
    let explored = exploring("ablate-red", 50).menu(menu());
    let refused = explored.ablate(["retry"], async |w: World, policies: Policies| {
        let _ = policies.has("retry");
        let call = w.site("api->pay").run(17u64, async || ());
        always!(timeout(PATIENCE, call).await.is_ok(), "it is heard of");
    });
    let Err(NotAblated::Baseline(outcome)) = refused else {
        panic!("refused, and not {refused:?}");
    };
    assert_eq!(outcome.failures.len(), 1);
}

#[test]
fn a_policy_that_the_test_never_asks_for_is_not_said_to_matter_or_not() {
    let explored = exploring("ablate-unasked", 8).menu(menu());
    let ablation = explored.ablate(["retry", "hedge"], async |w, policies: Policies| {
        let _ = policies.has("retry");
        let _ = timeout(PATIENCE, World::site(&w, "a").run(1u64, async || ())).await;
    });
    let ablation = ablation.expect("it is green");
    assert_eq!(ablation.rows[1].worth, Worth::NeverAsked, "{ablation}");
    assert!(!ablation.never_mattered("hedge"));
    assert!(ablation.never_mattered("retry"));
}

#[test]
fn names_are_given_once_and_all_that_are_asked_for() {
    let ablate = |names: &[&str]| {
        let explored = exploring("ablate-names", 8).menu(menu());
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let told = explored.ablate(names, async |w, policies: Policies| {
            let _ = policies.has("retry");
            let _ = timeout(PATIENCE, World::site(&w, "a").run(1u64, async || ())).await;
        });
        told.map(|_| ()).map_err(|e| e.to_string())
    };
    for (names, want) in [
        (&["retry"][..], Ok(())),
        (&[], Err("policies: none is named")),
        (&["retry", "retry"], Err("policies: `retry` is named twice")),
        (
            &["retries"],
            Err("policies: the test asks for `retry`, and known are retries"),
        ),
    ] {
        let got = ablate(names);
        match want {
            Ok(()) => assert_eq!(got, Ok(())),
            Err(want) => assert!(got.clone().is_err_and(|e| e.starts_with(want)), "{got:?}"),
        }
    }
}

#[test]
fn a_code_repeats_the_run_without_the_policy() {
    let explored = exploring("ablate-code", 8).menu(menu());
    let ablation = explored.clone().ablate(ALL, charges).expect("green");
    let failure = &ablation.row("key").expect("a row").outcome.failures[0];
    let again = explored.replay(failure.code.clone()).ablate(ALL, charges);
    let Err(NotAblated::Replayed(outcome)) = again else {
        panic!("replayed, and not {again:?}");
    };
    assert_eq!(outcome.failures[0].fingerprint(), failure.fingerprint());
}

/// What breaks a system that lacks something is no old failure: the next ablation would begin, and end, with it.
#[test]
fn an_ablation_writes_no_corpus_and_reads_none_without_a_policy() {
    let explored = exploring("ablate-twice", 8).menu(menu());
    let first = explored.clone().ablate(ALL, charges).expect("green");
    let code = first.rows[1].outcome.failures[0].code.to_string();
    let corpus = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("ablate-twice.txt");
    std::fs::write(&corpus, code).expect("a corpus");
    let again = explored.corpus(corpus).ablate(ALL, charges);
    let again = again.expect("green");
    for (first, again) in first.rows.iter().zip(&again.rows) {
        assert_eq!(first.outcome.phases, again.outcome.phases);
    }
}

/// Of two attempts one is enough, and the fault that only the other shows is needed too.
#[test]
fn what_only_two_faults_show_is_a_cause_of_two() {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let explored = exploring("ablate-pair", 12).menu(menu);
    let ablation = explored.ablate(["third"], async |w: World, policies: Policies| {
        let replicas = if policies.has("third") { 3 } else { 2 };
        let mut stored = 0;
        for replica in 0..replicas {
            let store = w.site(&format!("api->{replica}")).run(17u64, async || ());
            stored += u32::from(timeout(PATIENCE, store).await.is_ok());
        }
        always!(stored > 0, "what was acknowledged is stored");
    });
    let ablation = ablation.expect("three lost requests are more than this budget");
    assert_eq!(
        ablation.paid_for("third"),
        [""; 0],
        "not of one fault alone"
    );
    assert!(!ablation.never_mattered("third"), "{ablation}");
    let told = ablation.rows[0].worth.to_string();
    let want = "broken by lost-request at api->0 and lost-request at api->1";
    assert_eq!(told, want, "{ablation}");
}

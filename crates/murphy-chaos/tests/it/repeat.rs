//! Runs that repeat themselves, and those that do not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use murphy_chaos::{Budget, Menu, Verdict, World, always, sometimes};
use tokio::time::{sleep, timeout};

use crate::support::{Counter, exploring};

async fn call(w: &World, key: u64) -> bool {
    let call = w
        .site("api->pay")
        .run(key, || sleep(Duration::from_millis(1)));
    timeout(Duration::from_secs(5), call).await.is_ok()
}

#[test]
fn iteration_over_a_hash_map_is_found_out() {
    let outcome = exploring("hash", 500).run(async |w: World| {
        let orders: HashMap<u64, ()> = (1..=64).map(|key| (key, ())).collect();
        #[expect(clippy::iter_over_hash_type, reason = "the bug that is looked for")]
        for key in orders.keys() {
            call(&w, *key).await;
        }
    });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("iteration over a hash map"),
        "{outcome}"
    );
    assert!(outcome.undecided[0].contains("parted after"), "{outcome}");
}

#[test]
fn state_that_runs_share_is_found_out() {
    let shared = AtomicU64::new(0);
    let outcome = exploring("shared", 200).run(async |w: World| {
        call(&w, 17).await;
        sometimes!(shared.fetch_add(1, SeqCst) % 2 == 0, "every other run");
    });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("state that runs share"),
        "{outcome}"
    );
}

#[test]
fn random_keys_are_found_out() {
    let outcome = exploring("uuid", 200).run(async |w: World| {
        let uuid = murphy_chaos::core::Seed::fresh();
        call(&w, uuid.bits()).await;
    });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    assert!(
        outcome.undecided[0].contains("an id from entropy"),
        "{outcome}"
    );
}

#[test]
fn how_many_threads_there_are_changes_nothing() {
    let explored = |jobs| {
        let outcome = exploring(&format!("jobs-{jobs}"), 700)
            .jobs(jobs)
            .menu(Menu::default().outages([Duration::from_secs(9)]))
            .failures(2)
            .run(async |w: World| {
                let heard = Counter::default();
                let crowd = w.clients(3).calls(2).pace(Duration::from_millis(2));
                let (world, count) = (w.clone(), heard.clone());
                let one = move |_| {
                    let (world, count) = (world.clone(), count.clone());
                    async move {
                        let scope = murphy_chaos::core::Scope::current_key();
                        let key = scope.expect("a crowd has keys");
                        if call(&world, key.bits()).await {
                            count.add();
                        }
                    }
                };
                crowd.each(one).await;
                always!(heard.get() > 4, "two lost calls of six are too many");
            });
        let failures: Vec<_> = (outcome.failures.iter())
            .map(|f| {
                (
                    f.code.injections.clone(),
                    f.code.seed,
                    f.replays,
                    f.found_with,
                )
            })
            .collect();
        (
            failures,
            outcome.phases,
            outcome.coverage,
            outcome.marks,
            outcome.runs,
        )
    };
    let one = explored(1);
    assert_eq!(one.0[0].0.len(), 2, "{one:?}");
    assert_eq!(one, explored(2));
    assert_eq!(one, explored(7));
}

#[test]
fn another_seed_draws_other_storms() {
    let explored = |seed: u64| {
        let outcome = exploring(&format!("seed-{seed}"), 0)
            .budget(Budget::runs(300))
            .seed(seed)
            .run(async |w: World| _ = call(&w, 17).await);
        assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
        outcome.coverage
    };
    assert_eq!(explored(1), explored(1));
    assert_ne!(explored(1), explored(2));
}

//! Panics are failures, and are told by their words.

use std::time::Duration;

use murphy_chaos::{Promise, Verdict, World};
use tokio::time::timeout;

use crate::support::exploring;

async fn one_call(w: &World) -> bool {
    let call = w.site("api->pay").run(17u64, || async {});
    timeout(Duration::from_secs(5), call).await.is_ok()
}

#[test]
fn an_assertion_of_the_test_itself_is_a_promise() {
    let outcome = exploring("assert", 100).run(async |w: World| {
        assert!(one_call(&w).await, "not heard of order 17");
    });
    let violation = &outcome.failures[0].violation;
    assert_eq!(violation.promise, Promise::Safety);
    assert!(
        violation
            .fingerprint()
            .ends_with("panics.rs: not heard of order #"),
        "{violation}"
    );
    assert_eq!(outcome.failures[0].injections.len(), 1);
}

#[test]
fn a_task_that_panics_where_nobody_looks_is_a_failure_unless_tolerated() {
    let test = async |w: World| {
        if !one_call(&w).await {
            drop(tokio::spawn(async { panic!("in the dark") }));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let outcome = exploring("dark", 100).run(test);
    assert!(
        outcome.failures[0].violation.name.contains("in the dark"),
        "{outcome}"
    );
    let outcome = exploring("tolerant", 100).tolerating_panics().run(test);
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

#[test]
fn what_panics_while_a_run_is_torn_down_is_nobodys() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let outcome = exploring("bomb", 50).run(async |w: World| {
        drop(tokio::spawn(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        }));
        one_call(&w).await;
    });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

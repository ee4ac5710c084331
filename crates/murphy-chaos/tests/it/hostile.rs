//! What is odd, huge or hostile ends an exploration in words, and in nothing else.

use std::time::Duration;

use murphy_chaos::{
    Budget, Injection, Kind, Menu, RealTime, ReplayCode, Stage, Upset, Verdict, World,
};
use murphy_chaos::{always, sometimes};
use tokio::time::timeout;

use crate::process::output_of;
use crate::support::exploring;

async fn one_call(w: &World) -> bool {
    let call = w.site("api->pay").run(17u64, || async {});
    timeout(Duration::from_secs(5), call).await.is_ok()
}

/// Panics as it is dropped, unless it is told not to.
struct Bomb;

impl Bomb {
    fn defused(self) {
        std::mem::forget(self);
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_test_that_panics_as_its_run_is_cut_short_is_judged_by_what_it_promised() {
    let outcome = exploring("bomb-body", 50).run(async |w: World| {
        let bomb = Bomb;
        always!(one_call(&w).await, "heard");
        tokio::time::sleep(Duration::from_secs(1)).await;
        bomb.defused();
    });
    assert_eq!(outcome.failures[0].violation.name, "heard", "{outcome}");
    let outcome = exploring("bomb-horizon", 50).run(async |w: World| {
        let bomb = Bomb;
        if !one_call(&w).await {
            std::future::pending::<()>().await;
        }
        bomb.defused();
    });
    let name = &outcome.failures[0].violation.name;
    assert_eq!(name, "the run ends", "{outcome}");
}

#[cfg(feature = "http")]
#[test]
fn a_service_that_panics_as_it_is_dropped_is_nobodys() {
    let outcome = exploring("bomb-served", 50).run(async |w: World| {
        let bomb = std::sync::Arc::new(Bomb);
        let handler = axum::routing::get(async move || drop(bomb.clone()));
        w.serve("pay", axum::Router::new().route("/", handler));
        let _ = timeout(Duration::from_secs(5), w.client("pay").get("/")).await;
    });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

#[test]
fn all_the_time_there_is_is_time_enough() {
    let outcome = exploring("all-time", 50)
        .budget(Budget::runs(50).within(Duration::MAX))
        .horizon(Duration::MAX)
        .storm(Duration::MAX)
        .patience(Duration::MAX)
        .run(async |w: World| {
            one_call(&w).await;
        });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    let outcome = exploring("all-real-time", 3)
        .menu(Menu::only([Kind::LostReply]).calls_only())
        .real_time(RealTime::new())
        .horizon(Duration::MAX)
        .run(async |w: World| {
            let call = w.site("api->pay").run(17u64, || async {});
            let _ = timeout(Duration::from_millis(5), call).await;
        });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

#[test]
fn an_error_of_many_words_has_a_short_name() {
    let outcome = exploring("wordy", 100).run(async |w: World| match one_call(&w).await {
        true => Ok(()),
        false => Err("not heard\n".to_owned() + &"</script>]]>\0\n::error::x ".repeat(100_000)),
    });
    let failure = &outcome.failures[0];
    assert_eq!(
        failure.violation.name,
        "the test returned an error: not heard"
    );
    assert!(failure.violation.detail.contains("::error::x"));
    let said = outcome.to_string().len();
    assert!(said < 40_000, "{said}");
}

/// Two kinds at one call, one of which leaves nothing to the other, are no pair that was left out.
#[test]
fn all_pairs_are_all_that_can_be_told_apart() {
    let menu = Menu::only([Kind::LostRequest, Kind::LostReply, Kind::SlowReply]).calls_only();
    let outcome = exploring("all-pairs", 500)
        .menu(menu)
        .run(async |w: World| {
            for key in 1..4u64 {
                let call = w.site("api->pay").run(key, || async {});
                let _ = timeout(Duration::from_secs(5), call).await;
            }
        });
    let pairs = outcome.phases.iter().find(|p| p.stage == Stage::Pairs);
    let pairs = pairs.expect("there are pairs");
    // Of nine faults 36, without lost requests with what else strikes the call.
    assert_eq!((pairs.tried, pairs.of), (30, Some(30)), "{outcome}");
}

/// As calls that are gone.
#[test]
fn a_code_whose_upsets_would_come_after_the_end_is_no_pass() {
    let upset = |at| Injection::Upset {
        what: Upset::Pause("pay".into()),
        at: Duration::from_millis(at),
        lasting: Duration::from_secs(1),
    };
    let replay = |at| {
        let code = ReplayCode {
            name: "late".into(),
            seed: 1.into(),
            injections: vec![upset(at)],
        };
        exploring("late", 1).replay(code).run(async |w: World| {
            let _ = w.node("pay");
            one_call(&w).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
        })
    };
    assert_eq!(replay(5).verdict, Verdict::Passed);
    for at in [60_000, u64::MAX] {
        let outcome = replay(at);
        assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    }
}

#[test]
fn threads_make_no_difference_to_what_is_said() {
    let said = |jobs| {
        let explored = exploring("jobs", 2000).jobs(jobs).going_on().failures(10);
        let mut outcome = explored.run(async |w: World| {
            let mut lost = 0;
            for key in 0..4u64 {
                let call = w.site(&format!("api->{}", key % 2)).run(key, || async {});
                let heard = timeout(Duration::from_secs(5), call).await.is_ok();
                lost += u32::from(!heard);
            }
            let _ = w.node("0");
            sometimes!(lost > 1, "two are lost");
            always!(lost < 3, "two are heard");
        });
        outcome.took = Duration::ZERO;
        outcome.to_string()
    };
    let one = said(1);
    assert!(one.contains("two are heard"), "{one}");
    assert_eq!(said(2), one);
    assert_eq!(said(7), one);
}

#[test]
fn what_is_wrong_with_the_environment_is_said_with_the_variables_name() {
    for (name, value) in [
        ("MURPHY_SEED", "-1"),
        ("MURPHY_SEED", "99999999999999999999999"),
        ("MURPHY_BUDGET", "0.5"),
        ("MURPHY_BUDGET", "10 parsecs"),
        ("MURPHY_REPLAY", "murphy1:x"),
        ("MURPHY_REPLAY", "@/nowhere/at-all.code"),
    ] {
        let told = output_of("process::child", &["--nocapture"], &[(name, value)]);
        let line = told.lines().find(|line| line.contains("murphy: `"));
        let line = line.expect("it says so");
        assert!(line.contains(name) && line.contains(value), "{line}");
    }
}

//! What a fresh process does: the same.

use std::process::{Command, Output};
use std::time::Duration;

use murphy_chaos::{Budget, Menu, World, always, explore};
use tokio::time::{sleep, timeout};

/// Orders that are charged twice if a reply is lost, by four clients.
async fn orders(w: World) {
    let charged = std::rc::Rc::new(std::cell::RefCell::new(std::collections::BTreeMap::new()));
    let (world, charges) = (w.clone(), charged.clone());
    w.clients(4)
        .calls(3)
        .pace(Duration::from_millis(2))
        .each(move |caller| {
            let (world, charged) = (world.clone(), charges.clone());
            async move {
                for _attempt in 0..2 {
                    let charged = charged.clone();
                    let site = world.site("api->pay");
                    let charge = site.run(caller.key(), async || {
                        sleep(Duration::from_millis(1)).await;
                        *charged.borrow_mut().entry(caller.key()).or_insert(0) += 1;
                    });
                    if timeout(Duration::from_secs(5), charge.inline())
                        .await
                        .is_ok()
                    {
                        break;
                    }
                }
            }
        })
        .await;
    let most = charged.borrow().values().copied().max();
    always!(most.unwrap_or(0) <= 1, "an order is charged once");
}

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn child() {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = target.join(format!("child-{}", std::process::id()));
    let outcome = explore("orders")
        .artifacts(&target)
        .menu(Menu::default().outages([Duration::from_secs(8)]))
        .budget(Budget::runs(2000))
        .run(orders);
    let ledger = target.join("failure-0.ledger.jsonl");
    println!("LEDGER {:?}", std::fs::read_to_string(ledger).ok());
    let _ = std::fs::remove_dir_all(target);
    for failure in &outcome.failures {
        println!(
            "CODE {} {} {}",
            failure.code, failure.replays, failure.violation
        );
    }
    println!("PHASES {:?} RUNS {}", outcome.phases, outcome.runs);
    println!("COVERAGE {:?}", outcome.coverage);
    println!("EXIT {}", outcome.exit_code());
}

/// In a process of its own, since the hook is everybody's.
#[test]
#[ignore = "what the other tests run in processes of their own"]
fn hookless() {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hookless");
    let outcome = explore("hookless")
        .artifacts(target)
        .jobs(1)
        .run(async |w: World| {
            let call = w.site("api->pay").run(17u64, || async {});
            let heard = timeout(Duration::from_secs(5), call).await.is_ok();
            drop(std::panic::take_hook());
            assert!(heard, "not heard");
        });
    println!("CODE {}", outcome.failures[0].violation.name);
}

/// Somebody took the hook away: the panic is on the error stream, and a failure all the same.
#[test]
fn a_panic_is_a_failure_whoever_has_the_hook() {
    let told = child_of("process::hookless", &[]);
    assert_eq!(told, ["CODE panic in the test: not heard"]);
}

fn process(environment: &[(&str, &str)]) -> Vec<String> {
    child_of("process::child", environment)
}

fn child_of(test: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let text = output_of(test, &["--nocapture"], environment);
    let words = ["LEDGER", "CODE", "PHASES", "COVERAGE", "EXIT", "murphy: `"];
    let lines = text.lines().filter(|l| words.iter().any(|w| l.contains(w)));
    lines.map(str::to_owned).collect()
}

/// What the test says in a process of its own, on both streams.
pub(crate) fn output_of(test: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let this = std::env::current_exe().expect("a test is a program");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--ignored"]).args(arguments);
    for name in [
        "MURPHY_SEED",
        "MURPHY_BUDGET",
        "MURPHY_REPLAY",
        "MURPHY_ANNOTATE",
        "GITHUB_ACTIONS",
    ] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let Output { stdout, stderr, .. } = command.output().expect("it runs");
    String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)
}

#[test]
fn the_same_seed_in_four_processes_is_the_same_exploration() {
    let first = process(&[("MURPHY_SEED", "7")]);
    assert!(
        first.iter().any(|line| line.starts_with("CODE ")),
        "{first:?}"
    );
    assert!(
        first.iter().any(|line| line.starts_with("LEDGER Some")),
        "{first:?}"
    );
    for _ in 1..4 {
        assert_eq!(process(&[("MURPHY_SEED", "7")]), first);
    }
}

#[test]
fn a_code_repeats_the_failure_in_a_fresh_process() {
    let found = process(&[]);
    let line = found
        .iter()
        .find(|line| line.starts_with("CODE "))
        .expect("a failure");
    let code = line.split(' ').nth(1).expect("a code");
    let again = process(&[("MURPHY_REPLAY", code)]);
    assert!(again.iter().any(|line| line.contains(code)), "{again:?}");
    assert!(again.contains(&"EXIT 1".to_owned()), "{again:?}");
    assert!(
        again.iter().any(|line| line.contains("RUNS 4")),
        "one run, confirmed: {again:?}"
    );
}

#[test]
fn the_budget_of_the_environment_wins() {
    let outcome = process(&[("MURPHY_BUDGET", "3")]);
    assert!(
        outcome.iter().any(|line| line.contains("RUNS ")),
        "{outcome:?}"
    );
    assert!(
        outcome.contains(&"EXIT 2".to_owned()),
        "too small for the singles: {outcome:?}"
    );
    let outcome = process(&[("MURPHY_BUDGET", "six")]);
    assert!(
        outcome.iter().any(|line| line.contains("`six` is neither")),
        "{outcome:?}"
    );
    let outcome = process(&[("MURPHY_REPLAY", "murphy1:x")]);
    assert!(
        outcome
            .iter()
            .any(|line| line.contains("it has not five parts")),
        "{outcome:?}"
    );
}

//! Failures of old come first.

use std::fs;
use std::path::Path;
use std::time::Duration;

use murphy_chaos::{Explore, Stage, Verdict, World, always};
use tokio::time::timeout;

use crate::support::exploring;

async fn hears(w: World, fixed: bool, site: &'static str) {
    let call = w.site(site).run(17u64, || async {});
    let heard = timeout(Duration::from_secs(5), call).await.is_ok();
    always!(heard || fixed, "it is heard");
}

fn with_corpus(name: &str, text: &str) -> Explore {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
    fs::write(&file, text).expect("a file");
    exploring(name, 300).corpus(file)
}

#[test]
fn a_failure_of_old_is_tried_first_until_it_is_fixed() {
    let found = exploring("old", 300).run(|w| hears(w, false, "api->pay"));
    let code = found.failures[0].code.to_string();
    let again = with_corpus("old", &format!("# a remark\n\n{code}\n"));
    let outcome = again.clone().run(|w| hears(w, false, "api->pay"));
    assert_eq!(outcome.failures[0].stage, Stage::Corpus, "{outcome}");
    assert_eq!(outcome.failures[0].code.to_string(), code);
    assert_eq!(outcome.phases.len(), 1, "{outcome}");

    let outcome = again.clone().run(|w| hears(w, true, "api->pay"));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    assert_eq!(outcome.phases[0].tried, 1);

    let outcome = again.run(|w| hears(w, true, "api->other"));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    assert!(outcome.notes[0].contains("not made any more"), "{outcome}");
}

#[test]
fn a_failure_is_remembered_by_itself() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("remembered");
    let first = exploring("remembered", 300);
    let outcome = first.clone().run(|w| hears(w, false, "api->pay"));
    assert_eq!(outcome.failures[0].stage, Stage::Singles);
    let code = outcome.failures[0].code.to_string();
    let read = |file| fs::read_to_string(target.join(file)).expect(file);
    assert_eq!(read("failure-0.code").trim(), code);
    assert!(read("failure-0.plan.toml").contains("api->pay"));
    assert!(read("failure-0.ledger.jsonl").lines().count() > 2);
    assert!(read("report.txt").contains(&code));
    let outcome = first.run(|w| hears(w, false, "api->pay"));
    assert_eq!(outcome.failures[0].stage, Stage::Corpus, "{outcome}");
    assert_eq!(
        read("corpus.txt")
            .lines()
            .filter(|line| *line == code)
            .count(),
        1
    );
}

#[test]
fn a_line_that_is_no_code_guards_nothing_and_the_others_are_tried() {
    let found = exploring("bad", 300).run(|w| hears(w, false, "api->pay"));
    let code = found.failures[0].code.to_string();
    let other = code.replace(":bad:", ":another:");
    let text = format!("murphy1:bad:0::0000\nnonsense\n{other}\n{code}\n");
    let outcome = with_corpus("bad", &text).run(|w| hears(w, true, "api->pay"));
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    for (why, line) in outcome.undecided.iter().zip(["line 1", "line 2", "line 3"]) {
        assert!(why.contains(line), "{outcome}");
    }
    assert_eq!(outcome.phases[0].tried, 1);
    let outcome = with_corpus("bad", &text).run(|w| hears(w, false, "api->pay"));
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
}

#[test]
fn what_an_earlier_exploration_left_is_no_guard() {
    let exploration = exploring("left", 300);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("left");
    fs::create_dir_all(&target).expect("a directory");
    fs::write(target.join("corpus.txt"), "nonsense\n").expect("a file");
    let outcome = exploration.run(|w| hears(w, true, "api->pay"));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    assert!(outcome.notes[0].contains("line 1"), "{outcome}");
}

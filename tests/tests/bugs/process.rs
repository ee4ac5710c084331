//! What a fresh process does with a code: the same.

use std::process::{Command, Output};

use murphy_chaos::REPLAY_VARIABLE;

use crate::BUGS;
use crate::harness::{Bug, Twin};

/// Explorations of other names than the code's skip themselves.
#[test]
#[ignore = "what the other tests run in processes of their own"]
fn child() {
    for bug in BUGS {
        let outcome = bug.explored(Twin::Buggy);
        for failure in &outcome.failures {
            println!("FAILED {} {}", outcome.exit_code(), failure.fingerprint());
        }
    }
}

/// Exit code and fingerprint of the failure that a fresh process repeats.
pub(crate) fn replays(bug: &Bug, code: &str) -> String {
    let lines = process("process::child", &[(REPLAY_VARIABLE, code)], "FAILED ");
    let [line] = &lines[..] else {
        panic!("{}: one failure, not {lines:?}", bug.name);
    };
    line.clone()
}

/// The lines that begin with `word`, of a test that is run in a process of its own.
fn process(test: &str, environment: &[(&str, &str)], word: &str) -> Vec<String> {
    let this = std::env::current_exe().expect("a test is a program");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for name in ["MURPHY_SEED", "MURPHY_BUDGET", "MURPHY_REPLAY"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let Output { stdout, stderr, .. } = command.output().expect("it runs");
    let (told, errors) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    let lines: Vec<String> = (told.lines())
        .filter_map(|line| line.split_once(word).map(|(_, rest)| rest.to_owned()))
        .collect();
    assert!(!lines.is_empty(), "{told}\n{errors}");
    lines
}

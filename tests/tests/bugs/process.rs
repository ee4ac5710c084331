//! What fresh processes do with codes and seeds: the same.

use std::process::{Command, Output};

use murphy_chaos::{REPLAY_VARIABLE, ReplayCode};

use crate::BUGS;
use crate::harness::Twin;

/// The codes that [`tracing`] repeats, separated by blanks.
const CODES: &str = "MURPHY_TESTS_CODES";

/// Explorations of other names than the code's skip themselves.
#[test]
#[ignore = "what the other tests run in processes of their own"]
fn replaying() {
    for bug in BUGS {
        let outcome = bug.explored(Twin::Buggy);
        for failure in &outcome.failures {
            let (exit, broken) = (outcome.exit_code(), failure.fingerprint());
            println!("TOLD exit {exit}, {broken}");
        }
    }
}

/// The traces of all codes, record for record.
#[test]
#[ignore = "what the other tests run in processes of their own"]
fn tracing() {
    let codes = std::env::var(CODES).expect("codes");
    for code in codes.split(' ') {
        let code: ReplayCode = code.parse().expect("a code");
        let bug = BUGS.into_iter().find(|bug| bug.name == code.name);
        let bug = bug.expect("a name of ours");
        let replay = bug.exploration("traced").replay(code);
        let outcome = replay.run(move |w| (bug.run)(w, Twin::Buggy));
        println!("TOLD {} {:?}", bug.name, outcome.marks);
        for failure in &outcome.failures {
            let mut trace = Vec::new();
            let transcript = failure.transcript.as_ref().expect("it is kept");
            transcript.write_json_lines(&mut trace).expect("in memory");
            let trace = String::from_utf8_lossy(&trace);
            println!("TOLD {} at {:?}", failure.violation, failure.violation.at);
            trace.lines().for_each(|line| println!("TOLD {line}"));
        }
    }
}

/// Exit codes and fingerprints of the failures that a fresh process repeats.
pub(crate) fn replays(code: &ReplayCode) -> Vec<String> {
    process("process::replaying", REPLAY_VARIABLE, &code.to_string())
}

#[test]
fn the_same_seed_in_four_processes_is_the_same_trace() {
    let codes = BUGS.map(|bug| bug.found().1.code.to_string()).join(" ");
    let first = process("process::tracing", CODES, &codes);
    let records = |bug: &str| {
        let of = first.iter().skip_while(|line| !line.starts_with(bug));
        of.skip(1)
            .take_while(|line| line.starts_with(['{', 'S', 'L']))
            .count()
    };
    for bug in BUGS {
        // The promise, the header, what went wrong, and two calls at least.
        assert!(records(bug.name) >= 5, "{}: {first:#?}", bug.name);
    }
    for _ in 1..4 {
        assert_eq!(process("process::tracing", CODES, &codes), first);
    }
}

/// What a test says that is run in a process of its own.
fn process(test: &str, name: &str, value: &str) -> Vec<String> {
    let this = std::env::current_exe().expect("a test is a program");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for name in ["MURPHY_SEED", "MURPHY_BUDGET", "MURPHY_REPLAY"] {
        command.env_remove(name);
    }
    let Output { stdout, stderr, .. } = command.env(name, value).output().expect("it runs");
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let told = out
        .lines()
        .filter_map(|line| Some(line.split_once("TOLD ")?.1.to_owned()));
    let told: Vec<String> = told.collect();
    assert!(!told.is_empty(), "{out}\n{err}");
    told
}

//! What an exploration leaves behind: for people, for CI systems, and nothing that it was not asked for.

#[cfg(feature = "junit")]
mod junit;
#[cfg(feature = "html")]
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use murphy_chaos::{Budget, Explore, Outcome, ReplayCode, Verdict, World, always, explore};
use tokio::time::timeout;

use crate::process::output_of;
use crate::support::exploring;

async fn heard(w: &World) -> bool {
    let call = w.site("api->pay").run(17u64, || async {});
    timeout(Duration::from_secs(5), call).await.is_ok()
}

async fn fails(w: World) {
    always!(heard(&w).await, "it is heard");
}

async fn passes(w: World) {
    heard(&w).await;
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn read(name: &str, file: &str) -> String {
    fs::read_to_string(target(name).join(file)).expect(file)
}

fn listed(name: &str) -> Vec<String> {
    let entries = fs::read_dir(target(name)).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into()
        })
        .collect();
    names.sort();
    names
}

/// `where` is not a directory of ours to write to: the note of it, and the verdict.
fn unwritten(explored: Explore) -> String {
    let outcome = explored.run(fails);
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
    assert_eq!(outcome.failures.len(), 1, "{outcome}");
    let note = outcome
        .notes
        .iter()
        .find(|n| n.contains("could not be written"));
    assert!(outcome.to_string().contains("could not be written"));
    note.unwrap_or_else(|| panic!("{outcome}")).clone()
}

#[test]
fn a_directory_that_cannot_be_is_a_note_and_no_other_verdict() {
    fs::write(target("report-file"), "in the way").expect("a file");
    let note = unwritten(exploring("report-no", 200).artifacts(target("report-file").join("x")));
    assert!(note.contains("report-file"), "{note}");
    let explored = exploring("report-no", 200).artifacts(target("report-file").join("x"));
    assert_eq!(explored.run(passes).verdict, Verdict::Passed);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_note_and_no_other_verdict() {
    for file in ["report.txt", "failure-0.ledger.jsonl"] {
        let explored = exploring("report-full", 200);
        fs::create_dir_all(target("report-full")).expect("a directory");
        std::os::unix::fs::symlink("/dev/full", target("report-full").join(file)).expect("a link");
        let note = unwritten(explored);
        assert!(note.contains(file) && note.contains("No space"), "{note}");
        fs::remove_dir_all(target("report-full")).expect("it was there");
    }
}

#[test]
fn a_name_is_no_path() {
    for name in ["../../../evil", "/etc/evil", "..", "a/../../b", "nul\0\n"] {
        let outcome = explore(name).seed(1).budget(Budget::runs(50)).run(fails);
        let note = outcome.notes.iter().find_map(|note| {
            note.strip_prefix("to look at it: ")
                .or_else(|| note.strip_prefix("report and ledgers are in "))
        });
        let told = Path::new(note.unwrap_or_else(|| panic!("{outcome}")));
        let directory = match told.is_dir() {
            true => told,
            false => told.parent().expect("a directory"),
        };
        let parent = directory.parent().and_then(Path::file_name);
        assert_eq!(parent, Some("murphy".as_ref()), "{told:?}");
        assert!(directory.join("report.txt").is_file(), "{told:?}");
        fs::remove_dir_all(directory).expect("it was there");
    }
}

#[test]
fn the_directory_describes_the_last_exploration() {
    let explored = exploring("report-last", 200);
    explored.clone().run(fails);
    fs::write(target("report-last").join("mine.txt"), "not yours").expect("a file");
    let code = read("report-last", "failure-0.code");
    let left = listed("report-last");
    assert!(left.contains(&"failure-0.plan.toml".to_owned()), "{left:?}");
    assert_eq!(
        left.contains(&"index.html".to_owned()),
        cfg!(feature = "html")
    );
    explored.run(passes);
    let mut want = vec!["corpus.txt", "junit.xml", "mine.txt", "report.txt"];
    want.retain(|name| *name != "junit.xml" || cfg!(feature = "junit"));
    assert_eq!(listed("report-last"), want);
    assert!(read("report-last", "corpus.txt").contains(code.trim()));
}

/// A code of another exploration: this one does not run, and leaves alone what is there.
fn skipped(name: &str) -> Outcome {
    let explored = exploring(name, 200);
    let code = ReplayCode {
        name: "another".into(),
        seed: 1.into(),
        injections: Vec::new(),
    };
    explored.replay(code).run(fails)
}

#[test]
fn what_skips_itself_writes_nothing() {
    skipped("report-skipped");
    assert!(!target("report-skipped").exists());
}

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn silent() {
    exploring("report-silent", 200).check(passes);
}

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn loud() {
    exploring("report-loud, a:b", 200).run(async |w: World| {
        always!(heard(&w).await, "it is\n::error::heard", "100%");
    });
}

#[test]
fn a_test_that_passes_is_silent() {
    let told = output_of(
        "report::silent",
        &[],
        &[("GITHUB_ACTIONS", "true"), ("MURPHY_ANNOTATE", "1")],
    );
    let of_ours = told
        .lines()
        .find(|line| line.contains("murphy") || line.contains("::error"));
    assert_eq!(of_ours, None, "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

#[test]
fn github_is_told_the_line_that_explores_where_it_is_asked_to() {
    let told = |environment: &[(&str, &str)]| -> Vec<String> {
        let text = output_of("report::loud", &["--nocapture"], environment);
        let lines = text.lines().filter(|line| line.starts_with("::"));
        lines.map(str::to_owned).collect()
    };
    let (on_github, asked) = (("GITHUB_ACTIONS", "true"), ("MURPHY_ANNOTATE", "1"));
    for unasked in [
        &[][..],
        &[on_github],
        &[asked],
        &[on_github, ("MURPHY_ANNOTATE", "0")],
    ] {
        assert_eq!(told(unasked), [""; 0], "{unasked:?}");
    }
    let [line] = &told(&[on_github, asked])[..] else {
        panic!("one annotation")
    };
    let (properties, message) = line[2..].split_once("::").expect("a message");
    let file = file!().replace('\\', "/");
    assert!(
        properties.starts_with(&format!("error file={file},line=")),
        "{line}"
    );
    assert!(
        properties.ends_with(",title=murphy report-loud%2C a%3Ab%3A SAFETY"),
        "{line}"
    );
    assert!(
        message.starts_with("SAFETY: it is%0A::error::heard (100%25)%0A"),
        "{line}"
    );
}

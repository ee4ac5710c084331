//! What an exploration leaves behind: for people, for CI systems, and nothing that it was not asked for.

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

#[cfg(feature = "html")]
mod page {
    use murphy_chaos::check::model::register::{Register, Reply, Request};

    use super::*;

    const HOSTILE: &str = "</script><b>&\"'<img src=x onerror=alert(1)>\u{202e}\0";

    #[test]
    fn what_the_test_names_is_text() {
        exploring("report-hostile", 300).run(async |w: World| {
            let _node = w.node(HOSTILE);
            let call = w.site(&format!("api->{HOSTILE}")).run(17u64, || async {});
            let heard = timeout(Duration::from_secs(5), call).await.is_ok();
            always!(heard, HOSTILE, "{HOSTILE}");
        });
        let page = read("report-hostile", "index.html");
        for markup in ["<script", "</script", "<img", "<b>", "onerror=alert(1)>"] {
            let found = page
                .find(markup)
                .map(|at| &page[at..(at + 80).min(page.len())]);
            assert_eq!(found, None, "{markup}");
        }
        assert!(
            page.contains("&lt;/script&gt;&lt;b&gt;&amp;&quot;"),
            "{page}"
        );
        assert!(
            !page.contains(['\u{202e}', '\0']),
            "what turns text around is shown"
        );
    }

    #[test]
    fn it_says_promise_faults_lanes_coverage_and_what_to_type() {
        let outcome = exploring("report-page", 300).run(fails);
        let page = read("report-page", "index.html");
        let code = outcome.failures[0].code.to_string().replace('>', "&gt;");
        for want in [
            "SAFETY",
            "it is heard",
            "The work was done, and the caller hears nothing.",
            "reply lost: the work was done",
            &format!("MURPHY_REPLAY={code} cargo test"),
            ">lost-reply</th>",
            "tests/it/report.rs",
        ] {
            assert!(page.contains(want), "{want}");
        }
        for elsewhere in ["src=", "@import", "url(", "<link", "<script"] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn a_history_that_is_not_legal_is_drawn() {
        let outcome = exploring("report-history", 300).run(async |w: World| {
            let history = w.history();
            let write = history.call(1, Request::Write(7)).expect("a call");
            history.done(write, Reply::Written).expect("an end");
            let read = history.call(2, Request::Read).expect("a call");
            let value = heard(&w).await.then_some(7);
            history.done(read, Reply::Value(value)).expect("an end");
            w.linearizable("the register", &Register::new(), &history);
        });
        let failure = &outcome.failures[0];
        assert!(failure.picture.is_some(), "{outcome}");
        let page = outcome.to_html();
        assert!(
            page.contains("murphy-window") && page.contains("write 7"),
            "{page}"
        );
    }

    #[cfg(feature = "http")]
    #[test]
    fn what_a_client_asked_and_was_told_is_on_it() {
        use axum::{Router, routing::post};

        let outcome = exploring("report-client", 300).run(async |w: World| {
            w.serve("pay", Router::new().route("/charge", post(async || "done")));
            let pay = w.client("pay");
            let lost = async || {
                let charge = pay.post("/charge", "42 EUR");
                timeout(Duration::from_secs(5), charge).await.is_err()
            };
            always!(!lost().await || lost().await, "what was lost stays lost");
        });
        let page = outcome.to_html();
        for want in ["POST /charge (call 0)", ">gave up<", ">200 OK<"] {
            assert!(page.contains(want), "{want}");
        }
    }

    #[test]
    fn a_long_run_is_cut_and_says_so() {
        let outcome = exploring("report-long", 40).run(async |w: World| {
            for n in 0..2_000u64 {
                w.site("api->pay").run(n, || async {}).await;
            }
            always!(false, "it is short");
        });
        let page = outcome.to_html();
        assert!(page.contains("2,000 calls. The run is cut"));
        assert!(page.len() < 100_000, "{}", page.len());
    }
}

#[cfg(feature = "junit")]
mod junit {
    use super::*;

    /// Tests, failures, errors and skipped, as the suite says and as its cases do.
    fn counts(xml: &str) -> [usize; 4] {
        let document = roxmltree::Document::parse(xml).expect("XML");
        let suite = document.descendants().find(|n| n.has_tag_name("testsuite"));
        let suite = suite.expect("a suite");
        let said = ["tests", "failures", "errors", "skipped"].map(|name| {
            let said = suite.attribute(name).expect(name);
            said.parse::<usize>().expect(name)
        });
        let cases = || suite.children().filter(|n| n.has_tag_name("testcase"));
        let with = |tag| {
            cases()
                .filter(|c| c.children().any(|n| n.has_tag_name(tag)))
                .count()
        };
        let counted = [
            cases().count(),
            with("failure"),
            with("error"),
            with("skipped"),
        ];
        assert_eq!(said, counted, "{xml}");
        said
    }

    #[test]
    fn what_passed_failed_and_is_undecided_is_counted() {
        let outcome = exploring("junit-passed", 200).run(passes);
        let parts = outcome.phases.len();
        assert_eq!(counts(&read("junit-passed", "junit.xml")), [parts, 0, 0, 0]);

        let outcome = exploring("junit-failed", 200).run(fails);
        let clean = outcome.phases.iter().filter(|p| p.failed == 0).count();
        assert_eq!(
            counts(&read("junit-failed", "junit.xml")),
            [clean + 1, 1, 0, 0]
        );

        let outcome = exploring("junit-undecided", 5).run(passes);
        assert_eq!(outcome.verdict, Verdict::Undecided);
        let parts = outcome.phases.len();
        assert_eq!(
            counts(&read("junit-undecided", "junit.xml")),
            [parts + 1, 0, 1, 0]
        );

        let outcome = exploring("junit-gap", 200).expecting("rain").run(passes);
        let parts = outcome.phases.len();
        assert_eq!(counts(&outcome.to_junit()), [parts + 1, 1, 0, 0]);

        assert_eq!(counts(&skipped("junit-skipped").to_junit()), [1, 0, 0, 1]);
    }

    #[test]
    fn what_no_xml_may_contain_is_left_out_and_the_rest_is_text() {
        const HOSTILE: &str = "]]></failure><b>&\"'\u{0}\u{1b}[31m\u{ffff} it is heard";
        let explored = explore(HOSTILE).artifacts(target("junit-hostile"));
        let outcome = explored.budget(Budget::runs(100)).run(async |w: World| {
            always!(heard(&w).await, HOSTILE, "{HOSTILE}");
        });
        let xml = outcome.to_junit();
        assert_eq!(counts(&xml)[1], 1);
        let document = roxmltree::Document::parse(&xml).expect("XML");
        let failed = document.descendants().find(|n| n.has_tag_name("failure"));
        let case = failed.and_then(|n| n.parent()).expect("a case");
        let name = case.attribute("name").expect("a name");
        assert!(name.starts_with("]]></failure><b>&\"'"), "{name}");
        assert!(name.ends_with("it is heard"), "{name}");
        assert!(case.descendants().all(|n| !n.has_tag_name("b")));
    }
}

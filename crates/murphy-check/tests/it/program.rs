//! The program: what it prints, and how it exits.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let output = Command::new(env!("CARGO_BIN_EXE_murphy-check"))
        .args(args)
        .current_dir(data)
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn it_prints_a_verdict_a_file_and_exits_0_1_or_2() {
    let (code, out, _) = run(&["cas-register", "cas.log", "cas-from-zero.edn"]);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "cas.log: legal\ncas-from-zero.edn: legal\n")
    );

    let (code, out, _) = run(&["register", "register-stale.edn", "nowhere.edn"]);
    assert_eq!(code, Some(1));
    let illegal = "register-stale.edn: illegal\n  nil at first\n  3..4  process 1  write 2\n* 5..6  process 2  read -> 1\n";
    assert!(out.starts_with(illegal), "{out}");
    assert!(out.contains("nowhere.edn: unknown: "), "{out}");

    for args in [
        &["register", "nowhere.edn"][..],
        &["mutex", "texts.txt"],
        &["key-value", "texts.txt", "--steps", "0"],
        &["registr", "register-stale.edn"],
        &["register"],
        &["register", "register-stale.edn", "--what"],
    ] {
        let (code, out, err) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {out}{err}");
    }
    let (_, out, _) = run(&["key-value", "texts.txt", "--steps", "0"]);
    assert_eq!(
        out,
        "texts.txt: unknown: not decided in 0 steps; parts left: 2\n"
    );
    let (_, _, err) = run(&["registr", "x"]);
    assert!(err.contains("did you mean `register`?"), "{err}");
    let (code, out, _) = run(&["--help"]);
    assert!(code == Some(0) && out.contains("usage: murphy-check"));
}

#[test]
fn what_a_register_holds_at_first_can_be_said() {
    let at_first = |value| run(&["cas", "cas-from-zero.edn", "--initial", value]).0;
    assert_eq!(
        [at_first("0"), at_first("nil"), at_first("1")],
        [Some(0), Some(1), Some(1)]
    );
    assert_eq!(at_first("[1"), Some(2));
}

#[test]
fn it_reads_the_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_murphy-check"))
        .args(["mutex", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let text = include_str!("../data/mutex-twice.edn");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"-: illegal\n"));
}

#[test]
fn it_draws_the_illegal_window() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (svg, html) = (folder.join("window.svg"), folder.join("window.html"));
    let paths = [svg.to_str().unwrap(), html.to_str().unwrap()];
    let (code, ..) = run(&[
        "register",
        "register-stale.edn",
        "--svg",
        paths[0],
        "--html",
        paths[1],
    ]);
    assert_eq!(code, Some(1));
    let (svg, html) = (
        fs::read_to_string(svg).unwrap(),
        fs::read_to_string(html).unwrap(),
    );
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(html.contains(svg.trim_end()) && html.contains("read -&gt; 1"));
    assert!(html.contains("<title>register-stale.edn</title>") && !html.contains("<script"));
    let (code, _, err) = run(&[
        "register",
        "register-stale.edn",
        "--svg",
        "no/such/folder.svg",
    ]);
    assert!(
        code == Some(1) && err.contains("no/such/folder.svg"),
        "{err}"
    );
}

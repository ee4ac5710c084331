//! Our own crates are clean of what keeps a run from repeating itself.
//!
//! Clippy knows types, and bans `std::time::Instant`, `SystemTime`, `thread::sleep`, `select!` and `for` over a hash map
//! (`.clippy.toml`, `[workspace.lints]`). This is a scan of tokens: it sees what those lints do not, as a map that is
//! drained or told of by its keys, entropy and threads, and holds exceptions to a list of files with their reasons.
//!
//! It goes by names within one file: a hash map that a function hands to another file is not followed, nor is one that hides
//! behind a type of another name. Code of tests is not looked at.

mod hashes;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokens::tokens;

/// A file that may do what others may not, and why.
const MAY: &[(&str, &str, &str)] = &[
    (
        "murphy-core/src/clock.rs",
        "std clock",
        "pairs the machine's clock with tokio's",
    ),
    (
        "murphy-core/src/clock/boot.rs",
        "std clock",
        "what the machine slept",
    ),
    (
        "murphy-core/src/clock/system.rs",
        "std clock",
        "it is that clock",
    ),
    (
        "murphy-core/src/clock/wall.rs",
        "std clock",
        "from and to the time of day",
    ),
    (
        "murphy-core/src/seed.rs",
        "entropy",
        "a fresh seed, which is told",
    ),
    (
        "murphy-detect/src/monitor/roll.rs",
        "entropy",
        "looked up and never iterated: names come over a wire",
    ),
    (
        "murphy-detect/src/observer.rs",
        "hash order",
        "whoever has no watcher left goes, in whatever order",
    ),
    (
        "murphy-lease/src/conformance/station.rs",
        "thread",
        "a real server's side",
    ),
    (
        "murphy-lease/src/conformance/wire.rs",
        "thread",
        "a real wire",
    ),
    (
        "murphy-chaos/src/crew.rs",
        "thread",
        "runs are made on several; each is on one",
    ),
];

#[test]
fn our_own_crates_are_clean_of_nondeterminism() {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"));
    let (mut found, mut used) = (Vec::new(), BTreeSet::new());
    let mut looked_at = 0;
    for name in std::fs::read_dir(crates).expect("crates/") {
        let path = name.expect("an entry").path();
        // They measure and drive real machines, and are not published.
        if path.ends_with("bench") || path.ends_with("xtask") {
            continue;
        }
        for file in sources(&path.join("src")) {
            let name = file
                .strip_prefix(crates)
                .expect("beneath")
                .to_string_lossy();
            let text = std::fs::read_to_string(&file).expect("a file");
            looked_at += 1;
            for (line, what, says) in flagged(&text) {
                match MAY
                    .iter()
                    .find(|(file, may, _)| name == *file && what == *may)
                {
                    Some((file, may, _)) => _ = used.insert((*file, *may)),
                    None => found.push(format!("crates/{name}:{line}: {what}: {says}")),
                }
            }
        }
    }
    assert!(looked_at > 200, "{looked_at} files");
    assert_eq!(found, [""; 0]);
    let may: BTreeSet<_> = MAY.iter().map(|(file, may, _)| (*file, *may)).collect();
    assert_eq!(used, may, "what is not used is not allowed any more");
}

#[test]
fn each_kind_of_nondeterminism_is_caught() {
    let map = "use std::collections::HashMap; struct S { map: HashMap<u8, u8>, list: Vec<u8> }";
    let go = |body: &str| format!("{map} impl S {{ fn f(&mut self) {{ {body} }} }}");
    for (text, want) in [
        ("fn f() { tokio::select! { a = b => {} } }".into(), "select"),
        ("fn f() { select! { biased; a = b => {} } }".into(), ""),
        (
            "fn f() { let x = std::time::Instant::now(); }".into(),
            "std clock",
        ),
        ("use std::time::{Duration, Instant};".into(), "std clock"),
        (
            "use std::{fmt, time::{self, SystemTime}};".into(),
            "std clock",
        ),
        ("fn f() { time::SystemTime::now(); }".into(), "std clock"),
        (
            "use std::time::Duration; use tokio::time::Instant;".into(),
            "",
        ),
        ("fn f() { std::thread::sleep(d); }".into(), "thread"),
        ("fn f() { thread::spawn(g); }".into(), "thread"),
        ("use std::thread::{self, sleep};".into(), "thread"),
        ("fn f() { std::thread::panicking(); }".into(), ""),
        (
            "fn f() { tokio::spawn(g); tokio::time::sleep(d); }".into(),
            "",
        ),
        ("fn f() -> u8 { rand::random() }".into(), "entropy"),
        ("fn f() { rand::thread_rng(); }".into(), "entropy"),
        ("fn f() { rand::rng(); }".into(), "entropy"),
        ("fn f() { SysRng.try_next_u64(); }".into(), "entropy"),
        ("fn f() { RandomState::new(); }".into(), "entropy"),
        ("fn f() { Uuid::new_v4(); }".into(), "entropy"),
        (go("for (k, v) in &self.map {}"), "hash order"),
        (go("self.map.keys().next();"), "hash order"),
        (go("self.map.drain();"), "hash order"),
        (go("self.map.retain(|_, v| f(v));"), "hash order"),
        (
            go("let m = HashMap::from([(1, 2)]); for x in m {}"),
            "hash order",
        ),
        (
            go("let m: HashSet<u8> = g(); m.iter().min();"),
            "hash order",
        ),
        (
            go("self.map.get(&1); self.list.iter(); for x in &self.list {}"),
            "",
        ),
        // Another thing of that name.
        (go("let map = self.all(); for x in map {} map.iter();"), ""),
        // A word in a text or a remark is none in the program, and tests may.
        (
            "fn f() -> &'static str { \"thread::spawn\" } // rand::random".into(),
            "",
        ),
        (
            "#[cfg(test)] mod tests { fn f() { std::thread::sleep(d); } }".into(),
            "",
        ),
        (
            "#[cfg(test)] fn f() { std::thread::sleep(d); } fn g() { thread::sleep(d); }".into(),
            "thread",
        ),
    ] {
        let text: String = text;
        let found: Vec<_> = flagged(&text)
            .into_iter()
            .map(|(_, what, _)| what)
            .collect();
        let want: &[&str] = if want.is_empty() { &[] } else { &[want] };
        assert_eq!(found, want, "{text}");
    }
}

/// Rust files that are no tests, sorted.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let of = |path: PathBuf| match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("tests") => Vec::new(),
        _ if path.is_dir() => sources(&path),
        _ if path.extension().is_some_and(|e| e == "rs") => vec![path],
        _ => Vec::new(),
    };
    paths.into_iter().flat_map(of).collect()
}

/// What is there that should not be: the line, the kind, the words. Each kind once a line.
fn flagged(text: &str) -> Vec<(usize, &'static str, String)> {
    let tokens = tokens(text);
    let words: Vec<&str> = tokens.iter().map(|(word, _)| word.as_str()).collect();
    let mut found: Vec<(usize, &'static str, String)> = Vec::new();
    let tables = hashes::tables(&words);
    for at in 0..words.len() {
        let here = &words[at..];
        let Some(kind) = kind(here)
            .or_else(|| hashes::goes_through(&words, at, &tables).then_some("hash order"))
        else {
            continue;
        };
        let line = tokens[at].1;
        if !found.iter().any(|(l, k, _)| (*l, *k) == (line, kind)) {
            found.push((line, kind, here[..here.len().min(8)].join(" ")));
        }
    }
    found
}

fn kind(here: &[&str]) -> Option<&'static str> {
    match here {
        ["select", "!", "{" | "(", "biased", ..] => None,
        ["select", "!", "{" | "(", ..] => Some("select"),
        ["SystemTime", ":", ":", "now", ..] => Some("std clock"),
        ["std", ":", ":", rest @ ..] => of_std(rest),
        [
            "thread",
            ":",
            ":",
            "sleep" | "spawn" | "scope" | "Builder",
            ..,
        ] => Some("thread"),
        ["rand", ":", ":", "random" | "rng" | "thread_rng", ..]
        | ["SysRng" | "OsRng" | "ThreadRng" | "getrandom", ..]
        | ["RandomState", ":", ":", "new" | "default", ..]
        | ["new_v4" | "now_v7", "(", ..] => Some("entropy"),
        _ => None,
    }
}

/// What a path or an import beneath `std::` is of.
fn of_std(rest: &[&str]) -> Option<&'static str> {
    // An import ends with `;`, and so does a statement: what is in between belongs to it.
    let end = rest.iter().position(|word| *word == ";" || *word == "(");
    let path = &rest[..end.unwrap_or(rest.len())];
    let beneath = |module, names: &[&str]| {
        let module = path.iter().position(|word| *word == module);
        module.is_some_and(|at| path[at..].iter().any(|word| names.contains(word)))
    };
    let is_import = path
        .first()
        .is_some_and(|word| *word == "{" || *word == "time" || *word == "thread");
    if !is_import {
        return None;
    }
    if beneath("time", &["Instant", "SystemTime"]) {
        return Some("std clock");
    }
    // `thread::sleep` is met again as a path.
    let as_path = path
        .windows(4)
        .any(|w| w[0] == "thread" && w[1] == ":" && w[3] != "{");
    (!as_path && beneath("thread", &["sleep", "spawn", "scope"])).then_some("thread")
}

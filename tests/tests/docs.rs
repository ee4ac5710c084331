//! The docs promise tests by name: here they are looked up.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn what_the_docs_name_is_there() {
    let sources: String = ["crates", "examples", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), "rs"))
        .map(|path| std::fs::read_to_string(path).expect("a source"))
        .collect();
    let mut missing = Vec::new();
    for path in files(&root().join("docs"), "md") {
        let text = std::fs::read_to_string(&path).expect("a page");
        let is_there = |name: &&str| sources.contains(&format!("fn {name}("));
        let lost = tests_named(&text)
            .into_iter()
            .filter(|name| !is_there(name));
        missing.extend(lost.map(|name| format!("{}: no test `{name}`", path.display())));
        let bare = invariants_without_a_test(&text);
        missing.extend(
            bare.iter()
                .map(|text| format!("{}: {text}", path.display())),
        );
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_dangles_is_caught() {
    let page = "*Invariant: a.* Held by test\n`held_here` and test `also_here`.\n\n*Invariant: b.* Trust us.\n";
    assert_eq!(tests_named(page), ["held_here", "also_here"]);
    assert_eq!(
        invariants_without_a_test(page),
        ["*Invariant: b.* Trust us."]
    );
}

/// Each `name` after the word *test*.
fn tests_named(text: &str) -> Vec<&str> {
    let mut words = text.split_whitespace().peekable();
    let mut names = Vec::new();
    while let Some(word) = words.next() {
        let name = words
            .peek()
            .and_then(|next| next.strip_prefix('`')?.split('`').next());
        // `cargo test` at the end of a block is followed by its fence.
        let is_name = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if word == "test" {
            names.extend(name.filter(is_name));
        }
    }
    names
}

fn invariants_without_a_test(text: &str) -> Vec<&str> {
    let paragraphs = text.split("\n\n").map(str::trim);
    let invariants = paragraphs.filter(|text| text.starts_with("*Invariant"));
    invariants
        .filter(|text| tests_named(text).is_empty())
        .collect()
}

/// The files below `folder` that end in `.extension`.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path, extension),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

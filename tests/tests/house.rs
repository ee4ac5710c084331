//! The top level holds what the house needs, and every crate keeps the rules of the house.

use std::path::Path;

use toml::Table;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn the_top_level_holds_nothing_else() {
    const ALLOWED: &[&str] = &[
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "crates",
        "docs",
        "examples",
        "rustfmt.toml",
        "tests",
        // Built, not kept.
        "target",
    ];
    let mut strangers: Vec<String> = std::fs::read_dir(root())
        .expect("the workspace's root")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with('.') && !ALLOWED.contains(&name.as_str()))
        .collect();
    strangers.sort();
    assert_eq!(strangers, [""; 0]);
}

#[test]
fn every_member_inherits_the_lints_and_says_its_rust_version() {
    let mut members = vec![root().join("examples"), root().join("tests")];
    let crates = std::fs::read_dir(root().join("crates")).expect("crates/");
    members.extend(crates.map(|entry| entry.expect("an entry").path()));
    assert!(members.len() >= 8, "{members:?}");
    for member in members {
        let path = member.join("Cargo.toml");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let manifest: Table = text
            .parse()
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let what_is_missing = missing(&manifest);
        assert_eq!(what_is_missing, [""; 0], "{}", path.display());
    }
}

#[test]
fn what_a_manifest_lacks_is_caught() {
    for (name, manifest, want) in [
        (
            "whole",
            "package.rust-version = '1.85'\nlints.workspace = true",
            vec![],
        ),
        (
            "inherited",
            "package.rust-version.workspace = true\nlints.workspace = true",
            vec![],
        ),
        (
            "lints of its own",
            "package.rust-version = '1.85'\nlints.rust.unsafe_code = 'warn'",
            vec!["lints"],
        ),
        ("empty", "", vec!["lints", "rust-version"]),
    ] {
        let manifest: Table = manifest.parse().expect("TOML");
        let missing = missing(&manifest);
        assert_eq!(missing.len(), want.len(), "{name}: {missing:?}");
        for (missing, want) in missing.iter().zip(want) {
            assert!(missing.contains(want), "{name}: {missing}");
        }
    }
}

fn missing(manifest: &Table) -> Vec<&'static str> {
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace")?.as_bool());
    let rust_version = manifest
        .get("package")
        .and_then(|package| package.get("rust-version"));
    let mut missing = Vec::new();
    if lints != Some(true) {
        missing.push("[lints] workspace = true");
    }
    if rust_version.is_none() {
        missing.push("package.rust-version");
    }
    missing
}

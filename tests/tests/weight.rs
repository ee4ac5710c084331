//! `cargo run --example storm` is somebody's first minute with us: it builds little, and needs
//! nothing beside a Rust toolchain.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates built for the default features of `examples`, proc macros and build scripts included.
const MOST: usize = 130;

/// Compilers of other languages, and clients of servers that a fresh machine does not have.
const TOO_HEAVY: &[&str] = &[
    "etcd-client",
    "plotters",
    "postgres",
    "prost-build",
    "protobuf-src",
    "protoc-bin-vendored",
    "redis",
    "tokio-postgres",
    "tonic-build",
    "tonic-prost-build",
];

#[test]
fn storm_builds_light_and_without_protoc() {
    let output = Command::new(env!("CARGO"))
        // An example is built with its package's dev-dependencies.
        .args([
            "tree",
            "-p",
            "examples",
            "-e",
            "normal,build,dev",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(tree.starts_with("examples v"), "{tree}");
    assert_eq!(excess(&tree), [""; 0], "{tree}");
}

#[test]
fn too_much_is_caught() {
    let crates = |n: usize| -> String { (0..n).map(|i| format!("crate-{i} v1.0.0\n")).collect() };
    let versions: String = (0..=MOST)
        .map(|i| format!("syn v{i}.0.0 (proc-macro)\n"))
        .collect();
    for (name, tree, want) in [
        ("as many as allowed", crates(MOST), None),
        ("one more", crates(MOST + 1), Some("131 crates")),
        (
            "the same ones again",
            crates(MOST) + "crate-0 v1.0.0 (*)\n",
            None,
        ),
        ("two versions are two crates", versions, Some("131 crates")),
        (
            "a compiler",
            "prost-build v0.14.0\n".into(),
            Some("prost-build"),
        ),
        ("a client", "redis v1.0.0 (*)\n".into(), Some("redis")),
        (
            "a name that begins alike",
            "redistribute v1.0.0\n".into(),
            None,
        ),
    ] {
        let found = excess(&tree);
        match want {
            None => assert_eq!(found, [""; 0], "{name}"),
            Some(want) => assert!(
                found.len() == 1 && found[0].contains(want),
                "{name}: {found:?}"
            ),
        }
    }
}

/// What is too much in the output of `cargo tree --prefix none`.
fn excess(tree: &str) -> Vec<String> {
    // `name v1.2.3 (proc-macro) (*)`: the first two words tell crates apart.
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let heavy = crates.iter().filter(|(name, _)| TOO_HEAVY.contains(name));
    let mut found: Vec<String> = heavy
        .map(|(name, _)| format!("{name}: put it behind a feature"))
        .collect();
    if crates.len() > MOST {
        found.push(format!("{} crates, {MOST} at most", crates.len()));
    }
    found
}

//! The floors of the house: arrows between our crates point down, and only where they are drawn.
//!
//! `docs/architecture.md` tells why; a new crate takes its place in [`FLOORS`] first.

use std::process::Command;

use serde::Deserialize;

/// Crate, floor, and the crates that it may use. Those not published stand above the house: they
/// use what they like, and nobody uses them.
const FLOORS: &[(&str, u8, &[&str])] = &[
    (
        "murphy",
        3,
        &[
            "murphy-policy",
            "murphy-detect",
            "murphy-lease",
            "murphy-quorum",
            "murphy-core",
        ],
    ),
    (
        "murphy-chaos",
        2,
        &["murphy-fault", "murphy-check", "murphy-core"],
    ),
    ("murphy-lease", 2, &["murphy-quorum", "murphy-core"]),
    ("murphy-fault", 1, &["murphy-core"]),
    ("murphy-policy", 1, &["murphy-core"]),
    ("murphy-detect", 1, &["murphy-core"]),
    ("murphy-quorum", 1, &["murphy-core"]),
    ("murphy-check", 0, &[]),
    ("murphy-core", 0, &[]),
];

const ABOVE: &[&str] = &["bench", "examples", "tests", "xtask"];

/// What survives faults never sees one, not even in its own tests: a test of both is in `tests`.
const WITHOUT_FAULTS: &[&str] = &[
    "murphy-policy",
    "murphy-detect",
    "murphy-lease",
    "murphy-quorum",
];
const FAULTS: &[&str] = &["murphy-fault", "murphy-chaos"];

/// A dependency of one of our crates.
#[derive(Clone, Debug, Deserialize)]
struct Arrow {
    #[serde(rename = "name")]
    to: String,
    kind: Option<Kind>,
    optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

#[derive(Clone, Debug, Deserialize)]
struct Crate {
    name: String,
    dependencies: Vec<Arrow>,
}

#[derive(Clone, Debug, Deserialize)]
struct House {
    packages: Vec<Crate>,
}

#[test]
fn arrows_point_down() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let house: House = serde_json::from_slice(&output.stdout).expect("metadata");
    assert!(house.packages.len() >= 8, "a house, not {house:?}");
    assert_eq!(violations(&house), [""; 0]);
}

#[test]
fn each_kind_of_violation_is_caught() {
    let up = Some("points up");
    let sideways = Some("points sideways");
    let undrawn = Some("is not drawn");
    for (arrow, says) in [
        ("murphy-lease -> murphy-quorum", None),
        ("murphy -> murphy-core", None),
        ("murphy-core -> murphy-fault", up),
        ("murphy-core -> murphy for build", up),
        ("murphy-policy -> murphy-detect", sideways),
        ("murphy-quorum -> murphy-policy for dev", sideways),
        ("murphy-check -> murphy-core if asked", sideways),
        ("murphy-lease -> murphy-detect", undrawn),
        ("murphy-lease -> murphy-detect for dev", None),
        // Chaos is never behind the production door, but the guide may show both.
        ("murphy -> murphy-chaos if asked", undrawn),
        ("murphy -> murphy-chaos for dev", None),
        ("murphy-lease -> murphy-fault", Some("never sees a fault")),
        (
            "murphy-lease -> murphy-fault for dev",
            Some("never sees a fault"),
        ),
        ("murphy-core -> tests for dev", Some("above the house")),
        ("tests -> murphy-fault", None),
        ("murphy-gossip -> tokio", Some("has no floor")),
        ("murphy-policy -> tower", Some("`tower`")),
        ("murphy-policy -> tower if asked", None),
        ("murphy-policy -> tower for dev", None),
        ("murphy-policy -> tower-service", None),
        ("murphy-check -> tokio for dev", Some("no tokio")),
        ("murphy-core -> libm", None),
    ] {
        let found = violations(&house_of(arrow));
        match says {
            None => assert_eq!(found, [""; 0], "{arrow}"),
            Some(says) => assert!(found.len() == 1 && found[0].contains(says), "{found:?}"),
        }
    }
}

/// A house of one arrow, in words.
fn house_of(arrow: &str) -> House {
    let words: Vec<&str> = arrow.split(' ').collect();
    let dependency = Arrow {
        to: words[2].into(),
        kind: match words[3..] {
            ["for", "dev"] => Some(Kind::Dev),
            ["for", "build"] => Some(Kind::Build),
            _ => None,
        },
        optional: words[3..] == ["if", "asked"],
    };
    House {
        packages: vec![Crate {
            name: words[0].into(),
            dependencies: vec![dependency],
        }],
    }
}

/// Every arrow that should not be there, in a sentence each.
fn violations(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for Crate { name, dependencies } in &house.packages {
        if ABOVE.contains(&name.as_str()) {
            continue;
        }
        let Some((_, floor, uses)) = FLOORS.iter().find(|(n, ..)| n == name) else {
            found.push(format!(
                "{name} has no floor: give it one in tests/tests/floors.rs"
            ));
            continue;
        };
        let sentences = dependencies
            .iter()
            .filter_map(|arrow| violation(name, *floor, uses, arrow));
        found.extend(sentences);
    }
    found
}

fn violation(name: &str, floor: u8, uses: &[&str], arrow: &Arrow) -> Option<String> {
    let Arrow { to, kind, optional } = arrow;
    let is_for_tests = *kind == Some(Kind::Dev);
    if ABOVE.contains(&to.as_str()) {
        return Some(format!("{name} -> {to} points above the house"));
    }
    if let Some((_, below, _)) = FLOORS.iter().find(|(n, ..)| n == to) {
        return if *below > floor {
            Some(format!("{name} -> {to} points up"))
        } else if *below == floor {
            Some(format!("{name} -> {to} points sideways"))
        } else if WITHOUT_FAULTS.contains(&name) && FAULTS.contains(&to.as_str()) {
            Some(format!(
                "{name} -> {to}: what survives faults never sees a fault; test both in tests/"
            ))
        } else if !is_for_tests && !uses.contains(&to.as_str()) {
            Some(format!("{name} -> {to} is not drawn in the house"))
        } else {
            None
        };
    }
    match to.as_str() {
        "tower" if !is_for_tests && !optional => Some(format!(
            "{name} depends on `tower`: use tower-service and tower-layer"
        )),
        "tokio" if name == "murphy-check" => Some("murphy-check has no tokio".into()),
        _ => None,
    }
}

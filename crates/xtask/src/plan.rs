//! The plan: which steps, in which order. A pure function of the workspace, so that a new crate, feature or
//! example is covered by being there.

use std::fmt;

use crate::workspace::{Package, Workspace};

/// How much to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Quick,
    Full,
    /// The full run, and each feature of each crate by itself.
    Thorough,
}

/// One line of the plan.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    /// Install what is missing.
    Setup,
    /// Run a command, from the workspace's root.
    Run {
        environment: Vec<(&'static str, String)>,
        words: Vec<String>,
    },
}

/// What an example is given when it runs as a check, a line a run; one that is not named runs once, and
/// gets nothing.
const EXAMPLE_ARGUMENTS: &[(&str, &str)] = &[
    // Seeds are given, so that what fails in CI fails at home.
    ("storm", "--seed 42"),
    ("storm", "--seed 1 --seeds 20"),
    // First with its bug, which is to be found; then without.
    ("explore_orders", "--seed 8"),
    ("explore_orders", "--seed 8 --fixed"),
    ("explore_orders", "--seed 8 --ablate"),
    ("chapter_on_trial", "--seed 8"),
];

/// What it is given when it runs once more with the clients of servers built in: it starts the servers.
const WITH_SERVERS: &[(&str, &str)] = &[
    ("fenced_lease", "--store redis"),
    ("fenced_lease", "--store postgres"),
    ("fenced_lease", "--store etcd"),
];

/// The steps for `workspace`.
pub(crate) fn steps(workspace: &Workspace, mode: Mode) -> Vec<Step> {
    let mut steps = Vec::new();
    if mode != Mode::Quick {
        steps.push(Step {
            name: "what this machine lacks".into(),
            action: Action::Setup,
        });
    }
    steps.push(cargo("format", "fmt --all -- --check"));
    match mode {
        Mode::Quick => quick(workspace, &mut steps),
        Mode::Full | Mode::Thorough => {
            full(workspace, mode, &mut steps);
            steps.iter_mut().for_each(fix_seed);
        }
    }
    steps
}

/// Benchmarks bring every peer along, and what needs servers their clients: they are looked at by the full run.
fn quick(workspace: &Workspace, steps: &mut Vec<Step>) {
    steps.push(cargo(
        "lints",
        "clippy --workspace --all-targets -- -D warnings",
    ));
    if has_test(workspace, "tests", "floors") {
        steps.push(cargo("floors", "test -p tests --test floors"));
    }
    let command = "test --workspace --exclude bench --lib --bins --tests";
    steps.push(cargo("unit and integration tests", command));
}

/// Property tests of a full run draw what they drew in the last one: it passes or fails for what was changed. A quick
/// run, and plain `cargo test`, draw anew each time.
fn fix_seed(step: &mut Step) {
    if let Action::Run { environment, words } = &mut step.action
        && words.get(1).is_some_and(|word| word == "test")
    {
        environment.push(("PROPTEST_RNG_SEED", "42".into()));
    }
}

/// Each crate is linted by itself where there are features to do without, and tested without them: all in one go, for what one
/// depends on is built anew for each that goes alone, in a thorough run. With all features, the workspace is built once and tested in one go. Benchmarks are linted, and so compiled up to their code: to generate that takes as long as
/// the rest together.
fn full(workspace: &Workspace, mode: Mode, steps: &mut Vec<Step>) {
    let packages = || workspace.packages.iter();
    steps.push(cargo(
        "lints",
        "clippy --workspace --all-targets --all-features -- -D warnings",
    ));
    let mut without = String::new();
    for package in packages().filter(|p| p.is_published()) {
        let name = &package.name;
        for (set, flags) in feature_sets(package) {
            if mode == Mode::Full && flags != NO_FEATURES {
                continue;
            }
            // Alone, and without its tests: both hide what is missing.
            let lints = format!("clippy -p {name}{flags} -- -D warnings");
            steps.push(cargo(format!("{name}, {set}"), &lints));
            if flags == NO_FEATURES {
                without.push_str(&format!(" -p {name}"));
            }
            if flags == NO_FEATURES && mode == Mode::Thorough {
                let test = format!("test -p {name} --lib --bins --tests{flags}");
                steps.push(cargo(format!("tests of {name}, {set}"), &test));
            }
        }
    }
    if !without.is_empty() {
        let test = format!("test{without} --lib --bins --tests{NO_FEATURES}");
        steps.push(cargo("tests, no features", &test));
    }
    let everything = "test --workspace --exclude bench --all-features";
    steps.push(cargo(
        "tests, all features",
        &format!("{everything} --lib --bins --tests"),
    ));
    steps.push(cargo("doctests", &format!("{everything} --doc")));
    let mut docs = cargo("docs", "doc --no-deps --workspace --all-features");
    if let Action::Run { environment, .. } = &mut docs.action {
        environment.push(("RUSTDOCFLAGS", "-D warnings".into()));
    }
    steps.push(docs);
    for package in packages().filter(|p| p.name == "examples") {
        steps.extend(examples(package));
    }
    if mode == Mode::Thorough {
        steps.extend(schedules(workspace));
    }
}

/// Of what is tried in as many ways as there are seeds: hundreds where the compiler does not optimise, a hundred thousand where it
/// does.
const SCHEDULES: &[&str] = &["election_schedules", "lease_schedules", "quorum"];

fn schedules(workspace: &Workspace) -> Option<Step> {
    let there = SCHEDULES
        .iter()
        .filter(|test| has_test(workspace, "tests", test));
    let tests: String = there.map(|test| format!(" --test {test}")).collect();
    (!tests.is_empty()).then(|| {
        let command = format!("test --release -p tests{tests}");
        cargo("a hundred thousand schedules", &command)
    })
}

const NO_FEATURES: &str = " --no-default-features";

/// Nothing, each feature by itself, everything: a name and the flags for each.
fn feature_sets(package: &Package) -> Vec<(String, String)> {
    let features: Vec<&str> = package.named_features().collect();
    let none = ("no features".into(), NO_FEATURES.into());
    let all = ("all features".into(), " --all-features".into());
    match *features.as_slice() {
        [] => vec![("no features to choose".into(), String::new())],
        [only] => vec![none, (only.into(), " --all-features".into())],
        // A door has no code for a feature: it hands them on.
        _ if package.name == DOOR => vec![none, all],
        ref several => {
            let each = several.iter().map(|feature| {
                let flags = format!(" --no-default-features --features {feature}");
                ((*feature).into(), flags)
            });
            std::iter::once(none).chain(each).chain([all]).collect()
        }
    }
}

const DOOR: &str = "murphy";

/// Each example, to its end, as the README runs it. Those that want heavy clients are run as the tests were built: to optimise
/// these takes longer than what they show.
fn examples(package: &Package) -> impl Iterator<Item = Step> {
    package.targets_of_kind("example").flat_map(|target| {
        let name = &target.name;
        let light = format!("run --release -p {} --example {name}", package.name);
        let heavy = format!("run --all-features -p {} --example {name}", package.name);
        let is_heavy = target.required_features.iter().any(|f| f != "plot");
        let command = if is_heavy { &heavy } else { &light };
        let given = |(_, given): &(&str, &str), command: &str| {
            let name = format!("example {name} {given}");
            cargo(name, &format!("{command} -- {given}"))
        };
        let of_this = |(n, _): &&(&str, &str)| n == name;
        let runs = EXAMPLE_ARGUMENTS.iter().filter(of_this);
        let mut runs: Vec<_> = runs.map(|run| given(run, command)).collect();
        if runs.is_empty() {
            runs.push(cargo(format!("example {name}"), command));
        }
        let more = WITH_SERVERS.iter().filter(of_this);
        runs.extend(more.map(|run| given(run, &heavy)));
        runs
    })
}

fn has_test(workspace: &Workspace, package: &str, test: &str) -> bool {
    let mut packages = workspace.packages.iter().filter(|p| p.name == package);
    packages.any(|p| p.targets_of_kind("test").any(|t| t.name == test))
}

/// A step that runs cargo. No argument holds a space.
fn cargo(name: impl Into<String>, arguments: &str) -> Step {
    let words = std::iter::once("cargo").chain(arguments.split(' '));
    Step {
        name: name.into(),
        action: Action::Run {
            environment: Vec::new(),
            words: words.map(Into::into).collect(),
        },
    }
}

/// The command that repeats it, to be pasted into a shell.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup => f.write_str("cargo xtask setup"),
            Self::Run { environment, words } => {
                for (name, value) in environment {
                    write!(f, "{name}=\"{value}\" ")?;
                }
                f.write_str(&words.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{ "packages": [
        { "name": "plain", "publish": null, "features": {},
          "targets": [{ "name": "plain", "kind": ["lib"] }] },
        { "name": "one", "publish": null, "features": { "default": ["a"], "a": [] } },
        { "name": "two", "publish": ["a-registry"], "features": { "a": [], "b": [] } },
        { "name": "murphy", "publish": null, "features": { "a": [], "b": [] } },
        { "name": "examples", "publish": [], "targets": [
          { "name": "storm", "kind": ["example"] },
          { "name": "fenced_lease", "kind": ["example"] },
          { "name": "redis", "kind": ["example"], "required-features": ["redis", "plots"] } ] },
        { "name": "tests", "publish": [], "features": { "servers": [] },
          "targets": [{ "name": "floors", "kind": ["test"] }, { "name": "lease_schedules", "kind": ["test"] }] },
        { "name": "bench", "publish": [], "targets": [{ "name": "overhead", "kind": ["bench"] }] }
    ] }"#;

    fn plan(metadata: &str, mode: Mode) -> Vec<String> {
        let workspace: Workspace = serde_json::from_str(metadata).expect("metadata");
        let steps = steps(&workspace, mode);
        steps.iter().map(|step| step.action.to_string()).collect()
    }

    #[test]
    fn the_quick_plan_builds_no_release_and_no_benchmark() {
        assert_eq!(
            plan(METADATA, Mode::Quick),
            [
                "cargo fmt --all -- --check",
                "cargo clippy --workspace --all-targets -- -D warnings",
                "cargo test -p tests --test floors",
                "cargo test --workspace --exclude bench --lib --bins --tests",
            ]
        );
    }

    #[test]
    fn the_full_plan_covers_each_crate_alone_all_features_and_each_example() {
        assert_eq!(
            plan(METADATA, Mode::Full),
            [
                "cargo xtask setup",
                "cargo fmt --all -- --check",
                "cargo clippy --workspace --all-targets --all-features -- -D warnings",
                "cargo clippy -p one --no-default-features -- -D warnings",
                "cargo clippy -p two --no-default-features -- -D warnings",
                "cargo clippy -p murphy --no-default-features -- -D warnings",
                r#"PROPTEST_RNG_SEED="42" cargo test -p one -p two -p murphy --lib --bins --tests --no-default-features"#,
                r#"PROPTEST_RNG_SEED="42" cargo test --workspace --exclude bench --all-features --lib --bins --tests"#,
                r#"PROPTEST_RNG_SEED="42" cargo test --workspace --exclude bench --all-features --doc"#,
                "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps --workspace --all-features",
                "cargo run --release -p examples --example storm -- --seed 42",
                "cargo run --release -p examples --example storm -- --seed 1 --seeds 20",
                "cargo run --release -p examples --example fenced_lease",
                "cargo run --all-features -p examples --example fenced_lease -- --store redis",
                "cargo run --all-features -p examples --example fenced_lease -- --store postgres",
                "cargo run --all-features -p examples --example fenced_lease -- --store etcd",
                "cargo run --all-features -p examples --example redis",
            ]
        );
    }

    #[test]
    fn a_thorough_run_looks_at_each_feature_by_itself_and_runs_all_schedules() {
        let full = plan(METADATA, Mode::Full);
        let mut more = plan(METADATA, Mode::Thorough);
        more.retain(|step| !full.contains(step));
        assert_eq!(
            more,
            [
                "cargo clippy -p plain -- -D warnings",
                r#"PROPTEST_RNG_SEED="42" cargo test -p one --lib --bins --tests --no-default-features"#,
                "cargo clippy -p one --all-features -- -D warnings",
                r#"PROPTEST_RNG_SEED="42" cargo test -p two --lib --bins --tests --no-default-features"#,
                "cargo clippy -p two --no-default-features --features a -- -D warnings",
                "cargo clippy -p two --no-default-features --features b -- -D warnings",
                "cargo clippy -p two --all-features -- -D warnings",
                r#"PROPTEST_RNG_SEED="42" cargo test -p murphy --lib --bins --tests --no-default-features"#,
                "cargo clippy -p murphy --all-features -- -D warnings",
                r#"PROPTEST_RNG_SEED="42" cargo test --release -p tests --test lease_schedules"#,
            ]
        );
    }

    #[test]
    fn a_workspace_without_crates_has_no_such_steps() {
        let empty = r#"{ "packages": [{ "name": "bench", "publish": [] }] }"#;
        let steps = plan(empty, Mode::Full);
        assert_eq!(steps.len(), 6, "{steps:?}");
    }

    #[test]
    fn no_two_steps_share_a_name() {
        let workspace: Workspace = serde_json::from_str(METADATA).expect("metadata");
        let mut names: Vec<_> = steps(&workspace, Mode::Full)
            .into_iter()
            .map(|step| step.name)
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

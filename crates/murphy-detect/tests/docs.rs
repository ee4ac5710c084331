//! What the crate's docs list is what there is.

const DOCS: &str = include_str!("../src/lib.rs");
const EVENTS: &str = include_str!("../src/event.rs");
const ODD: &str = include_str!("../src/odd.rs");
const TESTS: &[&str] = &[
    include_str!("../src/monitor/tests/chapter.rs"),
    include_str!("../src/monitor/tests/observer.rs"),
    include_str!("../src/monitor/tests/oddities.rs"),
    include_str!("../src/monitor/tests/senders.rs"),
    include_str!("../src/monitor/tests/states.rs"),
    include_str!("../src/wire/tests.rs"),
    include_str!("observer.rs"),
];

/// What stands between `before` and `after`, each time.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    let rest = text.split(before).skip(1);
    rest.filter_map(move |rest| rest.split(after).next())
}

#[test]
fn every_event_is_listed() {
    let names: Vec<&str> = between(EVENTS, "name: \"", "\"").collect();
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(DOCS.contains(&format!("//! | `{name}` | ")), "{name}");
    }
}

#[test]
fn every_counter_is_listed() {
    let names: Vec<&str> = between(EVENTS, "(\"murphy_detect_", "\"").collect();
    assert!(names.len() >= 16, "{names:?}");
    for name in names {
        let listed = match name.strip_suffix("_total") {
            Some(name) => format!("`{name}`"),
            None => format!("`murphy_detect_{name}`"),
        };
        assert!(DOCS.contains(&listed), "{name}");
    }
}

#[test]
fn every_odd_beat_has_its_test() {
    for row in ODD.lines().skip(4) {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names: Vec<&str> = between(tests, "`", "`").step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let test = format!("fn {name}(");
            assert!(TESTS.iter().any(|file| file.contains(&test)), "{name}");
        }
    }
}

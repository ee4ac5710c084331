//! Plans as text, damaged on purpose.

use murphy_fault::{BadPlan, Disturbance, Plan};
use proptest::prelude::*;

/// One of everything that a plan can hold.
const ALL: &str = r#"
    version = 1
    seed = "0x2a"

    [limits]
    in_flight = 7
    ratio = "10%"
    ledger = 1000

    [[fault]]
    site = "a->b"
    kind = "latency"
    delay = { log_normal = { median = "40ms", sigma = 0.5 }, at_most = "2s" }
    probability = "20%"
    window = { from = "2s", until = "5s" }

    [[fault]]
    site = "a->b"
    kind = "loss"
    leg = "reply"
    probability = 0.02

    [[fault]]
    site = "b"
    name = "slow"
    kind = "latency"
    delay = { empirical = [[0.0, "1ms"], [1.0, "9ms"]] }
    probability = 1.0
"#;

const EVENTS: &str = r#"
    [[event]]
    kind = "partition"
    at = "1s"
    for = "2s"
    groups = [["a"], ["b", "c"]]

    [[event]]
    kind = "bridge"
    node = "a"
    groups = [["b"], ["c"]]
    flap = { on = "1s", off = "500ms" }

    [[event]]
    kind = "hold"
    from = ["a", "b"]
    to = ["c"]

    [[event]]
    kind = "swizzle"
    nodes = ["a", "b", "c"]
    for = "1m"

    [[event]]
    kind = "clock"
    node = "a"
    jump = "-1m 30s"

    [[event]]
    kind = "clock"
    node = "a"
    drift_ppm = -200.5

    [[event]]
    kind = "clock"
    node = "a"
    suspend = "10s"
    counts = true
"#;

/// What is put where something else was.
const SHARDS: [&str; 40] = [
    "",
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "\"\"",
    "\"0s\"",
    "\"forever\"",
    "\"1\"",
    "\"-5s\"",
    "\"584542046090y\"",
    "\"99999999999999999999s\"",
    "\"101%\"",
    "[]",
    "[[]]",
    "[[\"a\"]]",
    "{}",
    "{ on = \"1s\" }",
    "true",
    "false",
    "\"ü\"",
    "\"\\u0000\"",
    "\"isolate\"",
    "\"majorities-ring\"",
    "\"pause\"",
    "\"crash\"",
    "\"queue\"",
    "kind",
    "node",
    "at",
    "for",
    "flap",
    "event",
    "fault",
    "=",
    "[[event]]\n",
    "[[fault]]\n",
    "\n",
    "null",
];

/// A word, a number or a text of the plan is replaced, or a line is lost or doubled.
fn damaged(text: &str, wounds: &[(usize, usize, u8)]) -> String {
    let mut text = text.to_owned();
    for (place, shard, how) in wounds {
        let shard = SHARDS[shard % SHARDS.len()];
        if *how == 0 {
            let mut lines: Vec<&str> = text.lines().collect();
            let at = place % lines.len().max(1);
            if shard.len() % 2 == 0 && !lines.is_empty() {
                lines.remove(at);
            } else if let Some(line) = lines.get(at).copied() {
                lines.insert(place / 7 % (lines.len() + 1), line);
            }
            text = lines.join("\n");
            continue;
        }
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let mut from = 0;
        for piece in text.split_inclusive([' ', '\n', ',']) {
            ends.push((from, from + piece.trim_end_matches([' ', '\n', ',']).len()));
            from += piece.len();
        }
        ends.retain(|(from, to)| from < to);
        if let Some((from, to)) = ends.get(place % ends.len().max(1)) {
            text.replace_range(from..to, shard);
        }
    }
    text
}

/// It is a plan that survives its own text, or it is refused in words that help.
fn judge(read: Result<Plan, BadPlan>) -> bool {
    match read {
        Ok(plan) => {
            let _ = plan.describe();
            assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
            assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
            true
        }
        Err(e) => {
            let told = e.to_string();
            assert!(told.starts_with("plan: "), "{told}");
            if let BadPlan::Field { field, remedy, .. } = e {
                assert!(!field.is_empty() && !remedy.is_empty(), "{told}");
            }
            false
        }
    }
}

#[test]
fn the_whole_plan_is_one() {
    assert!(judge(Plan::from_toml(&format!("{ALL}{EVENTS}"))));
}

/// The empty text is a key of TOML and of JSON like any other.
#[test]
fn an_empty_key_is_named() {
    for text in ["version = 1\n\"\" = 3", "version = 1\n[[fault]]\n\"\" = 3"] {
        let e = Plan::from_toml(text).unwrap_err();
        let BadPlan::Field { field, remedy, .. } = &e else {
            panic!("{e}");
        };
        assert!(field.ends_with("\"\""), "{e}");
        assert!(remedy.starts_with("no field has this name"), "{e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn no_text_of_a_plan_panics(
        wounds in prop::collection::vec((any::<usize>(), any::<usize>(), 0..4u8), 1..6),
        json in any::<bool>(),
    ) {
        if json {
            let whole = Plan::from_toml(&format!("{ALL}{EVENTS}")).unwrap();
            judge(Plan::from_json(&damaged(&whole.to_json(), &wounds)));
        } else {
            judge(Plan::from_toml(&damaged(&format!("{ALL}{EVENTS}"), &wounds)));
            judge(Plan::from_toml(&format!("version = 1\n{}", damaged(EVENTS, &wounds))));
        }
    }

    #[test]
    fn any_time_of_an_event_survives_its_text(
        at in any::<std::time::Duration>(),
        lasting in any::<std::time::Duration>(),
        jump in any::<i64>(),
        ppb in -999_999_000..999_000_000_000i64,
    ) {
        use murphy_core::clock::{Drift, Offset, Suspended};
        use murphy_fault::Bend;
        for bend in [
            Bend::Jump(Offset::from_nanos(jump)),
            Bend::Drift(Drift::ppm(ppb as f64 / 1000.0).unwrap()),
            Bend::Suspend(lasting, Suspended::Counts),
            Bend::Error(lasting),
        ] {
            let event = Disturbance::clock("a", bend).at(at).flapping(lasting, at);
            let plan = Plan::new().disturb(event);
            assert_eq!(Plan::from_toml(&plan.to_toml()).ok(), Plan::from_json(&plan.to_json()).ok());
            if let Ok(read) = Plan::from_toml(&plan.to_toml()) {
                assert_eq!(read, plan);
            } else {
                assert!(lasting.as_millis() == 0 || at.as_millis() == 0);
            }
        }
    }
}

#[test]
fn the_furthest_jumps_survive_their_text() {
    use murphy_core::clock::Offset;
    for by in [Offset::MIN, Offset::MAX, Offset::ZERO] {
        let jump = Disturbance::clock("a", murphy_fault::Bend::Jump(by));
        assert!(judge(Plan::from_toml(
            &Plan::new().disturb(jump.clone()).to_toml()
        )));
        let plan = Plan::new().disturb(jump);
        assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    }
}

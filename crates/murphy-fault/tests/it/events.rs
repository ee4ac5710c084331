//! What plans do to the network, to nodes and to clocks.

use murphy_core::Clock;
use murphy_core::clock::{Drift, Offset, Suspended};
use murphy_fault::{ArmError, Bend, Disturbance, NodeState, Plan, TimeLimit, Verb};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};

use crate::support::{Echo, chaos, ms, within};

const ALL: &str = r#"
    version = 1

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
    kind = "partition-oneway"
    from = ["a"]
    to = ["b"]

    [[event]]
    kind = "isolate"
    node = "a"

    [[event]]
    kind = "majorities-ring"
    at = "10s"

    [[event]]
    kind = "hold"
    from = ["a", "b"]
    to = ["c"]

    [[event]]
    kind = "swizzle"
    nodes = ["a", "b", "c"]
    for = "1m"

    [[event]]
    kind = "pause"
    node = "a"
    for = "15s"

    [[event]]
    kind = "crash"
    node = "b"
    for = "1s"

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
    freeze = true

    [[event]]
    kind = "clock"
    node = "a"
    suspend = "10s"
    counts = true

    [[event]]
    kind = "clock"
    node = "a"
    error = "10ms"
"#;

#[test]
fn every_event_is_read_written_and_described() {
    let plan = Plan::from_toml(ALL).unwrap();
    assert_eq!(plan.disturbances().len(), 14);
    assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    let told = plan.describe();
    for line in [
        "from 1s for 2s: partition a | b, c",
        "from 0s to the end, 1s on and 500ms off: partition b | (a) | c",
        "from 0s to the end: partition a -> b",
        "from 0s for 1m: isolate half of a, b, c",
        "from 0s for 15s: pause a",
        "from 0s to the end: the clock of a: jump by -90s",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
}

#[test]
fn a_bad_event_is_refused_by_field_and_remedy() {
    for (event, want) in [
        (
            "at = \"1s\"",
            "`event[0].kind` is `missing`: one of partition",
        ),
        ("kind = \"isolte\"\nnode = \"a\"", "did you mean `isolate`?"),
        ("kind = \"isolate\"", "`event[0].node` is `missing`"),
        (
            "kind = \"isolate\"\nnode = \"a\"\nto = [\"b\"]",
            "`event[0].to` is `set`: an event of kind `isolate` has no `to`",
        ),
        (
            "kind = \"pause\"\nnode = \"a\"\nfor = \"0s\"",
            "it ends as it begins",
        ),
        (
            "kind = \"pause\"\nnode = \"a\"\nfor = \"5\"",
            "write a duration with its unit",
        ),
        (
            "kind = \"pause\"\nnode = \"a\"\nflap = { on = \"0s\", off = \"1s\" }",
            "`event[0].flap.on` is `0s`: at least 1ms",
        ),
        (
            "kind = \"swizzle\"\nnodes = [\"a\"]",
            "a swizzle heals within a time",
        ),
        (
            "kind = \"bridge\"\nnode = \"a\"\ngroups = [[\"b\"]]",
            "`event[0].groups` is `1 groups`: a bridge joins two",
        ),
        (
            "kind = \"clock\"\nnode = \"a\"",
            "exactly one of jump, drift_ppm",
        ),
        (
            "kind = \"clock\"\nnode = \"a\"\nfreeze = true\njump = \"1s\"",
            "`jump and freeze`: exactly one",
        ),
        (
            "kind = \"clock\"\nnode = \"a\"\njump = \"--1s\"",
            "write a duration with sign and unit",
        ),
        (
            "kind = \"clock\"\nnode = \"a\"\ndrift_ppm = nan",
            "`event[0].drift_ppm` is `NaN`",
        ),
        (
            "kind = \"clock\"\nnode = \"a\"\njump = \"1s\"\ncounts = true",
            "`event[0].counts` is `set`",
        ),
    ] {
        let text = format!("version = 1\n[[event]]\n{event}\n");
        let error = Plan::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(want), "{event}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_names_nobody_is_refused_when_it_is_armed() {
    let chaos = chaos();
    chaos.network().nodes(["api", "db", "cache"]).unwrap();
    let _node = chaos.node("worker");
    for (event, want) in [
        (
            Disturbance::isolate("apj"),
            "no node is called `apj`: did you mean `api`?",
        ),
        (Disturbance::pause("workr"), "did you mean `worker`?"),
        (
            Disturbance::pause("db"),
            "ask `Chaos::node` for it before arming",
        ),
        (
            Disturbance::partition([["api"], ["db"]]),
            "node `cache` is in no group",
        ),
        (
            Disturbance::partition_oneway(["api"], ["api"]),
            "node `api` is in two groups",
        ),
        (
            Disturbance::hold(["api"], [] as [&str; 0]),
            "group 1 has no node",
        ),
    ] {
        let plan = Plan::new()
            .disturb(Disturbance::isolate("api"))
            .disturb(event);
        let error = chaos.arm(&plan, TimeLimit::None).unwrap_err();
        assert!(matches!(error, ArmError::Event { index: 1, .. }), "{error}");
        assert!(error.to_string().contains(want), "{want}: {error}");
        assert!(!chaos.is_armed());
    }
}

#[test]
fn events_need_a_runtime_for_their_timers() {
    let chaos = chaos();
    chaos.network().nodes(["a"]).unwrap();
    let plan = Plan::new().disturb(Disturbance::isolate("a"));
    let error = chaos.arm(&plan, TimeLimit::None).unwrap_err();
    assert!(matches!(error, ArmError::NoRuntime));
}

/// Lets the schedule, which is a task, do what is due.
async fn settle() {
    sleep(ms(1)).await;
}

#[tokio::test(start_paused = true)]
async fn events_happen_at_their_times_and_are_undone() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("worker");
    let s = std::time::Duration::from_secs;
    let plan = Plan::new()
        .disturb(Disturbance::isolate("a").at(s(2)).lasting(s(3)))
        .disturb(Disturbance::pause("worker").at(s(4)).lasting(s(2)))
        .disturb(Disturbance::crash("worker").at(s(8)).lasting(s(1)));
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let begun = Instant::now();
    let mut seen = Vec::new();
    for second in 0..11 {
        settle().await;
        let carried = within(ms(10), link.clone().oneshot(second)).await.is_some();
        let state = match node.state() {
            NodeState::Running => 'r',
            NodeState::Paused => 'p',
            NodeState::Down => 'd',
        };
        seen.push(format!("{}{state}", if carried { '-' } else { 'x' }));
        tokio::time::sleep_until(begun + s(second + 1)).await;
    }
    assert_eq!(seen.join(" "), "-r -r xr xr xp -p -r -r -d -r -r");
    assert_eq!(node.incarnation(), 1);
    let events = armed.ledger().events();
    let told: Vec<String> = events
        .iter()
        .map(|e| format!("{} {e}", e.at.as_secs()))
        .collect();
    assert_eq!(
        told,
        [
            "2 partition a | everybody else",
            "4 pause worker",
            "5 heal a | everybody else",
            "6 resume worker",
            "8 crash worker",
            "9 restart worker",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_flapping_link_is_on_and_off() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let flap = Disturbance::isolate("a")
        .at(ms(100))
        .lasting(ms(350))
        .flapping(ms(100), ms(50));
    let _armed = chaos
        .arm(&Plan::new().disturb(flap), TimeLimit::None)
        .unwrap();
    let mut seen = String::new();
    let begun = Instant::now();
    for step in 0..20u64 {
        tokio::time::sleep_until(begun + ms(25 * step + 10)).await;
        let carried = within(ms(1), link.clone().oneshot(step)).await.is_some();
        seen.push(if carried { '-' } else { 'x' });
    }
    // From 100 to 200, from 250 to 350, and from 400 to the end at 450.
    assert_eq!(seen, "----xxxx--xxxx--xx--");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_undoes_its_events_and_stops_its_schedule() {
    let chaos = chaos();
    chaos.network().nodes(["a", "b"]).unwrap();
    let node = chaos.node("worker");
    let link = chaos.site("a->b").layer().layer(Echo::default());
    let plan = Plan::new()
        .disturb(Disturbance::isolate("a"))
        .disturb(Disturbance::pause("worker"))
        .disturb(Disturbance::clock("worker", Bend::Freeze))
        .disturb(Disturbance::crash("worker").at(ms(500)));
    drop(chaos.arm(&plan, TimeLimit::None).unwrap());
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    settle().await;
    assert!(node.is_paused());
    assert!(within(ms(5), link.clone().oneshot(1)).await.is_none());
    drop(armed);
    let quiet = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    assert!(!node.is_paused());
    assert_eq!(within(ms(5), link.oneshot(1)).await.unwrap().unwrap(), 1);
    sleep(ms(1000)).await;
    assert!(node.is_up(), "the old schedule does nothing to the new run");
    let before = node.clock().now();
    advance(ms(10)).await;
    assert_eq!(node.clock().now() - before, ms(10));
    assert!(quiet.ledger().events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_bends_the_clock_of_a_node() {
    let chaos = chaos();
    let node = chaos.node("a");
    let clock = node.clock();
    let step = Bend::Jump(Offset::behind(ms(5_000)));
    let plan = Plan::new().disturb(Disturbance::clock("a", step).at(ms(100)).lasting(ms(100)));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let (wall, mono) = (clock.wall(), clock.now());
    sleep(ms(150)).await;
    assert_eq!(
        clock.wall() - wall,
        Offset::behind(ms(4_850)),
        "elapsed, by the wall"
    );
    assert_eq!(
        clock.now() - mono,
        ms(150),
        "elapsed, by the monotonic clock"
    );
    sleep(ms(100)).await;
    assert_eq!(
        clock.wall() - wall,
        Offset::ahead(ms(250)),
        "stepped back again"
    );
    let events = armed.ledger().events();
    assert!(events.iter().all(|e| e.verb == Verb::Clock));
    assert_eq!(events[0].whom, "a: jump by -5s");
}

#[tokio::test(start_paused = true)]
async fn each_bend_is_undone_with_its_guard_and_with_the_run() {
    let chaos = chaos();
    let node = chaos.node("a");
    let clock = node.clock();
    assert!(
        node.bend(Bend::Freeze).is_err(),
        "nobody bends what is not armed"
    );
    for bend in [
        Bend::Jump(Offset::ahead(ms(100))),
        Bend::Drift(Drift::ppm(500_000.0).unwrap()),
        Bend::Freeze,
        Bend::Error(ms(10)),
        Bend::Suspend(ms(100), Suspended::IsLost),
    ] {
        for end in ["guard", "run"] {
            let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
            let bent = node.bend(bend).unwrap();
            advance(ms(100)).await;
            if end == "guard" {
                drop(bent);
                drop(armed);
            } else {
                drop(armed);
                // The run is over: this undoes nothing twice.
                drop(bent);
            }
            let (wall, mono, bound) = (clock.wall(), clock.now(), clock.bound());
            advance(ms(10)).await;
            assert_eq!(clock.now() - mono, ms(10), "{bend}, ended by the {end}");
            assert_eq!(
                clock.wall() - wall,
                Offset::ahead(ms(10)),
                "{bend}, by the {end}"
            );
            assert_eq!(bound.width(), ms(0), "{bend}, by the {end}");
            assert_eq!(
                clock.wall() - chaos.node("other").clock().wall(),
                Offset::ZERO
            );
        }
    }
}

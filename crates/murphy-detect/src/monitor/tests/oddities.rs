//! The rows of `odd`.

use super::*;

#[test]
fn a_duplicate_changes_nothing() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 5);
    let copy = monitor.record_heartbeat(at(2000), &beat("a", 1, 5));
    assert_eq!(copy, Err(Refused::Duplicate { seq: 5, last: 5 }));
    assert_eq!(monitor.dead_nodes(at(3000)), [&"a"]);
    assert_eq!(monitor.counts().duplicates, 1);
}

#[test]
fn a_beat_that_was_overtaken_changes_nothing() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 7);
    let late = monitor.record_heartbeat(at(2000), &beat("a", 1, 6));
    assert_eq!(late, Err(Refused::Duplicate { seq: 6, last: 7 }));
    monitor.hear(2500, "a", 8);
    assert_eq!(monitor.believed(5499), "a+");
}

#[test]
fn a_restart_is_told_even_without_silence() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 900);
    monitor.told(0);
    monitor
        .record_heartbeat(at(1000), &beat("a", 2, 0))
        .unwrap();
    assert_eq!(monitor.told(1000), ["a restarted 1 -> 2"]);
    assert_eq!(monitor.believed(3999), "a+");
}

#[test]
fn a_suspect_that_restarted_is_trusted_and_a_dead_one_has_to_beat_twice() {
    let mut monitor = monitor().suspect_for(ms(1000));
    monitor.hear(0, "a", 0);
    monitor.told(3000);
    monitor
        .record_heartbeat(at(3500), &beat("a", 2, 0))
        .unwrap();
    assert_eq!(
        monitor.told(3500),
        ["a restarted 1 -> 2", "a trusted after 500ms"]
    );
    monitor.told(6500);
    monitor.told(7500);
    monitor
        .record_heartbeat(at(8000), &beat("a", 3, 0))
        .unwrap();
    assert_eq!(monitor.told(8000), ["a restarted 2 -> 3"]);
    monitor
        .record_heartbeat(at(9000), &beat("a", 3, 1))
        .unwrap();
    assert_eq!(monitor.told(9000), ["a up in life 3"]);
}

#[test]
fn a_beat_of_an_earlier_life_changes_nothing() {
    let mut monitor = monitor();
    monitor.record_heartbeat(at(0), &beat("a", 2, 0)).unwrap();
    let ghost = monitor.record_heartbeat(at(2000), &beat("a", 1, 99));
    assert_eq!(
        ghost,
        Err(Refused::Stale {
            incarnation: 1,
            known: 2
        })
    );
    assert_eq!(monitor.dead_nodes(at(3000)), [&"a"]);
    assert_eq!(monitor.counts().stale, 1);
}

#[test]
fn an_incarnation_from_the_future_is_refused_beyond_the_bound() {
    let mut monitor = monitor().incarnation_ahead(1000);
    monitor.hear(0, "a", 0);
    let future = monitor.record_heartbeat(at(1), &beat("a", 1002, 0));
    let why = Refused::FromTheFuture {
        incarnation: 1002,
        highest: 1001,
        known: 1,
    };
    assert_eq!(future, Err(why));
    monitor.hear(1000, "a", 1);
    monitor
        .record_heartbeat(at(2000), &beat("a", 1001, 0))
        .unwrap();
    assert_eq!(monitor.counts().from_the_future, 1);
}

#[test]
fn there_is_always_a_life_above_the_highest() {
    let mut monitor = monitor();
    for (node, incarnation, taken) in [
        ("new", u64::MAX, false),
        ("new", 1 << 63, false),
        ("new", (1 << 63) - 1, true),
        ("new", u64::MAX, false),
    ] {
        let result = monitor.record_heartbeat(at(0), &beat(node, incarnation, 0));
        assert_eq!(result.is_ok(), taken, "{incarnation}");
    }
}

#[test]
fn an_interval_that_no_node_has_is_refused() {
    let mut monitor = monitor();
    for interval in [Duration::ZERO, ms(3_600_001), Duration::MAX] {
        let beat = Heartbeat {
            interval,
            ..beat("a", 1, 0)
        };
        let why = Refused::Interval {
            interval,
            longest: ms(3_600_000),
        };
        assert_eq!(monitor.record_heartbeat(at(0), &beat), Err(why));
    }
    assert_eq!(monitor.counts().bad_intervals, 3);
    assert_eq!(monitor.believed(0), "");
}

#[test]
fn time_that_is_told_backwards_stands_still() {
    let mut monitor = monitor();
    monitor.hear(5000, "a", 0);
    monitor.hear(1000, "a", 1);
    assert_eq!(monitor.believed(7999), "a+");
    assert_eq!(monitor.believed(8000), "a-");
}

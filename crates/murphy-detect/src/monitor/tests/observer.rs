//! The observer stands still, or sees half of the world fall.

use super::*;

fn guarded() -> Watched {
    monitor().guard(Guard::new())
}

/// Looks every 100 ms, as a guarded monitor asks.
fn look(monitor: &mut Watched, from: u64, to: u64) -> Vec<String> {
    let mut told = Vec::new();
    let mut now = from;
    while now <= to {
        told.extend(monitor.told(now));
        now += 100;
    }
    told
}

#[test]
fn a_pause_of_the_observer_kills_nobody() {
    let mut monitor = guarded();
    for node in ["a", "b"] {
        monitor.hear(0, node, 0);
    }
    look(&mut monitor, 0, 2900);
    // A minute is lost. Nobody has noticed yet, and the question is answered rightly all the same.
    assert_eq!(monitor.believed(62_900), "a+ b+");
    assert_eq!(monitor.told(62_900), ["paused for 59.9s"]);
    assert_eq!(look(&mut monitor, 63_000, 63_800), NOTHING, "the grace");
    monitor.hear(63_800, "a", 60);
    assert_eq!(
        look(&mut monitor, 63_900, 63_900)[..1],
        ["b suspect after 62.9s"]
    );
    assert_eq!(monitor.believed(66_700), "a+ b-");
}

#[test]
fn who_crashed_during_a_pause_is_found_soon_after() {
    let mut monitor = guarded();
    for node in ["a", "b"] {
        monitor.hear(2000, node, 0);
    }
    look(&mut monitor, 2000, 2000);
    // "a" crashes at 10 s, "b" lives; what "a" sent before waited in a queue.
    monitor.hear(62_000, "a", 8);
    monitor.hear(62_000, "b", 60);
    let mut downs = Vec::new();
    for now in (62_000..70_000).step_by(100) {
        if now % 1000 == 0 {
            monitor
                .record_heartbeat(at(now), &beat("b", 1, now))
                .unwrap();
        }
        let told = monitor.told(now).into_iter();
        downs.extend(
            told.filter(|line| line.contains("down"))
                .map(|line| (now, line)),
        );
    }
    let (found, line) = &downs[0];
    assert!(line.starts_with("a down"), "{downs:?}");
    assert_eq!(downs.len(), 1);
    assert!((62_000..=62_000 + 3000 + 1000).contains(found), "{found}");
}

#[test]
fn a_beat_that_waited_teaches_the_detector_nothing() {
    let mut monitor = guarded();
    monitor.hear(0, "a", 0);
    look(&mut monitor, 0, 0);
    monitor.hear(60_000, "a", 1);
    let learned = |monitor: &Watched| monitor.nodes[0].state;
    assert_eq!(learned(&monitor), at(0));
    look(&mut monitor, 60_000, 61_000);
    monitor.hear(61_000, "a", 2);
    assert_eq!(learned(&monitor), at(61_000));
}

#[test]
fn a_beat_that_nobody_looked_before_is_in_time() {
    let mut monitor = guarded();
    monitor.hear(0, "a", 0);
    look(&mut monitor, 0, 2900);
    // The deadline passed 50 ms ago, and the look at it is late: no pause, and no verdict either.
    monitor.hear(3050, "a", 1);
    assert_eq!(monitor.told(3050), NOTHING);
    assert_eq!(monitor.believed(3050), "a+");
}

#[test]
fn an_observer_that_stumbles_again_and_again_is_late_and_not_blind() {
    let mut monitor = guarded();
    monitor.hear(0, "a", 0);
    let downs = (0..60).flat_map(|n| monitor.told(n * 600));
    assert!(downs.into_iter().any(|line| line.contains("down")));
}

#[test]
fn with_a_guard_the_next_look_is_never_far() {
    let mut monitor = guarded();
    monitor.hear(0, "a", 0);
    monitor.told(0);
    assert_eq!(monitor.next_deadline(), Some(at(100)));
    monitor.told(2950);
    look(&mut monitor, 100, 2950);
    assert_eq!(
        monitor.next_deadline(),
        Some(at(3000).min(at(3050))).map(|_| monitor.next_deadline().unwrap())
    );
}

fn safe() -> Watched {
    let mut monitor = monitor().safe_mode(SafeMode::new()).suspect_for(ms(1000));
    for (n, node) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        monitor.hear(100 * n as u64, node, 0);
    }
    monitor.told(400);
    monitor
}

#[test]
fn when_most_fall_at_once_nobody_dies() {
    let mut monitor = safe();
    monitor.hear(2000, "a", 1);
    monitor.hear(2000, "b", 1);
    let told = monitor.told(3300);
    assert_eq!(told, ["c suspect after 3s", "d suspect after 3s"]);
    let told = monitor.told(4200);
    assert_eq!(told, ["e suspect after 3s", "safe mode true with 3"]);
    monitor.hear(4900, "a", 2);
    monitor.hear(4900, "b", 2);
    assert_eq!(monitor.told(7800), NOTHING);
    assert_eq!(monitor.believed(7800), "a+ b+ c~ d~ e~");
    // They are back.
    for (seq, node) in [(3, "a"), (3, "b"), (1, "c")] {
        monitor.hear(7800, node, seq);
    }
    let told = monitor.told(7800);
    assert_eq!(told, ["c trusted after 4.6s", "safe mode false with 2"]);
    assert_eq!(
        monitor.told(8500),
        ["d down after 8.2s", "e down after 8.1s"]
    );
}

#[test]
fn an_operator_can_say_that_they_are_dead() {
    let mut monitor = safe();
    assert_eq!(monitor.told(3400).len(), 6);
    assert_eq!(monitor.told(60_000), NOTHING);
    monitor.convict(at(60_000));
    let told = monitor.told(60_000);
    assert_eq!(told[0], "safe mode false with 5");
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(monitor.dead_nodes(at(60_000)).len(), 5);
}

#[test]
fn few_may_die_at_once() {
    let mut monitor = safe();
    for node in ["a", "b", "c"] {
        monitor.hear(3000, node, 1);
    }
    monitor.told(3300);
    let told = monitor.told(4400);
    assert_eq!(
        told.iter().filter(|line| line.contains("down")).count(),
        2,
        "{told:?}"
    );
}

#[test]
fn whoever_was_told_everything_has_time_until_the_next_look() {
    let both = monitor().guard(Guard::new()).safe_mode(SafeMode::new());
    for mut monitor in [safe(), both, guarded()] {
        for node in ["a", "b", "c", "d", "e"] {
            let _ = monitor.record_heartbeat(at(500), &beat(node, 1, 1));
        }
        let (mut now, mut looks) = (at(500), 0);
        while now < at(60_000) {
            while monitor.poll(now).is_some() {}
            let next = monitor.next_deadline().unwrap();
            assert!(next > now, "{next:?} at {now:?}");
            (now, looks) = (next, looks + 1);
        }
        assert!(looks <= 1000, "{looks} looks in a minute");
    }
}

#[test]
fn those_who_went_down_count_for_a_window() {
    let mut monitor = monitor().safe_mode(SafeMode::new());
    for (n, node) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        monitor.hear(100 * n as u64, node, 0);
    }
    monitor.told(400);
    // One after the other, and the third would be more than half of them.
    for now in [3000, 3100] {
        assert_eq!(monitor.told(now).len(), 2);
    }
    let told = monitor.told(3200);
    assert_eq!(told, ["c suspect after 3s", "safe mode true with 1"]);
    assert_eq!(monitor.believed(3400), "a- b- c~ d~ e~");
}

//! Unknown, alive, suspect, dead, and back.

use super::*;

#[test]
fn a_node_never_heard_of_is_neither_alive_nor_dead() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 0);
    let far = at(1_000_000);
    assert!(!monitor.is_alive(&"b", far));
    assert_eq!(monitor.liveness(&"b", far), Liveness::Unknown);
    assert_eq!(monitor.dead_nodes(far), [&"a"]);
    assert_eq!(monitor.level(&"b", far), None);
    assert_eq!(monitor.time_to_suspect(&"b", far), None);
}

#[test]
fn exactly_at_its_deadline_a_node_is_dead() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 0);
    let before = Moment::from_nanos(at(3000).as_nanos() - 1);
    assert!(monitor.is_alive(&"a", before));
    assert_eq!(monitor.dead_nodes(before), [&""; 0]);
    assert!(monitor.level(&"a", before).unwrap() < 1.0);
    assert_eq!(monitor.time_to_suspect(&"a", at(2000)), Some(ms(1000)));

    assert!(!monitor.is_alive(&"a", at(3000)));
    assert_eq!(monitor.dead_nodes(at(3000)), [&"a"]);
    assert!(monitor.level(&"a", at(3000)).unwrap() >= 1.0);
    assert_eq!(
        monitor.time_to_suspect(&"a", at(3000)),
        Some(Duration::ZERO)
    );
    let told = ["a up in life 1", "a suspect after 3s", "a down after 3s"];
    assert_eq!(monitor.told(3000), told);
}

#[test]
fn a_node_is_suspected_before_it_is_taken_for_dead() {
    let mut monitor = monitor().suspect_for(ms(2000));
    monitor.hear(0, "a", 0);
    assert_eq!(monitor.told(0), ["a up in life 1"]);
    assert_eq!(monitor.next_deadline(), Some(at(3000)));
    assert_eq!(monitor.told(3000), ["a suspect after 3s"]);
    assert_eq!(monitor.believed(4999), "a~");
    assert_eq!(monitor.believed(5000), "a-");
    assert_eq!(monitor.next_deadline(), Some(at(5000)));
    assert_eq!(monitor.told(5000), ["a down after 5s"]);
}

#[test]
fn one_beat_ends_a_suspicion() {
    let mut monitor = monitor().suspect_for(ms(2000));
    monitor.hear(0, "a", 0);
    monitor.told(3000);
    monitor.hear(4000, "a", 1);
    assert_eq!(monitor.told(4000), ["a trusted after 1s"]);
    assert_eq!(monitor.believed(6999), "a+");
    assert_eq!(
        monitor.told(5000),
        NOTHING,
        "what was armed for its death is not due"
    );
    assert_eq!(monitor.next_deadline(), Some(at(7000)));
}

#[test]
fn a_dead_node_is_back_after_two_beats_in_a_row() {
    let mut monitor = monitor();
    monitor.hear(0, "a", 0);
    monitor.told(3000);
    monitor.hear(10_000, "a", 1);
    assert_eq!(monitor.told(10_000), NOTHING);
    assert_eq!(monitor.believed(10_000), "a-");
    // The next one is too late to be the second.
    monitor.hear(13_000, "a", 2);
    assert_eq!(monitor.believed(13_000), "a-");
    monitor.hear(14_000, "a", 3);
    assert_eq!(monitor.told(14_000), ["a up in life 1"]);
    assert_eq!(monitor.next_deadline(), Some(at(17_000)));
}

#[test]
fn a_node_that_comes_and_goes_needs_more_beats_each_time() {
    let two = NonZeroU8::new(2).unwrap();
    let mut monitor = monitor().recover_after(two, ms(60_000));
    let (mut now, mut seq) = (0, 0);
    monitor.hear(now, "a", seq);
    let mut returns = |monitor: &mut Watched, silence| {
        now += silence;
        monitor.told(now);
        assert_eq!(monitor.believed(now), "a-");
        for beats in 1.. {
            (now, seq) = (now + 1000, seq + 1);
            monitor.hear(now, "a", seq);
            if monitor.is_alive(&"a", at(now)) {
                return beats;
            }
        }
        0
    };
    let needed = [(); 6].map(|()| returns(&mut monitor, 5000));
    assert_eq!(needed, [2, 4, 8, 16, 32, 32]);
    // It had been alive for a minute: that is forgiven.
    for _ in 0..60 {
        (now, seq) = (now + 1000, seq + 1);
        monitor.hear(now, "a", seq);
    }
    now += 5000;
    monitor.told(now);
    for _ in 0..2 {
        (now, seq) = (now + 1000, seq + 1);
        monitor.hear(now, "a", seq);
    }
    assert_eq!(monitor.believed(now), "a+");
}

#[test]
fn questions_are_right_between_polls() {
    let mut monitor = monitor().suspect_for(ms(1000));
    monitor.hear(0, "a", 0);
    monitor.hear(500, "b", 0);
    for (now, want) in [
        (2999, "a+ b+"),
        (3000, "a~ b+"),
        (3500, "a~ b~"),
        (4000, "a- b~"),
        (4500, "a- b-"),
    ] {
        assert_eq!(monitor.believed(now), want, "at {now}, never polled");
        let mut polled = monitor.clone();
        polled.told(now);
        assert_eq!(polled.believed(now), want, "at {now}, polled");
    }
    // What was due is told when a beat comes, in order, even without a poll in time.
    monitor.hear(60_000, "a", 1);
    let told = [
        "a up in life 1",
        "b up in life 1",
        "a suspect after 3s",
        "a down after 1m",
    ];
    let told = told.map(|line| line.replace("1m", "60s"));
    assert_eq!(monitor.told(60_000)[..4], told);
}

#[test]
fn the_dead_are_forgotten_and_their_places_used_again() {
    let one = NonZeroU32::new(1).unwrap();
    let mut monitor = monitor().forget_after(ms(60_000), 8).max_nodes(one);
    let slot = monitor.record_heartbeat(at(0), &beat("a", 1, 0)).unwrap();
    let full = monitor.record_heartbeat(at(0), &beat("b", 1, 0));
    assert_eq!(full, Err(Refused::Full { limit: 1 }));
    monitor.told(3000);
    assert_eq!(
        monitor.next_deadline(),
        Some(at(61_440)),
        "looked at on the way"
    );
    assert_eq!(monitor.told(62_999), NOTHING);
    assert_eq!(monitor.next_deadline(), Some(at(63_000)));
    assert_eq!(monitor.told(63_000), ["a forgotten in 1"]);
    assert_eq!(monitor.liveness(&"a", at(63_000)), Liveness::Unknown);
    assert_eq!(monitor.next_deadline(), None);

    let new = monitor
        .record_heartbeat(at(64_000), &beat("b", 1, 0))
        .unwrap();
    assert_ne!(new, slot);
    let late = beat("a", 1, 1).pulse();
    assert_eq!(
        monitor.record_at(slot, at(64_000), &late),
        Err(Refused::Slot)
    );
    assert_eq!(monitor.liveness_at(slot, at(64_000)), Liveness::Unknown);
    assert_eq!(monitor.liveness_at(new, at(64_000)), Liveness::Alive);
}

#[test]
fn a_forgotten_life_is_never_admitted_again() {
    let mut monitor = monitor().forget_after(ms(1000), 8);
    monitor.hear(0, "a", 0);
    monitor.told(3000);
    monitor.told(4000);
    let ghost = monitor.record_heartbeat(at(5000), &beat("a", 1, 7));
    assert_eq!(
        ghost,
        Err(Refused::Forgotten {
            incarnation: 1,
            known: 1
        })
    );
    assert_eq!(monitor.liveness(&"a", at(5000)), Liveness::Unknown);
    monitor
        .record_heartbeat(at(5000), &beat("a", 2, 0))
        .unwrap();
    assert_eq!(monitor.told(5000), ["a up in life 2"]);
    assert_eq!(monitor.counts().ghosts, 1);
}

#[test]
fn a_sign_of_life_moves_the_deadline_and_teaches_nothing() {
    let mut monitor = monitor().suspect_for(ms(5000));
    monitor.hear(0, "a", 0);
    monitor.told(0);
    assert!(monitor.touch(at(2000), &"a"));
    assert_eq!(monitor.believed(4999), "a+");
    assert!(monitor.level(&"a", at(4999)).unwrap() < 1.0);
    assert_eq!(monitor.told(5000), ["a suspect after 3s"]);
    assert!(monitor.touch(at(6000), &"a"));
    assert_eq!(monitor.told(6000), ["a trusted after 1s"]);
    monitor.told(9000);
    assert_eq!(monitor.told(14_000), ["a down after 8s"]);
    assert!(!monitor.touch(at(14_000), &"a"), "that takes beats");
    assert!(!monitor.touch(at(14_000), &"b"));
    assert_eq!(monitor.believed(14_000), "a-");
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let limit = NonZeroU32::new(1).unwrap();
    let mut monitor = monitor().max_nodes(limit);
    for life in 1..1000 {
        monitor
            .record_heartbeat(at(0), &beat("a", life, 0))
            .unwrap();
    }
    assert_eq!(monitor.told(0).len(), 64);
    assert_eq!(monitor.counts().lost_events, 999 - 64);
}

#[test]
fn events_of_one_moment_come_in_the_order_of_slots() {
    let names = ["d", "b", "a", "c"];
    let mut monitor = monitor();
    for name in names {
        monitor.hear(0, name, 0);
    }
    monitor.told(0);
    let downs: Vec<String> = monitor.told(3000).split_off(4);
    assert_eq!(downs, names.map(|name| format!("{name} down after 3s")));
}

#[test]
fn events_come_in_the_order_in_which_they_fell_due() {
    let mut monitor = monitor();
    for node in ["a", "b"] {
        monitor.hear(0, node, 0);
    }
    monitor.hear(1, "b", 1);
    monitor.hear(5, "a", 1);
    monitor.told(5);
    let suspects: Vec<String> = monitor.told(3009).into_iter().take(2).collect();
    assert_eq!(suspects, ["b suspect after 3s", "a suspect after 3s"]);
}

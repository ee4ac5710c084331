//! The chapter's failure detector, beside ours, on a machine whose clock is set.

use std::collections::BTreeMap;

use murphy_core::clock::{Clock, ManualClock, Offset, Wall};

use super::*;

/// As the chapter has it: `time.time()`.
struct Chapter {
    timeout: Duration,
    last_heartbeat: BTreeMap<&'static str, Wall>,
}

impl Chapter {
    fn record_heartbeat(&mut self, clock: &impl Clock, node: &'static str) {
        self.last_heartbeat.insert(node, clock.wall());
    }

    fn get_dead_nodes(&self, clock: &impl Clock) -> Vec<&'static str> {
        let now = clock.wall();
        let timeout = Offset::ahead(self.timeout);
        let late = |last: &Wall| now - *last > timeout;
        let dead = self.last_heartbeat.iter().filter(|(_, last)| late(last));
        dead.map(|(node, _)| *node).collect()
    }
}

const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Who each takes for dead after the time of day was set by `step`, with a beat a second throughout.
fn dead_after(step: Offset) -> (Vec<&'static str>, Vec<&'static str>) {
    let clock = ManualClock::new();
    let origin = clock.now();
    let mut theirs = Chapter {
        timeout: ms(10_000),
        last_heartbeat: BTreeMap::new(),
    };
    let mut ours = Monitor::new(Fixed(ms(10_000)));
    for seq in 0..30 {
        let now = Moment::after(clock.now() - origin);
        for node in NODES {
            theirs.record_heartbeat(&clock, node);
            ours.record_heartbeat(now, &beat(node, 1, seq)).unwrap();
        }
        clock.advance(ms(1000));
    }
    clock.jump(step);
    let now = Moment::after(clock.now() - origin);
    let ours = ours.dead_nodes(now).into_iter().copied().collect();
    (theirs.get_dead_nodes(&clock), ours)
}

#[test]
fn a_step_of_the_time_of_day_kills_every_node_of_the_chapter_and_none_of_ours() {
    let minute = ms(60_000);
    let (theirs, ours) = dead_after(Offset::ahead(minute));
    assert_eq!(theirs, NODES);
    assert_eq!(ours, NOTHING);
}

#[test]
fn a_step_back_hides_the_dead_of_the_chapter_and_none_of_ours() {
    let clock = ManualClock::new();
    let origin = clock.now();
    let mut theirs = Chapter {
        timeout: ms(10_000),
        last_heartbeat: BTreeMap::new(),
    };
    let mut ours = Monitor::new(Fixed(ms(10_000)));
    theirs.record_heartbeat(&clock, "a");
    ours.record_heartbeat(Moment::ZERO, &beat("a", 1, 0))
        .unwrap();
    clock.jump(Offset::behind(ms(60_000)));
    clock.advance(ms(11_000));
    assert_eq!(theirs.get_dead_nodes(&clock), NOTHING);
    assert_eq!(ours.dead_nodes(Moment::after(clock.now() - origin)), [&"a"]);
}

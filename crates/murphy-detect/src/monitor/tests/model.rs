//! Against a monitor that keeps everything and looks at everybody.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NODES: [&str; 3] = ["a", "b", "c"];

/// Life, number, deadline, and since when it is dead with how many beats since.
#[derive(Clone, Copy, Debug)]
struct Known {
    life: u64,
    seq: u64,
    until: u64,
    dead: Option<u32>,
}

/// Without dwell, forgetting or damping: what is left is deadlines, numbers, lives and two beats to come back.
#[derive(Default)]
struct Model(BTreeMap<&'static str, Known>);

impl Model {
    fn hear(&mut self, now: u64, node: &'static str, life: u64, seq: u64) {
        self.pass(now);
        let until = now + 3000;
        match self.0.get_mut(node) {
            None => {
                let dead = None;
                self.0.insert(
                    node,
                    Known {
                        life,
                        seq,
                        until,
                        dead,
                    },
                );
            }
            Some(known) if (life, seq) > (known.life, known.seq) => {
                let in_row = now < known.until && life == known.life;
                *known = Known {
                    life,
                    seq,
                    until,
                    dead: match known.dead {
                        Some(beats) if in_row && beats == 1 => None,
                        Some(_) => Some(1),
                        None => None,
                    },
                };
            }
            Some(_) => {}
        }
    }

    fn pass(&mut self, now: u64) {
        for known in self.0.values_mut() {
            if known.dead.is_none() && now >= known.until {
                known.dead = Some(0);
            }
        }
    }
}

fn step() -> impl Strategy<Value = (u64, usize, u64, u64, bool)> {
    let delta = prop_oneof![Just(0), Just(1000), Just(3000), 0..7000_u64];
    (delta, 0..3_usize, 1..4_u64, 0..6_u64, any::<bool>())
}

proptest! {
    #[test]
    fn it_believes_what_a_look_at_everything_believes(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let calm = Duration::ZERO;
        let two = NonZeroU8::new(2).unwrap();
        let mut monitor = monitor().recover_after(two, calm);
        let mut model = Model::default();
        let mut now = 0;
        for (delta, node, life, seq, polls) in steps {
            now += delta;
            let node = NODES[node];
            let _ = monitor.record_heartbeat(at(now), &beat(node, life, seq));
            model.hear(now, node, life, seq);
            if polls {
                monitor.told(now);
            }
            for later in [now, now + 1, now + 2999, now + 3000] {
                let mut model = Model(model.0.clone());
                model.pass(later);
                for node in NODES {
                    let want = match model.0.get(node) {
                        None => "unknown",
                        Some(known) if known.dead.is_some() => "dead",
                        Some(_) => "alive",
                    };
                    let got = match monitor.liveness(&node, at(later)) {
                        Liveness::Unknown => "unknown",
                        Liveness::Alive => "alive",
                        Liveness::Suspect { .. } => "suspect",
                        Liveness::Dead { .. } => "dead",
                    };
                    prop_assert_eq!(got, want, "{} at {}", node, later);
                }
            }
        }
    }

    #[test]
    fn whoever_polls_when_told_hears_of_every_death_at_its_moment(
        beats in prop::collection::vec((0..4000_u64, 0..3_usize), 1..60),
    ) {
        let mut monitor = monitor();
        let mut last = BTreeMap::new();
        let mut now = 0;
        let mut downs = Vec::new();
        let mut until = |monitor: &mut Watched, end: Moment| {
            while let Some(next) = monitor.next_deadline().filter(|next| *next <= end) {
                while let Some(event) = monitor.poll(next) {
                    if let Event::Down { node, silent } = event {
                        downs.push((node, next, silent));
                    }
                }
            }
        };
        for (seq, (delta, node)) in beats.into_iter().enumerate() {
            now += delta;
            until(&mut monitor, at(now));
            monitor.hear(now, NODES[node], seq as u64);
            last.insert(NODES[node], now);
        }
        until(&mut monitor, at(now + 10_000));
        for (node, last) in last {
            prop_assert!(!monitor.is_alive(&node, at(now + 10_000)), "{}", last);
        }
        for (node, found, silent) in downs {
            prop_assert_eq!(silent, ms(3000), "{} at {:?}", node, found);
        }
    }

    #[test]
    fn levels_never_fall_in_silence_and_cross_the_threshold_at_the_deadline(
        moves in prop::collection::vec((0..2500_u64, any::<bool>()), 1..20),
        looks in prop::collection::vec(0..9000_u64, 2..20),
    ) {
        let mut monitor = monitor();
        monitor.hear(0, "a", 0);
        let mut now = 0;
        for (seq, (delta, is_beat)) in moves.into_iter().enumerate() {
            now += delta;
            if is_beat {
                monitor.hear(now, "a", seq as u64 + 1);
            } else {
                monitor.touch(at(now), &"a");
            }
        }
        let mut looks = looks;
        looks.sort_unstable();
        let level = |later: &u64| monitor.level(&"a", at(now + later)).unwrap();
        let levels: Vec<f64> = looks.iter().map(level).collect();
        prop_assert!(levels.is_sorted(), "{:?}", levels);
        for (look, level) in looks.iter().zip(levels) {
            prop_assert_eq!(level < 1.0, monitor.is_alive(&"a", at(now + look)), "{}", look);
        }
    }
}

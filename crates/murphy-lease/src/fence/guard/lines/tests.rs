//! Lines, step by step and at random.

use proptest::prelude::*;

use super::*;

fn token(seq: u64) -> FencingToken {
    format!("orders;era=0;seq={seq};nonce={seq:x}")
        .parse()
        .unwrap()
}

fn table(resources: usize, queue: usize, forgets: bool) -> Table {
    Table::new(Bounds {
        resources,
        queue,
        forgets,
    })
}

struct Script {
    table: Table,
}

impl Script {
    fn comes(&mut self, resource: &str, seq: u64) -> Result<Ticket, Denied> {
        let mut wakes = Vec::new();
        let arrived = self.table.arrive(resource, &token(seq), None, &mut wakes);
        arrived.map(|(_, ticket)| ticket)
    }

    fn turn(&mut self, resource: &str, seq: u64, ticket: Ticket) -> Turn {
        self.table
            .look(resource, ticket, &token(seq), Waker::noop())
    }

    fn goes(&mut self, resource: &str, ticket: Ticket) -> usize {
        let mut wakes = Vec::new();
        self.table.leave(resource, ticket, &mut wakes);
        wakes.len()
    }
}

fn stale(seq: u64) -> Refused {
    let current = Rank::new(0, seq);
    Refused::Stale { current }
}

#[test]
fn who_comes_first_is_served_first() {
    let mut script = Script {
        table: table(8, 8, false),
    };
    let a = script.comes("r", 1).unwrap();
    let b = script.comes("r", 1).unwrap();
    let c = script.comes("r", 1).unwrap();
    let other = script.comes("another", 1).unwrap();
    assert_eq!(script.turn("r", 1, a), Turn::Comes);
    assert_eq!(script.turn("another", 1, other), Turn::Comes);
    assert_eq!(script.turn("r", 1, b), Turn::Waits);
    assert_eq!(script.turn("r", 1, c), Turn::Waits);
    assert_eq!(script.goes("r", a), 1, "the next one is woken");
    assert_eq!(script.turn("r", 1, b), Turn::Comes);
    assert_eq!(script.goes("r", c), 0);
    assert_eq!(script.goes("r", b), 0);
    let d = script.comes("r", 1).unwrap();
    assert_eq!(script.turn("r", 1, d), Turn::Comes);
}

#[test]
fn a_higher_rank_sends_away_those_that_wait() {
    let mut script = Script {
        table: table(8, 2, false),
    };
    let inside = script.comes("r", 1).unwrap();
    let lower = [(); 2].map(|()| script.comes("r", 1).unwrap());
    assert_eq!(script.comes("r", 1), Err(Denied::Busy));
    for ticket in lower {
        assert_eq!(script.turn("r", 1, ticket), Turn::Waits);
    }
    let higher = script.comes("r", 2).unwrap();
    for ticket in lower {
        assert_eq!(script.turn("r", 1, ticket), Turn::Passed(stale(2)));
        script.goes("r", ticket);
    }
    // What is inside has not begun yet: its last look stops it.
    assert_eq!(script.turn("r", 1, inside), Turn::Comes);
    assert_eq!(script.table.act("r", &token(1), None), Err(stale(2)));
    script.goes("r", inside);
    assert_eq!(script.turn("r", 2, higher), Turn::Comes);
    assert_eq!(script.table.act("r", &token(2), Some(1)), Ok(None));
    assert_eq!(script.comes("r", 1), Err(stale(2).into()));
}

#[test]
fn a_fence_is_not_forgotten_for_want_of_room() {
    let mut script = Script {
        table: table(2, 8, false),
    };
    for resource in ["a", "b"] {
        let ticket = script.comes(resource, 5).unwrap();
        script.goes(resource, ticket);
    }
    assert_eq!(script.comes("c", 9), Err(Denied::Full));
    assert_eq!(script.comes("a", 4), Err(stale(5).into()));
    assert!(script.comes("a", 5).is_ok());
}

#[test]
fn what_is_forgotten_leaves_its_rank_behind() {
    let mut script = Script {
        table: table(4, 8, true),
    };
    for (resource, seq) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        let ticket = script.comes(resource, seq).unwrap();
        if resource != "a" {
            script.goes(resource, ticket);
        }
    }
    // Of b, c and d the lower half goes: b and c. `a` is in use.
    let ticket = script.comes("e", 50).unwrap();
    script.goes("e", ticket);
    for (resource, seq) in [("b", 19), ("b", 20), ("c", 30), ("f", 1)] {
        assert_eq!(script.comes(resource, seq), Err(stale(30).into()));
    }
    assert!(script.comes("a", 10).is_ok(), "its fence is its own");
    assert_eq!(script.comes("d", 39), Err(stale(40).into()));
    assert!(script.comes("b", 31).is_ok());
}

#[test]
fn names_that_are_none_are_refused() {
    let mut script = Script {
        table: table(4, 8, false),
    };
    assert_eq!(script.comes("", 1), Err(Denied::BadResource));
    assert_eq!(script.comes(&"x".repeat(513), 1), Err(Denied::BadResource));
    assert!(script.comes(&"x".repeat(512), 1).is_ok());
}

#[test]
fn who_was_passed_hears_of_it_after_all_is_forgotten() {
    let mut script = Script {
        table: table(1, 8, true),
    };
    let inside = script.comes("r", 1).unwrap();
    let passed = script.comes("r", 1).unwrap();
    let higher = script.comes("r", 2).unwrap();
    script.goes("r", inside);
    script.goes("r", higher);
    let other = script.comes("another", 3).unwrap();
    assert_eq!(script.turn("r", 1, passed), Turn::Passed(stale(2)));
    script.goes("r", passed);
    assert_eq!(script.turn("another", 3, other), Turn::Comes);
}

#[derive(Clone, Debug)]
enum Step {
    Comes(usize, u64),
    Acts(usize),
    Goes(usize),
}

proptest! {
    /// Three resources, room for two, any order: what acts on one never falls in rank, and acts alone.
    #[test]
    fn no_lower_rank_acts_after_a_higher(
        forgets: bool,
        steps in prop::collection::vec(prop_oneof![
            (0..3_usize, 1..20_u64).prop_map(|(r, seq)| Step::Comes(r, seq)),
            (0..40_usize).prop_map(Step::Acts),
            (0..40_usize).prop_map(Step::Goes),
        ], 0..80),
    ) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let mut script = Script { table: table(2, 3, forgets) };
        let mut here: Vec<(usize, u64, Ticket)> = Vec::new();
        let mut acted = [0; 3];
        for step in steps {
            match step {
                Step::Comes(r, seq) => {
                    here.extend(script.comes(NAMES[r], seq).map(|ticket| (r, seq, ticket)));
                    for (r, name) in NAMES.iter().enumerate() {
                        let inside = here.iter()
                            .filter(|(at, seq, t)| *at == r && script.turn(name, *seq, *t) == Turn::Comes);
                        prop_assert!(inside.count() <= 1);
                    }
                }
                Step::Acts(n) if n < here.len() => {
                    let (r, seq, ticket) = here[n];
                    let turn = script.turn(NAMES[r], seq, ticket);
                    if turn == Turn::Comes && script.table.act(NAMES[r], &token(seq), None).is_ok() {
                        prop_assert!(acted[r] <= seq);
                        acted[r] = seq;
                    }
                }
                Step::Goes(n) if n < here.len() => {
                    let (r, _, ticket) = here.remove(n);
                    script.goes(NAMES[r], ticket);
                }
                _ => {}
            }
        }
        // All leave, and nobody is stuck.
        for (r, _, ticket) in here {
            script.goes(NAMES[r], ticket);
        }
        prop_assert!(script.table.rows.values().all(|row| row.inside.is_none() && row.line.is_empty()));
    }
}

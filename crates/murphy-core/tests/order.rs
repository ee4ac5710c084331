//! What logical clocks promise, over random histories of nodes whose clocks are wrong and go back.

use std::collections::BTreeSet;
use std::time::Duration;

use murphy_core::clock::{Clock, ManualClock, Offset, Wall};
use murphy_core::order::{
    Hybrid, HybridStamp, Lamport, LamportStamp, LogicalClock, NodeId, Refused, Vector,
    VersionVector,
};
use proptest::collection::vec;
use proptest::prelude::*;

const NODES: usize = 4;
const SECOND: Duration = Duration::from_secs(1);
/// More than any two clocks can be apart.
const FOREVER: Duration = Duration::MAX;

fn node(name: &str) -> NodeId {
    name.parse().expect("a name")
}

/// What happens in a history: to which node, and how.
#[derive(Clone, Copy, Debug)]
enum Step {
    Local(usize),
    Send(usize),
    /// Any message that was sent so far: again, late, in any order, by several.
    Receive(usize, usize),
    Wait(Duration),
    /// A wall clock is set, forward or back.
    Jump(usize, Offset),
}

fn offset(most: i64) -> impl Strategy<Value = Offset> {
    (-most..=most).prop_map(Offset::from_nanos)
}

fn step(jumps: i64) -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..NODES).prop_map(Step::Local),
        3 => (0..NODES).prop_map(Step::Send),
        4 => (0..NODES, any::<usize>()).prop_map(|(to, which)| Step::Receive(to, which)),
        2 => (0..50u64).prop_map(|n| Step::Wait(Duration::from_nanos(n))),
        1 => (0..NODES, offset(jumps)).prop_map(|(node, by)| Step::Jump(node, by)),
    ]
}

/// One event by all three clocks, and the truth: which events it knows of, itself included.
#[derive(Clone, Debug)]
struct Event {
    lamport: LamportStamp,
    hybrid: HybridStamp,
    vector: VersionVector,
    wall: Wall,
    knows: BTreeSet<usize>,
}

impl Event {
    fn happened_before(&self, own: usize, other: &Self, others: usize) -> bool {
        own != others && other.knows.contains(&own)
    }
}

struct Node {
    machine: ManualClock,
    lamport: Lamport,
    hybrid: Hybrid<ManualClock>,
    vector: Vector,
    knows: BTreeSet<usize>,
}

impl Node {
    fn new(n: usize, skew: Offset, max_offset: Duration) -> Self {
        let id = node(&format!("n{n}"));
        let machine = ManualClock::new();
        machine.jump(skew);
        Self {
            hybrid: Hybrid::over(machine.clone(), id).max_offset(max_offset),
            lamport: Lamport::new(id),
            vector: Vector::new(id),
            machine,
            knows: BTreeSet::new(),
        }
    }

    /// Its next event, which receives `message` if there is one.
    fn event(&mut self, number: usize, message: Option<&Event>) -> Event {
        let (lamport, hybrid, vector) = match message {
            None => (self.lamport.tick(), self.hybrid.tick(), self.vector.tick()),
            Some(message) => {
                self.knows.extend(&message.knows);
                (
                    self.lamport.observe(&message.lamport).expect("believed"),
                    self.hybrid.observe(&message.hybrid).expect("believed"),
                    self.vector.observe(&message.vector).expect("believed"),
                )
            }
        };
        self.knows.insert(number);
        Event {
            lamport,
            hybrid,
            vector,
            wall: self.machine.wall(),
            knows: self.knows.clone(),
        }
    }
}

/// Every event of a history, in the order in which they really happened.
fn history(skews: &[Offset], steps: &[Step], max_offset: Duration) -> Vec<Event> {
    let nodes = skews.iter().enumerate();
    let mut nodes: Vec<_> = nodes
        .map(|(n, &skew)| Node::new(n, skew, max_offset))
        .collect();
    let (mut events, mut sent): (Vec<Event>, Vec<usize>) = (Vec::new(), Vec::new());
    for &step in steps {
        let number = events.len();
        match step {
            Step::Local(n) => events.push(nodes[n].event(number, None)),
            Step::Send(n) => {
                events.push(nodes[n].event(number, None));
                sent.push(number);
            }
            Step::Receive(n, which) if !sent.is_empty() => {
                let message = events[sent[which % sent.len()]].clone();
                events.push(nodes[n].event(number, Some(&message)));
            }
            Step::Receive(..) => {}
            Step::Wait(by) => nodes.iter().for_each(|node| node.machine.advance(by)),
            Step::Jump(n, by) => nodes[n].machine.jump(by),
        }
    }
    events
}

proptest! {
    #[test]
    fn stamps_keep_the_order_of_events_and_vectors_know_it(
        skews in vec(offset(100), NODES),
        steps in vec(step(100), 0..80),
    ) {
        let events = history(&skews, &steps, FOREVER);
        for (a, one) in events.iter().enumerate() {
            for (b, other) in events.iter().enumerate().filter(|&(b, _)| b != a) {
                let is_before = one.happened_before(a, other, b);
                if is_before {
                    prop_assert!(one.lamport < other.lamport);
                    prop_assert!(one.hybrid < other.hybrid);
                }
                prop_assert_eq!(one.vector < other.vector, is_before);
                let is_after = other.happened_before(b, one, a);
                prop_assert_eq!(one.vector.concurrent(&other.vector), !is_before && !is_after);
                prop_assert!(one.lamport != other.lamport && one.hybrid != other.hybrid);
            }
        }
    }

    #[test]
    fn a_hybrid_stamp_is_the_latest_time_of_day_that_was_known(
        skews in vec(offset(100), NODES),
        steps in vec(step(100), 0..80),
    ) {
        let events = history(&skews, &steps, FOREVER);
        for event in &events {
            let known = event.knows.iter().map(|&n| &events[n]);
            let latest = known.clone().map(|known| known.wall).max();
            prop_assert_eq!(Some(event.hybrid.wall()), latest);
            prop_assert!(event.hybrid.wall() >= event.wall);
            // The counter is bounded by the events that share its time of day.
            let shared = known.filter(|known| known.hybrid.wall() == event.hybrid.wall());
            prop_assert!((event.hybrid.count() as usize) < shared.count());
        }
    }

    #[test]
    fn a_hybrid_clock_is_ahead_by_no_more_than_the_clocks_are_apart(
        skews in vec(offset(100), NODES),
        steps in vec(step(0), 0..80),
    ) {
        let apart = *skews.iter().max().expect("nodes") - *skews.iter().min().expect("nodes");
        // No honest stamp is refused then: `history` would panic.
        for event in history(&skews, &steps, apart.abs()) {
            prop_assert!(event.hybrid.wall() - event.wall <= apart);
        }
    }

    #[test]
    fn a_hybrid_clock_goes_on_whatever_becomes_of_its_machine(
        jumps in vec((any::<i64>(), any::<bool>(), any::<i64>(), any::<u32>()), 0..40),
    ) {
        let machine = ManualClock::new();
        let clock = Hybrid::over(machine.clone(), node("a")).max_offset(FOREVER);
        let mut before = clock.tick();
        for (wall, is_set, theirs, count) in jumps {
            if is_set {
                machine.set_wall(Wall::from_nanos(wall));
            }
            let remote = HybridStamp::new(Wall::from_nanos(theirs), count, node("b"));
            let after = clock.observe(&remote).expect("believed");
            prop_assert!(after > before && after > remote && after.wall() >= machine.wall());
            before = clock.tick();
            prop_assert!(before > after);
            let restarted = Hybrid::over(machine.clone(), node("a")).starting_after(before);
            prop_assert!(restarted.tick() > before);
        }
    }

    #[test]
    fn a_stamp_from_too_far_ahead_is_refused_and_moves_nothing(
        ahead in -3_000_000_000..3_000_000_000i64,
        behind in 0..3_000_000_000i64,
        count in any::<u32>(),
    ) {
        let machine = ManualClock::new();
        let clock = Hybrid::over(machine.clone(), node("a"));
        let own = clock.tick();
        machine.jump(Offset::from_nanos(-behind));
        let remote = HybridStamp::new(Wall::from_nanos(ahead), count, node("b"));
        let apart = Duration::from_nanos((ahead + behind).unsigned_abs());
        // A clock that was set back refuses nothing that takes it nowhere.
        let is_refused = ahead > 0 && apart > Duration::from_millis(500);
        match clock.observe(&remote) {
            Ok(_) => prop_assert!(!is_refused),
            Err(e) => {
                prop_assert!(is_refused);
                prop_assert_eq!(e, Refused::TooFarAhead { ahead: apart, most: Hybrid::MAX_OFFSET });
                prop_assert_eq!(clock.tick(), HybridStamp::new(own.wall(), own.count() + 1, own.node()));
            }
        }
    }

    #[test]
    fn merging_is_a_join(a in vector(), b in vector(), c in vector()) {
        let join = |a: &VersionVector, b: &VersionVector| a.merged(b).expect("few nodes");
        let ab = join(&a, &b);
        prop_assert_eq!(&ab, &join(&b, &a), "commutative");
        prop_assert_eq!(join(&ab, &c), join(&a, &join(&b, &c)), "associative");
        prop_assert_eq!(&join(&a, &a), &a, "idempotent");
        prop_assert!(a <= ab && b <= ab, "an upper bound");
        prop_assert!(!(a <= c && b <= c) || ab <= c, "the least one");
        let upper = join(&ab, &c);
        prop_assert!(a <= upper && b <= upper && ab <= upper);
        prop_assert_eq!(a <= b, join(&a, &b) == b, "the order is that of the join");
    }

    #[test]
    fn each_stamp_has_one_text(
        count in any::<u64>(), wall in any::<i64>(), c in any::<u32>(), name in "[a-zA-Z0-9._-]{1,36}", v in vector(),
    ) {
        let (id, wall) = (node(&name), Wall::from_nanos(wall));
        let (lamport, hybrid) = (LamportStamp::new(count, id), HybridStamp::new(wall, c, id));
        prop_assert_eq!(lamport.to_string().parse(), Ok(lamport));
        prop_assert_eq!(hybrid.to_string().parse(), Ok(hybrid));
        prop_assert_eq!(v.to_string().parse(), Ok(v));
    }

    #[test]
    fn what_is_read_is_printed_as_it_was(text in prop_oneof![
        any::<String>(),
        "-?[0-9]{0,21}(\\.[0-9]{0,11})?@[a-z@]{0,3}",
        "([ab]{0,2}=[0-9]{0,3},?){0,4}",
    ]) {
        if let Ok(stamp) = text.parse::<LamportStamp>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
        if let Ok(stamp) = text.parse::<HybridStamp>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
        if let Ok(stamp) = text.parse::<VersionVector>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
    }
}

fn vector() -> impl Strategy<Value = VersionVector> {
    proptest::collection::btree_map("[a-d]", 1..4u64, 0..4).prop_map(|counts| {
        let entries = counts.iter().map(|(node, count)| format!("{node}={count}"));
        let text = entries.collect::<Vec<_>>().join(",");
        let text = if text.is_empty() { "0" } else { &text };
        text.parse().expect("a vector")
    })
}

/// A vector of so many nodes.
fn wide(nodes: usize) -> String {
    let entries = (0..nodes).map(|n| format!("n{n:03}=1"));
    entries.collect::<Vec<_>>().join(",")
}

#[test]
fn a_smaller_lamport_stamp_does_not_mean_before() {
    let (a, b) = (Lamport::new(node("a")), Lamport::new(node("b")));
    let (one, _, three) = (a.tick(), b.tick(), b.tick());
    assert!(one < three, "though neither knows of the other");
}

#[test]
fn a_text_that_is_no_stamp_is_refused_with_a_remedy() {
    let long = "9".repeat(10_000);
    for text in [
        "",
        "17",
        "@a",
        "17@",
        "017@a",
        "+17@a",
        "-1@a",
        "17@a@b",
        "17@a b",
        " 17@a",
        "18446744073709551616@a",
        "17@näme",
        &long,
    ] {
        let e = text.parse::<LamportStamp>().expect_err(text).to_string();
        assert!(e.contains("`17@web`") && e.len() < 300, "{e}");
    }
    for text in [
        "",
        "1@a",
        "1.2",
        "-0.1@a",
        "01.2@a",
        "1.02@a",
        "1.4294967296@a",
        "9223372036854775808.0@a",
        "1.-2@a",
        ".@a",
        &long,
    ] {
        let e = text.parse::<HybridStamp>().expect_err(text).to_string();
        assert!(e.contains(".2@web`") && e.len() < 300, "{e}");
    }
    for text in [
        "", "a", "a=0", "a=", "=1", "b=1,a=1", "a=1,a=2", "a=1,", ",a=1", "a=01", "a=1=2", "00",
        &long,
    ] {
        let e = text.parse::<VersionVector>().expect_err(text).to_string();
        assert!(e.contains("`bank=2,web=1`") && e.len() < 300, "{e}");
    }
    for e in [
        long.parse::<LamportStamp>().err(),
        long.parse::<HybridStamp>().err(),
        long.parse::<VersionVector>().err(),
    ] {
        let e = e.expect("too long");
        assert!(e.remedy.starts_with("at most "), "before it is parsed: {e}");
    }
    let e = wide(VersionVector::MOST_NODES + 1).parse::<VersionVector>();
    assert!(
        e.expect_err("one too many")
            .to_string()
            .contains("at most 128 nodes")
    );
}

#[test]
fn a_vector_has_a_bound_and_keeps_a_place_for_itself() {
    let most = VersionVector::MOST_NODES;
    let clock = Vector::new(node("own"));
    let full: VersionVector = wide(most).parse().expect("as many as allowed");
    let refused = Refused::TooManyNodes {
        nodes: most + 1,
        most,
    };
    assert_eq!(clock.observe(&full), Err(refused));
    assert_eq!(clock.tick().to_string(), "own=1", "not moved");
    let beside: VersionVector = wide(most - 1).parse().expect("few enough");
    assert!(clock.observe(&beside).is_ok());
    assert_eq!(clock.tick().count(node("own")), 3);
    assert_eq!(clock.observe(&full), Err(refused));
    let other = "z=1".parse().expect("a vector");
    assert_eq!(clock.observe(&other), Err(refused));
    assert_eq!(full.clone().tick(node("own")), Err(refused));
    assert!(full.merged(&full).is_ok());
    assert_eq!(
        full.merged(&"own=1".parse().expect("a vector")),
        Err(refused)
    );
    assert!(Vector::starting_after(node("own"), full).is_err());
}

#[test]
fn a_vector_clock_survives_its_restart_and_absurd_counts() {
    let clock = Vector::new(node("a"));
    clock.tick();
    let last = clock.clone().tick();
    let restarted = Vector::starting_after(node("a"), last.clone()).expect("room");
    assert!(restarted.tick() > last);
    let absurd: VersionVector = "a=9223372036854775808".parse().expect("a vector");
    assert!(matches!(
        restarted.observe(&absurd),
        Err(Refused::TooHigh { .. })
    ));
    assert_eq!(restarted.tick().to_string(), "a=4");
}

/// Threads share one clock: no stamp is given twice, and each thread's own only rise.
#[test]
fn clones_on_threads_are_one_clock() {
    fn stamps<L: LogicalClock + Clone>(clock: &L) -> Vec<String> {
        std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| {
                let clock = clock.clone();
                scope.spawn(move || {
                    let stamps: Vec<_> = (0..500).map(|_| clock.tick()).collect();
                    assert!(stamps.is_sorted_by(|a, b| a < b));
                    stamps.iter().map(ToString::to_string).collect::<Vec<_>>()
                })
            });
            let joined = threads.map(|thread| thread.join().expect("no panic"));
            joined.concat()
        })
    }
    let machine = ManualClock::new();
    for mut all in [
        stamps(&Lamport::new(node("a"))),
        stamps(&Hybrid::over(machine, node("a"))),
        stamps(&Vector::new(node("a"))),
    ] {
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 2000);
    }
}

#[test]
fn a_hybrid_clock_over_the_systems_time_of_day_is_a_date() {
    let stamp = Hybrid::new(node("a")).tick();
    let now = murphy_core::SystemClock::new().wall();
    assert!((now - stamp.wall()).abs() < 3600 * SECOND, "{stamp}");
}

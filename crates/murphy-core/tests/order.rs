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
}

#[test]
fn a_smaller_lamport_stamp_does_not_mean_before() {
    let (a, b) = (Lamport::new(node("a")), Lamport::new(node("b")));
    let (one, _, three) = (a.tick(), b.tick(), b.tick());
    assert!(one < three, "though neither knows of the other");
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

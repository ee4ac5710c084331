//! A log of several machines, sorted by their clocks: wrong, unless it happens to be right. Logical
//! clocks sort it as it happened. Fails if a sort comes out otherwise. Time is virtual.
use std::time::Duration;

use anyhow::ensure;
use murphy_core::clock::{Clock, Offset, SkewedClock, Wall};
use murphy_core::order::{
    Hybrid, HybridStamp, Lamport, LamportStamp, LogicalClock, Refused, Vector, VersionVector,
};

const SECOND: Duration = Duration::from_secs(1);

/// A line of the log, stamped by each of its machine's clocks.
#[derive(Clone, Debug)]
struct Event {
    name: &'static str,
    wall: Wall,
    lamport: LamportStamp,
    hybrid: HybridStamp,
    vector: VersionVector,
}

struct Machine {
    clock: SkewedClock,
    lamport: Lamport,
    hybrid: Hybrid<SkewedClock>,
    vector: Vector,
}

impl Machine {
    fn new(name: &str, offset: Offset) -> anyhow::Result<Self> {
        let clock = SkewedClock::new();
        clock.set_wall("2024-01-01T10:00:00Z".parse::<Wall>()? + offset);
        let node = name.parse()?;
        Ok(Self {
            lamport: Lamport::new(node),
            // By default 500 ms: a clock that is a second off would not be listened to.
            hybrid: Hybrid::over(clock.clone(), node).max_offset(2 * SECOND),
            vector: Vector::new(node),
            clock,
        })
    }

    /// Writes an event, having heard of another one or of none.
    fn log(&self, name: &'static str, heard: Option<&Event>) -> anyhow::Result<Event> {
        Ok(Event {
            name,
            wall: self.clock.wall(),
            lamport: stamp(&self.lamport, heard.map(|e| &e.lamport))?,
            hybrid: stamp(&self.hybrid, heard.map(|e| &e.hybrid))?,
            vector: stamp(&self.vector, heard.map(|e| &e.vector))?,
        })
    }
}

fn stamp<L: LogicalClock>(clock: &L, heard: Option<&L::Stamp>) -> Result<L::Stamp, Refused> {
    heard.map_or_else(|| Ok(clock.tick()), |remote| clock.observe(remote))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let (fast, right, slow) = (Offset::ahead(SECOND), Offset::ZERO, Offset::behind(SECOND));
    for (title, first, second, by_wall) in [
        (
            "The second one's clock is fast, as in the chapter",
            right,
            fast,
            "AB",
        ),
        ("The second one's clock is slow", right, slow, "BA"),
        ("The first one's clock is fast", fast, right, "BA"),
    ] {
        let (one, other) = (Machine::new("one", first)?, Machine::new("other", second)?);
        let a = one.log("A", None)?;
        tokio::time::sleep(SECOND / 10).await;
        let b = other.log("B", Some(&a))?;
        let unheard = Machine::new("third", right)?.log("C", None)?;
        println!("{title}: A, then B, which has heard of A");
        show(&a);
        show(&b);
        let log = [a.clone(), b.clone()];
        let wall = sorted(&log, |e| e.wall);
        let lamport = sorted(&log, |e| e.lamport);
        let hybrid = sorted(&log, |e| e.hybrid);
        println!("  by time of day {wall}, by Lamport {lamport}, by hybrid clock {hybrid}");
        let is_before = a.vector < b.vector;
        let is_apart = unheard.vector.concurrent(&a.vector) && unheard.vector.concurrent(&b.vector);
        println!(
            "  by vector clock A is before B: {is_before}; C, which nobody told, is concurrent: {is_apart}\n"
        );
        ensure!(
            wall == by_wall,
            "the time of day misled otherwise than it should: {wall}"
        );
        ensure!(
            lamport == "AB" && hybrid == "AB",
            "a logical clock is wrong"
        );
        ensure!(is_before && is_apart, "a vector clock is wrong");
    }
    Ok(())
}

/// The chapter's `get_sorted_events`.
fn sorted<K: Ord>(log: &[Event], stamp: impl Fn(&Event) -> K) -> String {
    let mut log = log.to_vec();
    log.reverse(); // what arrived first is of no account
    log.sort_by_key(stamp);
    log.iter().map(|event| event.name).collect()
}

fn show(event: &Event) {
    let Event {
        name,
        wall,
        lamport,
        hybrid,
        vector,
    } = event;
    let (day, count) = (hybrid.wall(), hybrid.count());
    println!("  {name}  {wall:.3}  {lamport:<8} {day:.3}+{count}  {vector}");
}

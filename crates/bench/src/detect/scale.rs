//! A million nodes: what a beat costs, what a node weighs, whether crashes are found on time. Beside the crates that
//! are out there, in the same run.
//!
//! chitchat's detector is private to it, and cannot be called from here.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use murphy_detect::detector::{Adaptive, Chen, Fixed, Phi, Span};
use murphy_detect::{Beat, Detector, Event, Heartbeat, Moment, Monitor, Pulse, Slot};
use phi_accrual_failure_detector::{Detector as _, UnsyncDetector};
use phi_detector::PingWindow;
use tokio::time::Instant;

use super::verdicts::{Verdicts, grid};

/// Bytes that are allocated now.
pub type Allocated = fn() -> usize;

const NODES: u32 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
/// Polls in a second of the monitor's.
const POLLS: u32 = 100;
const CRASHES: u32 = 10_000;

/// Every number below a power of two once, in an order that no cache guesses.
fn shuffled(nodes: u32) -> impl Iterator<Item = u32> {
    (0..nodes).map(move |n| {
        let mixed = n.wrapping_mul(0x9E37_79B1) & (nodes - 1);
        (mixed ^ (mixed >> 7)).wrapping_mul(0x85EB_CA6B) & (nodes - 1)
    })
}

/// What was measured of one: nanoseconds a beat, and bytes a node.
type Cost = (f64, f64);

/// `beat` of all nodes in `rounds`, of which the last `timed` are.
fn cost<T>(
    allocated: Allocated,
    nodes: u32,
    (rounds, timed): (u32, u32),
    make: impl Fn() -> T,
    mut beat: impl FnMut(&mut T, u32),
) -> Cost {
    let before = allocated();
    let mut all: Vec<T> = (0..nodes).map(|_| make()).collect();
    let mut began = Instant::now();
    for round in 0..rounds {
        if round == rounds - timed {
            began = Instant::now();
        }
        for node in shuffled(nodes) {
            beat(&mut all[node as usize], round);
        }
    }
    let ns = began.elapsed().as_nanos() as f64 / (f64::from(timed) * f64::from(nodes));
    let bytes = (allocated() - before) as f64 / f64::from(nodes);
    black_box(&all);
    (ns, bytes)
}

fn detector<D: Detector>(
    allocated: Allocated,
    detector: &D,
    nodes: u32,
    rounds: (u32, u32),
) -> Cost {
    let make = || (detector.start(), Moment::ZERO);
    cost(
        allocated,
        nodes,
        rounds,
        make,
        |(state, deadline), round| {
            let sent = Moment::after(SECOND * round);
            let at = sent.plus(Duration::from_micros(u64::from(round * 7919 % 20_000)));
            let beat = Beat {
                at,
                sent,
                seq: round.into(),
                interval: SECOND,
                ends_outage: at >= *deadline,
            };
            *deadline = detector.observe(state, &beat);
        },
    )
}

/// All of it.
pub fn measure(allocated: Allocated, verdicts: &mut Verdicts) -> String {
    let chen = Chen::new(Span::fixed(SECOND * 2));
    let fixed = Fixed::try_new(SECOND * 4).expect("a timeout");
    let (many, few) = ((40, 4), (1100, 20));
    let peer = (110, 20);
    let costs = [
        (
            "murphy",
            "adaptive, 2^20 nodes",
            detector(allocated, &Adaptive::default(), NODES, many),
        ),
        (
            "murphy",
            "fixed, 2^20 nodes",
            detector(allocated, &fixed, NODES, many),
        ),
        (
            "murphy",
            "chen n=32, 2^20 nodes",
            detector(allocated, &chen, NODES, many),
        ),
        (
            "murphy",
            "phi n=1000, 2^14 nodes",
            detector(allocated, &Phi::akka(), 1 << 14, few),
        ),
        (
            "phi-accrual-failure-detector",
            "n=100, 2^16 nodes",
            cost(allocated, 1 << 16, peer, UnsyncDetector::default, |d, _| {
                d.heartbeat()
            }),
        ),
        (
            "phi-detector",
            "running sums and a clock, 2^20 nodes",
            cost(
                allocated,
                NODES,
                (8, 4),
                || (PingWindow::new(SECOND), Instant::now()),
                |(window, last), _| {
                    let now = Instant::now();
                    window.add_ping(now - std::mem::replace(last, now));
                },
            ),
        ),
    ];
    let mut rows = Vec::new();
    for (subject, what, (ns, bytes)) in costs {
        verdicts.note("detect.beat.ns", subject, ns, "ns", what);
        verdicts.note("detect.node.bytes", subject, bytes, "bytes", what);
        rows.push(vec![
            format!("{subject}: {what}"),
            format!("{ns:.0}"),
            format!("{:.1}", 1e3 / ns),
            format!("{bytes:.0}"),
        ]);
    }
    rows.extend(monitor(allocated, verdicts));
    let heading = ["one core", "ns a beat", "million beats/s", "bytes a node"];
    grid(&heading.map(str::to_owned), &rows)
}

/// A monitor with a million nodes, the timers that it keeps, and ten thousand crashes.
fn monitor(allocated: Allocated, verdicts: &mut Verdicts) -> Vec<Vec<String>> {
    let before = allocated();
    let room = NonZeroU32::new(NODES).expect("some");
    let mut monitor: Monitor<u32> = Monitor::default().max_nodes(room).with_room_for(NODES);
    let mut slots: Vec<Option<Slot>> = vec![None; NODES as usize];
    let of_ours = slots.capacity() * size_of::<Option<Slot>>();
    let mut spent = Spent::default();
    let mut now = Moment::ZERO;
    // The first beats are found by name, then three rounds by name, and seven by slot.
    for round in 0..11 {
        let known = round >= 4;
        for (nth, node) in (0_u32..).zip(shuffled(NODES)) {
            if nth.is_multiple_of(NODES / POLLS) {
                now = Moment::after(
                    SECOND * round + SECOND / POLLS * (nth / (NODES / POLLS)).min(POLLS - 1),
                );
                spent.poll(&mut monitor, now);
                spent.begin(known, round > 0);
            }
            let pulse = Pulse {
                incarnation: 1,
                seq: round.into(),
                sent: now,
                interval: SECOND,
            };
            let slot = &mut slots[node as usize];
            match (known, *slot) {
                (true, Some(slot)) => monitor.record_at(slot, now, &pulse).expect("a beat"),
                _ => {
                    let Pulse {
                        incarnation,
                        seq,
                        sent,
                        interval,
                    } = pulse;
                    let beat = Heartbeat {
                        node,
                        incarnation,
                        seq,
                        sent,
                        interval,
                    };
                    *slot = Some(monitor.record_heartbeat(now, &beat).expect("a beat"));
                }
            }
        }
        spent.end();
    }
    let bytes = (allocated() - before - of_ours) as f64 / f64::from(NODES);
    let (by_name, by_slot, timers) = spent.figures();
    verdicts.note(
        "detect.monitor.beat.ns",
        "murphy",
        by_name,
        "ns",
        "by name, 2^20 nodes in random order",
    );
    verdicts.note(
        "detect.monitor.beat_at.ns",
        "murphy",
        by_slot,
        "ns",
        "by slot, 2^20 nodes in random order",
    );
    verdicts.note(
        "detect.monitor.beats",
        "murphy",
        1e3 / by_slot,
        "million/s",
        "by slot, one core",
    );
    verdicts.note(
        "detect.monitor.timers",
        "murphy",
        timers,
        "%",
        "of a core, at 2^20 beats a second, 100 polls a second",
    );
    verdicts.expect(
        "detect.monitor.bytes",
        "murphy",
        bytes,
        "bytes",
        &(0.0..=200.0),
    );
    let found = crashes(&mut monitor, &slots, now);
    verdicts.expect(
        "detect.monitor.crashes_on_time",
        "murphy",
        f64::from(found),
        "nodes",
        &(f64::from(CRASHES)..=f64::from(CRASHES)),
    );
    let row = |what: &str, ns: f64, bytes: &str| {
        vec![
            what.to_owned(),
            format!("{ns:.0}"),
            format!("{:.1}", 1e3 / ns),
            bytes.to_owned(),
        ]
    };
    vec![
        row(
            "murphy: whole monitor, by name",
            by_name,
            &format!("{bytes:.0}"),
        ),
        row(
            "murphy: whole monitor, by slot",
            by_slot,
            &format!("{bytes:.0}"),
        ),
        vec![
            format!("timers: {timers:.2} % of a core; {found} of {CRASHES} crashes found on time"),
            String::new(),
            String::new(),
            String::new(),
        ],
    ]
}

/// Ten thousand nodes stop, the others beat on: how many are found at the first poll after their deadline.
fn crashes(monitor: &mut Monitor<u32>, slots: &[Option<Slot>], crash: Moment) -> u32 {
    let dead =
        |node: u32| node.is_multiple_of(NODES / CRASHES) && node / (NODES / CRASHES) < CRASHES;
    let deadlines: Vec<Moment> = (0..NODES)
        .filter(|node| dead(*node))
        .map(|node| crash.plus(monitor.time_to_suspect(&node, crash).unwrap_or_default()))
        .collect();
    let poll = SECOND / POLLS;
    let mut found = 0;
    for tick in 1..=5 * POLLS {
        let now = crash.plus(poll * tick);
        while let Some(event) = monitor.poll(now) {
            if let Event::Down { node, .. } = event {
                let deadline = deadlines.get((node / (NODES / CRASHES)) as usize).copied();
                let on_time = deadline.is_some_and(|d| d <= now && now.since(d) < poll);
                found += u32::from(dead(node) && on_time);
            }
        }
        for node in (tick - 1..NODES)
            .step_by(POLLS as usize)
            .filter(|node| !dead(*node))
        {
            let seq = u64::from(11 + tick / POLLS);
            let pulse = Pulse {
                incarnation: 1,
                seq,
                sent: now,
                interval: SECOND,
            };
            if let Some(slot) = slots[node as usize] {
                // The last round may begin with one that is known.
                _ = monitor.record_at(slot, now, &pulse);
            }
        }
    }
    found
}

/// Where the time went.
#[derive(Debug, Default)]
struct Spent {
    polls: Duration,
    seconds: f64,
    by_name: Duration,
    by_slot: Duration,
    running: Option<(bool, Instant)>,
}

impl Spent {
    fn poll(&mut self, monitor: &mut Monitor<u32>, now: Moment) {
        self.end();
        let began = Instant::now();
        while let Some(event) = monitor.poll(now) {
            black_box(event);
        }
        self.polls += began.elapsed();
    }

    /// The first round makes the nodes, and tells of each: that is no round like the others.
    fn begin(&mut self, known: bool, counts: bool) {
        if counts {
            self.running = Some((known, Instant::now()));
            self.seconds += 1.0 / f64::from(POLLS);
        } else {
            self.polls = Duration::ZERO;
        }
    }

    fn end(&mut self) {
        if let Some((known, began)) = self.running.take() {
            let spent = if known {
                &mut self.by_slot
            } else {
                &mut self.by_name
            };
            *spent += began.elapsed();
        }
    }

    /// Nanoseconds a beat by name and by slot, and the share of a core that polls take, in percent.
    fn figures(&self) -> (f64, f64, f64) {
        let beats = |rounds: f64| rounds * f64::from(NODES);
        let by_name = self.by_name.as_nanos() as f64 / beats(3.0);
        let by_slot = self.by_slot.as_nanos() as f64 / beats(7.0);
        (
            by_name,
            by_slot,
            100.0 * self.polls.as_secs_f64() / self.seconds,
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_number_comes_once() {
        let mut all: Vec<u32> = super::shuffled(1 << 12).collect();
        all.sort_unstable();
        assert!(all.iter().zip(0..).all(|(n, nth)| *n == nth));
    }
}

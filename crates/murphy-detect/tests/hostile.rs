//! A monitor that is told nonsense, at times that are nonsense.

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use common::{fixed, ms};
use murphy_detect::detector::{Chen, Exponential, Phi, Span, TwoWindow};
use murphy_detect::{
    Adaptive, Detector, Event, Guard, Heartbeat, Liveness, Moment, Monitor, SafeMode,
};
use proptest::prelude::*;

/// More nodes than there is room for.
const NODES: u8 = 5;
const ROOM: u32 = 3;
/// After 146 years; what saturates after 584 is another matter.
const LATE: Moment = Moment::from_nanos(1 << 62);

#[derive(Clone, Copy, Debug)]
enum Do {
    Hear(u8, u64, u64, u64, u64),
    Touch(u8),
    Poll,
    /// Only one event is taken.
    Glance,
    Convict,
}

/// Numbers of all sizes.
fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4u64,
        1 => any::<u64>(),
        1 => (0..3u64).prop_map(|n| u64::MAX - n),
        1 => (0..64u32).prop_map(|bits| 1 << bits),
    ]
}

/// Spans that matter, and those that nobody means.
fn any_span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        4 => (0..30_000u64).prop_map(ms),
        1 => any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn any_do() -> impl Strategy<Value = Do> {
    let interval = prop_oneof![9 => Just(1_000_000_000), 1 => any_number()];
    let hear = (0..NODES, any_number(), any_number(), any_number(), interval);
    prop_oneof![
        6 => hear.prop_map(|(node, life, seq, sent, interval)| Do::Hear(node, life, seq, sent, interval)),
        1 => (0..NODES).prop_map(Do::Touch),
        4 => Just(Do::Poll),
        1 => Just(Do::Glance),
        1 => Just(Do::Convict),
    ]
}

/// A step of time: mostly on, sometimes back, and sometimes to the end.
fn any_step() -> impl Strategy<Value = (i64, Do)> {
    let step = prop_oneof![
        8 => 0..3_000_000_000i64,
        4 => Just(0),
        2 => 0..200_000_000_000i64,
        1 => -5_000_000_000i64..0,
        1 => Just(i64::MAX),
    ];
    (step, any_do())
}

/// Whether `event` can follow what was told of this node last.
fn follows(before: Option<&Event<u8>>, event: &Event<u8>) -> bool {
    use Event::{Down, Forgotten, Suspect, Trusted, Up};
    match event {
        Up { .. } => matches!(before, None | Some(Down { .. } | Forgotten { .. })),
        Suspect { .. } => matches!(before, Some(Up { .. } | Trusted { .. })),
        Trusted { .. } | Down { .. } => matches!(before, Some(Suspect { .. })),
        Forgotten { .. } => matches!(before, Some(Down { .. })),
        _ => true,
    }
}

fn bears<D: Detector>(
    mut monitor: Monitor<u8, D>,
    steps: &[(i64, Do)],
) -> Result<(), TestCaseError> {
    monitor = monitor.max_nodes(NonZeroU32::new(ROOM).unwrap());
    let (mut now, mut told) = (Moment::ZERO, BTreeMap::new());
    let mut latest = now;
    for &(step, what) in steps {
        now = Moment::from_nanos(now.as_nanos().saturating_add_signed(step));
        latest = latest.max(now);
        let mut take = |monitor: &mut Monitor<u8, D>| {
            let event = monitor.poll(now);
            if let Some((event, node)) = event.as_ref().and_then(|e| Some((e, *e.node()?))) {
                if !matches!(event, Event::Restarted { .. }) {
                    prop_assert!(
                        follows(told.get(&node), event),
                        "{:?} {:?}",
                        told.get(&node),
                        event
                    );
                    told.insert(node, event.clone());
                }
            }
            Ok(event.is_some())
        };
        match what {
            Do::Hear(node, incarnation, seq, sent, interval) => {
                let _ = monitor.record_heartbeat(
                    now,
                    &Heartbeat {
                        node,
                        incarnation,
                        seq,
                        sent: Moment::from_nanos(sent),
                        interval: Duration::from_nanos(interval),
                    },
                );
            }
            Do::Touch(node) => drop(monitor.touch(now, &node)),
            Do::Convict => monitor.convict(now),
            Do::Glance => drop(take(&mut monitor)?),
            Do::Poll => {
                let mut events = 0;
                while take(&mut monitor)? {
                    events += 1;
                    prop_assert!(events < 1000, "it never ends");
                }
                // Else whoever polls when told spins.
                if now == latest && now < LATE {
                    prop_assert!(monitor.next_deadline().is_none_or(|next| next > now));
                }
            }
        }
        let tally = monitor.tally();
        let known = monitor.nodes(now).count();
        prop_assert_eq!((tally.alive + tally.suspect + tally.dead) as usize, known);
        prop_assert!(known <= ROOM as usize);
        for node in 0..NODES {
            let level = monitor.level(&node, now);
            prop_assert!(level.is_none_or(|level| level.is_finite() && level >= 0.0));
            let is_known = monitor.liveness(&node, now) != Liveness::Unknown;
            prop_assert_eq!(is_known, level.is_some());
            let _ = monitor.time_to_suspect(&node, now);
        }
    }
    Ok(())
}

fn made<D: Detector>(
    detector: D,
    (dwell, forget, longest): (Duration, Duration, Duration),
    guard: Option<(Duration, Duration, Duration)>,
    safe: Option<Duration>,
) -> Monitor<u8, D> {
    let mut monitor = Monitor::new(detector)
        .suspect_for(dwell)
        .forget_after(forget, 2);
    monitor = monitor.longest_interval(longest);
    if let Some((tick, limit, grace)) = guard {
        monitor = monitor.guard(Guard::new().tick(tick).limit(limit).grace(grace));
    }
    match safe {
        Some(window) => monitor.safe_mode(SafeMode::new().least(1).window(window)),
        None => monitor,
    }
}

proptest! {
    #[test]
    fn whatever_it_is_told_a_monitor_stays_sane(
        spans in (any_span(), any_span(), any_span()),
        guard in prop::option::of((any_span(), any_span(), any_span())),
        safe in prop::option::of(any_span()),
        which in 0..6u8,
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let span = Span::fixed(ms(2000));
        match which {
            0 => bears(made(Adaptive::default(), spans, guard, safe), &steps)?,
            1 => bears(made(Phi::akka(), spans, guard, safe), &steps)?,
            2 => bears(made(Exponential::cassandra(), spans, guard, safe), &steps)?,
            3 => bears(made(Chen::new(span), spans, guard, safe), &steps)?,
            4 => bears(made(TwoWindow::new(span), spans, guard, safe), &steps)?,
            _ => bears(made(fixed(3000), spans, guard, safe), &steps)?,
        }
    }
}

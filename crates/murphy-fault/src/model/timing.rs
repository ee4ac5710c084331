//! A [`Timing`] as delays on links, and as parts of the network before it stabilises.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Distribution, Draw, Key, Lane, Point, Probability, Seed, Stream};

use super::Timing;
use super::error::BadModel;
use crate::Fault;
use crate::disturbance::Disturbance;

const MS: Duration = Duration::from_millis(1);

/// How often the parts are drawn, at most.
const MOST_EPOCHS: u64 = 16;

/// How many bounds long an epoch is, where there is time.
const BOUNDS_PER_EPOCH: u64 = 20;

pub(super) fn check(timing: Timing) -> Result<(), BadModel> {
    match timing {
        Timing::Synchronous { delta } => BadModel::unless_within("delta", delta, MS),
        Timing::PartiallySynchronous { gst, delta } => {
            BadModel::unless_within("delta", delta, MS)?;
            BadModel::unless_within("gst", gst, 4 * MS)
        }
        Timing::Asynchronous { typical } => BadModel::unless_within("typical", typical, MS),
    }
}

/// What delays the two legs of a link.
pub(super) fn faults(timing: Timing) -> [Fault; 2] {
    let by = match timing {
        Timing::Synchronous { delta } | Timing::PartiallySynchronous { delta, .. } => {
            // Timers round up to whole milliseconds: to the bound, and not past it.
            Distribution::uniform(Duration::ZERO, Duration::from_millis(millis(delta)))
        }
        // The median of a tail of shape 1 is twice its least.
        Timing::Asynchronous { typical } => Distribution::pareto(typical / 2, 1.0),
    };
    let by = by.unwrap_or_else(|e| unreachable!("the timing was checked: {e}"));
    [
        Fault::latency(by.clone(), Probability::ALWAYS).named("model.request"),
        Fault::slow_reply(by, Probability::ALWAYS).named("model.reply"),
    ]
}

/// Before the network stabilises: who does not hear whom, and when.
pub(super) fn parts(
    timing: Timing,
    members: &[Arc<str>],
    nodes: &[Arc<str>],
    seed: Seed,
) -> Vec<Disturbance> {
    let Timing::PartiallySynchronous { gst, delta } = timing else {
        return Vec::new();
    };
    // Over a millisecond early, so that no message sent at that very instant finds a cut.
    let end = millis(gst) - 1;
    let count = end / millis(delta).saturating_mul(BOUNDS_PER_EPOCH).max(1);
    let count = count.clamp(2, MOST_EPOCHS);
    let mut all = Vec::new();
    for epoch in 0..count {
        let (from, until) = (end * epoch / count, end * (epoch + 1) / count);
        let last = epoch + 1 == count;
        for part in split(members, nodes, seed, epoch) {
            let rest: Vec<_> = nodes.iter().filter(|n| !part.contains(n)).collect();
            if rest.is_empty() {
                continue;
            }
            // Epochs overlap by a millisecond, so that there is no moment between two.
            let (apart, over) = if last {
                (Disturbance::hold(&part, rest), 0)
            } else {
                (Disturbance::partition_oneway(&part, rest), 1)
            };
            let lasting = Duration::from_millis(until - from + over);
            all.push(apart.at(Duration::from_millis(from)).lasting(lasting));
        }
    }
    all
}

/// The nodes in parts of at most half of the members, and strangers anywhere.
fn split(members: &[Arc<str>], nodes: &[Arc<str>], seed: Seed, epoch: u64) -> Vec<Vec<Arc<str>>> {
    let draw = |node: &Arc<str>| -> Draw {
        let point = Point::keyed(Key::from(&**node), epoch);
        Stream::new(seed, "model", "parts", Lane::Active).at(point)
    };
    let mut order = members.to_vec();
    order.sort_by_key(|node| (draw(node).bits(), Arc::clone(node)));
    let half = (members.len() / 2).max(1);
    let mut parts: Vec<Vec<Arc<str>>> = order.chunks(half).map(<[_]>::to_vec).collect();
    // One part is left for strangers alone; a single member is heard by none of them.
    let first = usize::from(parts.len() == 1);
    parts.push(Vec::new());
    for stranger in nodes.iter().filter(|n| !members.contains(n)) {
        let at = scaled(draw(stranger), (parts.len() - first) as u64);
        parts[first + at as usize].push(Arc::clone(stranger));
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whole milliseconds.
pub(super) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// A draw as a number below `n`.
pub(super) fn scaled(draw: Draw, n: u64) -> u64 {
    ((u128::from(draw.bits()) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<Arc<str>> {
        (0..n).map(|i| format!("n{i}").into()).collect()
    }

    #[test]
    fn no_part_has_a_majority_and_nobody_is_left_out() {
        for members in 1..=9 {
            let (all, clients) = (names(members + 3), 3);
            for epoch in 0..50 {
                let of = &all[..members];
                let parts = split(of, &all, Seed::new(7), epoch);
                assert_eq!(parts.concat().len(), members + clients);
                for part in &parts {
                    let inside = part.iter().filter(|n| of.contains(n)).count();
                    let most = if members == 1 {
                        part.len()
                    } else {
                        members / 2
                    };
                    assert!(inside <= most, "{part:?} of {members}");
                }
                assert!(parts.len() > 1, "{parts:?}");
            }
        }
    }

    #[test]
    fn at_no_moment_before_the_end_are_all_parts_joined() {
        let ms = Duration::from_millis;
        for (gst, delta) in [(4, 1), (5, 9), (100, 1), (2_000, 10), (1 << 40, 3)] {
            let (gst, delta) = (ms(gst), ms(delta));
            let timing = Timing::PartiallySynchronous { gst, delta };
            let all = names(5);
            let apart = parts(timing, &all, &all, Seed::new(1));
            let mut spans: Vec<_> = apart.iter().map(|d| (d.at, d.end().unwrap())).collect();
            spans.sort_unstable();
            spans.dedup();
            assert!((2..=16).contains(&spans.len()), "{}", spans.len());
            let covered = spans.iter().fold(Duration::ZERO, |until, (from, to)| {
                assert!(*from <= until, "nobody is apart from {until:?} to {from:?}");
                until.max(*to)
            });
            assert_eq!(covered, gst - MS);
        }
    }
}

//! What is left of a long run: what was done, and a little around it.

use murphy_fault::Leg;

use super::{Row, What};

/// The most rows that a picture has, about.
const MOST_ROWS: usize = 240;
/// A run this short is shown whole.
const SHORT: usize = 30;
/// Rows that are shown around each eventful one.
const AROUND: usize = 2;
/// The fewest rows that are folded into one.
const FEWEST: usize = 4;

/// Folds what nothing was done to, and of what is still too much takes the beginning and the end.
pub(super) fn cut(rows: Vec<Row>) -> Vec<Row> {
    if rows.len() <= SHORT {
        return rows;
    }
    let eventful: Vec<bool> = rows.iter().map(|row| row.what.is_eventful()).collect();
    let kept: Vec<bool> = near(&eventful);
    let mut folded: Vec<Row> = Vec::new();
    let mut uneventful: Vec<Row> = Vec::new();
    for (row, kept) in rows.into_iter().zip(kept) {
        if !kept {
            uneventful.push(row);
            continue;
        }
        fold(&mut uneventful, &mut folded);
        folded.push(row);
    }
    fold(&mut uneventful, &mut folded);
    let over = folded.len().saturating_sub(MOST_ROWS);
    if over == 0 {
        return folded;
    }
    let tail = folded.split_off(folded.len() - MOST_ROWS / 2);
    let out = folded.split_off(MOST_ROWS / 2);
    folded.extend(out.first().map(|first| Row {
        at: first.at,
        what: What::LeftOut(out.len()),
    }));
    folded.extend(tail);
    folded
}

/// Which are eventful, or at most so far from one that is.
fn near(eventful: &[bool]) -> Vec<bool> {
    let mut near = vec![false; eventful.len()];
    for (at, _) in eventful.iter().enumerate().filter(|(_, is)| **is) {
        let to = (at + AROUND + 1).min(near.len());
        near[at.saturating_sub(AROUND)..to].fill(true);
    }
    near
}

fn fold(uneventful: &mut Vec<Row>, into: &mut Vec<Row>) {
    match uneventful.first() {
        Some(first) if uneventful.len() >= FEWEST => {
            let is_call =
                |row: &&Row| matches!(&row.what, What::Message(m) if m.leg == Leg::Request);
            let calls = uneventful.iter().filter(is_call).count();
            into.push(Row {
                at: first.at,
                what: What::Passed {
                    calls,
                    replies: uneventful.len() - calls,
                },
            });
        }
        _ => into.append(uneventful),
    }
    uneventful.clear();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::timeline::tests::{broken, secs, struck, watched};
    use crate::timeline::{Timeline, Tone};

    /// `n` calls, a second apart, of which those whose index is in `lost` lose their reply.
    fn run(n: u64, lost: impl Fn(u64) -> bool) -> Timeline {
        let calls = (0..n).map(|i| (i, watched("api->pay", i, secs(i))));
        let records: Vec<_> = calls
            .flat_map(|(i, call)| {
                let fault = lost(i).then(|| struck(&call, "loss", Leg::Reply, None));
                std::iter::once(call).chain(fault)
            })
            .collect();
        Timeline::new(&[], &records, &[], &broken(secs(n)))
    }

    fn passed(timeline: &Timeline) -> usize {
        let of = |row: &Row| match &row.what {
            What::Passed { calls: n, .. } | What::LeftOut(n) => *n,
            What::Message(m) if m.leg == Leg::Request => 1,
            _ => 0,
        };
        timeline.rows.iter().map(of).sum()
    }

    #[test]
    fn ten_thousand_calls_around_two_faults_are_a_dozen_rows() {
        let timeline = run(10_000, |i| i == 4_000 || i == 4_001);
        assert!(timeline.rows.len() < 20, "{:#?}", timeline.rows);
        assert_eq!(passed(&timeline), 10_000);
        let lost = |row: &&Row| matches!(&row.what, What::Message(m) if m.tone == Tone::Lost);
        assert_eq!(timeline.rows.iter().filter(lost).count(), 2);
        assert_eq!(timeline.rows.last().map(|r| &r.what), Some(&What::Broken));
    }

    #[test]
    fn too_many_faults_are_the_first_and_the_last_of_them() {
        let timeline = run(10_000, |_| true);
        assert!(timeline.rows.len() <= MOST_ROWS + 1);
        let left_out = timeline.rows.iter().filter_map(|row| match row.what {
            What::LeftOut(n) => Some(n),
            _ => None,
        });
        assert_eq!(left_out.sum::<usize>() + MOST_ROWS, 20_001);
        assert_eq!(timeline.rows.last().map(|r| &r.what), Some(&What::Broken));
    }

    #[test]
    fn a_short_run_is_shown_whole() {
        let timeline = run(20, |_| false);
        assert_eq!(timeline.rows.len(), 21);
    }

    proptest! {
        #[test]
        fn a_cut_is_bounded_keeps_the_order_and_counts_every_call(faults in proptest::collection::vec(any::<bool>(), 0..200)) {
            let few = |i: u64| faults[i as usize] && i % 7 == 0;
            let timeline = run(faults.len() as u64, few);
            prop_assert!(timeline.rows.len() <= MOST_ROWS + 1);
            prop_assert!(timeline.rows.is_sorted_by_key(|row| row.at));
            prop_assert_eq!(passed(&timeline), faults.len());
            prop_assert!(timeline.rows.iter().all(|row| row.at <= Duration::from_secs(faults.len() as u64)));
        }
    }
}

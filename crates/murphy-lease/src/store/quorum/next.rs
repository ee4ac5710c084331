//! [`next`]: what to do after a ballot that no majority recorded. Pure.

use std::time::Duration;

use super::ask::Said;
use crate::{Holder, LeaseReply, Rank};

/// The least that a caller is told to wait.
const LEAST: Duration = Duration::from_millis(1);

/// A round that found no majority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed<'a> {
    pub(super) said: &'a [Said],
    /// Ballots of the same caller: who holds one of them is none of his rivals.
    pub(super) ours: &'a [Rank],
    /// How many members there are, how many it takes, and how many cannot answer any more.
    pub(super) members: usize,
    pub(super) need: usize,
    pub(super) silent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another ballot, above this: at once if nobody else is at it.
    Again { above: Rank, at_once: bool },
    /// Another's lease is in the way.
    Held(Holder),
    /// Too many do not answer.
    Silent,
}

/// What to do now.
///
/// A lease that stands in the way is of *one* rank: rivals who split the members between them, and of whom none has a
/// majority, are no lease, and take their ballots back.
pub(super) fn next(failed: Failed<'_>) -> Next {
    let blocking = failed.members - failed.need + 1;
    if failed.silent >= blocking {
        return Next::Silent;
    }
    let rivals = failed.rivals();
    let ranks = || rivals.iter().map(|holder| holder.rank);
    let is_one = ranks().min() == ranks().max();
    if !rivals.is_empty() && rivals.len() + failed.silent >= blocking && is_one {
        return Next::Held(failed.held());
    }
    Next::Again {
        above: failed.high(),
        at_once: rivals.is_empty(),
    }
}

impl Failed<'_> {
    /// Leases of others.
    fn rivals(&self) -> Vec<Holder> {
        let held = self.said.iter().filter_map(|said| match said {
            Said::No(LeaseReply::Held(holder)) => Some(*holder),
            _ => None,
        });
        held.filter(|holder| !self.ours.contains(&holder.rank))
            .collect()
    }

    /// The highest rank that anybody spoke of.
    pub(super) fn high(&self) -> Rank {
        let ranks = self.said.iter().filter_map(|said| match said {
            Said::Yes(LeaseReply::Granted(grant)) => Some(grant.rank),
            Said::No(LeaseReply::Held(holder)) => Some(holder.rank),
            Said::No(LeaseReply::Passed { high }) => Some(*high),
            _ => None,
        });
        ranks.max().unwrap_or(Rank::ZERO)
    }

    /// Whether one of them has gone past the ballot.
    pub(super) fn is_passed(&self) -> bool {
        let passed = |said: &Said| matches!(said, Said::No(LeaseReply::Passed { .. }));
        self.said.iter().any(passed)
    }

    /// As the whole answers: when so many will be free, at the soonest, that it pays to try again.
    pub(super) fn held(&self) -> Holder {
        let rivals = self.rivals();
        let rank = rivals.iter().map(|holder| holder.rank).max();
        let mut waits: Vec<_> = rivals.iter().map(|holder| holder.remaining).collect();
        waits.resize(self.said.len().max(waits.len()), Duration::ZERO);
        waits.sort_unstable();
        let last = self.need.min(waits.len()).checked_sub(1);
        let remaining = last.map_or(LEAST, |at| waits[at].max(LEAST));
        let rank = rank.unwrap_or_else(|| self.high());
        Holder { rank, remaining }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grant;
    use proptest::prelude::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    const fn seq(n: u64) -> Rank {
        Rank::new(0, n)
    }

    const fn held(rank: u64, for_ms: u64) -> Said {
        Said::No(LeaseReply::Held(Holder {
            rank: seq(rank),
            remaining: ms(for_ms),
        }))
    }

    const fn passed(high: u64) -> Said {
        Said::No(LeaseReply::Passed { high: seq(high) })
    }

    const fn granted(rank: u64) -> Said {
        let (rank, ttl) = (seq(rank), ms(1000));
        Said::Yes(LeaseReply::Granted(Grant { rank, ttl }))
    }

    fn of_five(said: &[Said], silent: usize) -> Next {
        next(Failed {
            said,
            ours: &[seq(3)],
            members: 5,
            need: 3,
            silent,
        })
    }

    #[test]
    fn what_follows_a_failed_ballot() {
        let again = |above, at_once| Next::Again {
            above: seq(above),
            at_once,
        };
        let is_held = |rank, for_ms| {
            Next::Held(Holder {
                rank: seq(rank),
                remaining: ms(for_ms),
            })
        };
        for (name, said, silent, want) in [
            (
                "all went past it",
                vec![passed(7), passed(8), passed(6)],
                0,
                again(8, true),
            ),
            (
                "a lease of a majority",
                vec![held(7, 30), held(7, 10), held(7, 20)],
                0,
                is_held(7, 30),
            ),
            (
                "it pays when a majority will be free",
                vec![held(7, 30), held(7, 10), held(7, 20), granted(3), passed(4)],
                0,
                is_held(7, 10),
            ),
            (
                "a rival's, on too few to be in the way",
                vec![held(7, 30), passed(6), passed(5)],
                0,
                again(7, false),
            ),
            (
                "two rivals split them",
                vec![held(7, 30), held(8, 30), held(7, 30)],
                0,
                again(8, false),
            ),
            (
                "our own of before is no rival's",
                vec![held(3, 30), passed(4), passed(4)],
                0,
                again(4, true),
            ),
            (
                "who is silent may hold it too",
                vec![held(7, 30), held(7, 20), granted(3)],
                1,
                is_held(7, 30),
            ),
            (
                "a majority is silent",
                vec![held(7, 30), held(7, 20)],
                3,
                Next::Silent,
            ),
            (
                "one has passed, two are silent",
                vec![passed(7), granted(3), granted(3)],
                2,
                again(7, true),
            ),
            ("all are silent", vec![], 5, Next::Silent),
        ] {
            assert_eq!(of_five(&said, silent), want, "{name}");
        }
    }

    #[test]
    fn of_four_two_are_in_the_way() {
        let said = [held(7, 30), held(7, 20)];
        let failed = Failed {
            said: &said,
            ours: &[],
            members: 4,
            need: 3,
            silent: 0,
        };
        assert!(matches!(next(failed), Next::Held(_)));
    }

    fn any_said() -> impl Strategy<Value = Said> {
        prop_oneof![
            (1_u64..9, 0_u64..99).prop_map(|(rank, left)| held(rank, left)),
            (1_u64..9).prop_map(passed),
            Just(granted(3)),
            Just(Said::Nonsense),
        ]
    }

    proptest! {
        #[test]
        fn another_ballot_is_above_all_that_was_heard_and_nobody_is_told_to_spin(
            said in prop::collection::vec(any_said(), 0..=5), silent in 0_usize..=5,
        ) {
            match of_five(&said, silent) {
                Next::Again { above, .. } => for one in &said {
                    if let Said::No(LeaseReply::Held(Holder { rank, .. }) | LeaseReply::Passed { high: rank }) = one {
                        prop_assert!(*rank <= above);
                    }
                },
                Next::Held(holder) => prop_assert!(holder.remaining >= LEAST),
                Next::Silent => prop_assert!(silent >= 3),
            }
        }
    }
}

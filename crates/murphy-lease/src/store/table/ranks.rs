//! [`Ranks`]: where the numbers of the grants come from.

use std::time::Duration;

use crate::{Claim, Rank};

/// Where the numbers of the grants come from.
pub(crate) trait Ranks {
    /// One for a new grant of a lock whose highest is `high`, for so long.
    fn draw(&mut self, high: Rank, claim: Claim, ttl: Duration) -> Drawn;

    /// For how long a renewal may run that asks for `ttl`.
    fn renewed(&mut self, ttl: Duration) -> Duration {
        ttl
    }

    /// Every number that it draws from now on, for whichever lock, can be above this one: a lock whose highest is no
    /// higher can be forgotten.
    fn reach(&mut self) -> Rank;
}

/// What came of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// That is the number.
    Rank(Rank),
    /// There is none: the lock is there already, or beyond.
    Passed,
    /// There is none yet: ask again when told that there are.
    Later,
}

/// The number that `claim` asks for, above `high`, and no lower than `least` in its own era.
pub(crate) fn claimed(high: Rank, claim: Claim, least: u64) -> Option<Rank> {
    match claim {
        Claim::Above(floor) => {
            let next = high.max(floor).next()?;
            Some(Rank::new(next.era, next.seq.max(least)))
        }
        Claim::Exactly(rank) => Some(rank).filter(|rank| *rank > high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_above_all_or_exact_or_nothing() {
        let rank = |seq| Rank::new(1, seq);
        let above = |seq| Claim::Above(rank(seq));
        for (high, claim, least, want) in [
            (rank(4), above(0), 0, Some(rank(5))),
            (rank(4), above(9), 0, Some(rank(10))),
            (rank(4), above(9), 70, Some(rank(70))),
            (rank(99), above(9), 70, Some(rank(100))),
            (
                rank(4),
                Claim::Above(Rank::new(3, 7)),
                5,
                Some(Rank::new(3, 8)),
            ),
            (Rank::MAX, above(0), 0, None),
            (rank(4), Claim::Above(Rank::MAX), 0, None),
            (rank(4), Claim::Exactly(rank(5)), 70, Some(rank(5))),
            (rank(4), Claim::Exactly(rank(4)), 0, None),
            (rank(4), Claim::Exactly(Rank::new(0, 9)), 0, None),
        ] {
            assert_eq!(
                claimed(high, claim, least),
                want,
                "{high} {claim:?} {least}"
            );
        }
    }
}

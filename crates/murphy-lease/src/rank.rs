//! [`Rank`]: where a grant stands among all grants of its lock.

use std::fmt;

/// The place of a grant in the order of all grants of its lock: first by era, then by number.
///
/// The number rises with each grant. The *era* is raised by people, or by a store that knows that it lost its memory,
/// where a number alone could fall: after a restore from a backup, or a move to another store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rank {
    /// Which life of the store.
    pub era: u32,
    /// Which grant in it.
    pub seq: u64,
}

impl Rank {
    /// Below every grant: no grant has it.
    pub const ZERO: Self = Self::new(0, 0);

    /// The highest there is. Nothing can be granted above it.
    pub const MAX: Self = Self::new(u32::MAX, u64::MAX);

    /// Grant `seq` of era `era`.
    #[must_use]
    pub const fn new(era: u32, seq: u64) -> Self {
        Self { era, seq }
    }

    /// The one after it, in the next era where this one is used up; `None` after [`MAX`](Self::MAX).
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match (self.seq.checked_add(1), self.era.checked_add(1)) {
            (Some(seq), _) => Some(Self::new(self.era, seq)),
            (None, Some(era)) => Some(Self::new(era, 1)),
            (None, None) => None,
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.era, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_era_counts_before_the_number() {
        assert!(Rank::new(1, 0) > Rank::new(0, u64::MAX));
        assert!(Rank::new(1, 2) > Rank::new(1, 1));
    }

    #[test]
    fn the_next_is_above_and_there_is_none_after_the_last() {
        for rank in [Rank::ZERO, Rank::new(3, 9), Rank::new(3, u64::MAX)] {
            assert!(rank.next().unwrap() > rank);
        }
        assert_eq!(Rank::MAX.next(), None);
    }
}

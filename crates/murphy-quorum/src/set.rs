//! [`Set`]: some of at most 64 members.

use std::fmt;

/// A set of members, each by its position, 0 to 63.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(u64);

impl Set {
    /// Nobody.
    pub const EMPTY: Self = Self(0);
    /// How many members there can be.
    pub const MOST: usize = 64;

    /// The first `n` members; all 64, if there are not so many.
    #[inline]
    #[must_use]
    pub const fn first(n: usize) -> Self {
        if n >= Self::MOST {
            Self(u64::MAX)
        } else {
            Self((1 << n) - 1)
        }
    }

    /// One member; nobody, if there is no such position.
    #[inline]
    #[must_use]
    pub const fn one(at: usize) -> Self {
        if at < Self::MOST {
            Self(1 << at)
        } else {
            Self::EMPTY
        }
    }

    /// Members by the bits of a word, the lowest first.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The same as a word.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are so many of them: for a few, quicker than to count all.
    #[inline]
    #[must_use]
    pub const fn has(self, least: usize) -> bool {
        if least > 8 {
            return self.len() >= least;
        }
        let (mut left, mut wanted) = (self.0, least);
        while wanted > 0 {
            if left == 0 {
                return false;
            }
            left &= left - 1;
            wanted -= 1;
        }
        true
    }

    /// Whether it is nobody.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the member at this position is one of them.
    #[inline]
    #[must_use]
    pub const fn contains(self, at: usize) -> bool {
        at < Self::MOST && self.0 >> at & 1 == 1
    }

    /// These and those.
    #[inline]
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Who is in both.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These without those.
    #[inline]
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Who is in one of them only.
    #[inline]
    pub(crate) const fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// The positions, from the lowest.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            left &= left.checked_sub(1)?;
            Some(at)
        })
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let one = |all: Self, at| all.or(Self::one(at));
        positions.into_iter().fold(Self::EMPTY, one)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_set() {
        let odd: Set = [1, 3, 63, 64].into_iter().collect();
        assert_eq!(odd.iter().collect::<Vec<_>>(), [1, 3, 63]);
        assert_eq!(format!("{odd:?}"), "{1, 3, 63}");
        assert_eq!((odd.len(), Set::EMPTY.len()), (3, 0));
        assert!(odd.contains(63) && !odd.contains(64) && !odd.contains(2));
        assert_eq!(Set::first(64).len(), 64);
        for (some, least) in (0..=64).flat_map(|n| (0..=65).map(move |least| (n, least))) {
            assert_eq!(Set::first(some).has(least), some >= least, "{some} {least}");
        }
        assert_eq!(Set::first(4).minus(odd), [0, 2].into_iter().collect());
        assert_eq!(Set::from_bits(odd.bits()), odd);
    }
}

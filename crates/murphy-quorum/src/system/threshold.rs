//! [`Threshold`]: so many members, whichever they are.

use super::{Need, System, counted};
use crate::{BadQuorum, Set};

/// So many of the members, whichever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    among: Set,
    needed: usize,
}

impl Threshold {
    /// More than half of `members`: ⌊n/2⌋ + 1.
    ///
    /// Two of them always have a member in common. Of an even number it takes one more than half, so
    /// that four members survive the loss of one, as three do; of two, none may be lost; one
    /// member decides alone.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, or more than 64.
    pub fn majority(members: usize) -> Result<Self, BadQuorum> {
        Self::majority_of(Set::first(counted(members)?))
    }

    /// More than half of these.
    ///
    /// # Errors
    ///
    /// [`BadQuorum::NoMembers`].
    pub fn majority_of(among: Set) -> Result<Self, BadQuorum> {
        Self::of(among, among.len() / 2 + 1)
    }

    /// `needed` of `members`. Whether two such quorums meet is up to the number: see
    /// [`System::intersects`].
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, more than 64, or a number that is not 1 to `members`.
    pub fn of_first(needed: usize, members: usize) -> Result<Self, BadQuorum> {
        Self::of(Set::first(counted(members)?), needed)
    }

    /// `needed` of these.
    ///
    /// # Errors
    ///
    /// As [`of_first`](Self::of_first).
    pub fn of(among: Set, needed: usize) -> Result<Self, BadQuorum> {
        let total = counted(among.len())? as u64;
        if needed == 0 || needed > among.len() {
            let needed = needed as u64;
            return Err(BadQuorum::OutOfRange { needed, total });
        }
        Ok(Self { among, needed })
    }

    /// All of `members`: one that is lost stops everything.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, or more than 64.
    pub fn all(members: usize) -> Result<Self, BadQuorum> {
        Self::of_first(members, members)
    }

    /// Any of `members`: two of these need have nothing in common.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, or more than 64.
    pub fn any(members: usize) -> Result<Self, BadQuorum> {
        Self::of_first(1, members)
    }

    /// How many it takes.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }
}

impl System for Threshold {
    #[inline]
    fn members(&self) -> Set {
        self.among
    }

    #[inline]
    fn is_quorum(&self, of: Set) -> bool {
        of.and(self.among).has(self.needed)
    }

    fn need(&self) -> Need {
        let (needed, of) = (self.needed, self.among.len());
        Need::Members { needed, of }
    }

    #[inline]
    fn as_threshold(&self) -> Option<Self> {
        Some(*self)
    }
}

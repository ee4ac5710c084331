//! [`Weighted`]: so much weight, whoever has it.

use smallvec::SmallVec;

use super::{Need, System, counted};
use crate::{BadQuorum, Set};

/// So much of the weight, whoever has it (Gifford, *Weighted voting for replicated data*, SOSP 1979).
///
/// A member that weighs nothing is asked, and never decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    weights: SmallVec<[u64; 16]>,
    needed: u64,
    total: u64,
}

impl Weighted {
    /// More than half of the weight.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, more than 64, no weight, or more than 2⁶³ of it.
    pub fn majority(weights: impl IntoIterator<Item = u64>) -> Result<Self, BadQuorum> {
        let mut whole = Self::whole(weights)?;
        whole.needed = whole.total / 2 + 1;
        Ok(whole)
    }

    /// So much of the weight. Whether two such quorums meet is up to the number: see
    /// [`System::intersects`].
    ///
    /// # Errors
    ///
    /// As [`majority`](Self::majority), or `needed` is not 1 to all of the weight.
    pub fn of(needed: u64, weights: impl IntoIterator<Item = u64>) -> Result<Self, BadQuorum> {
        let whole = Self::whole(weights)?;
        let total = whole.total;
        if needed == 0 || needed > total {
            return Err(BadQuorum::OutOfRange { needed, total });
        }
        Ok(Self { needed, ..whole })
    }

    /// All of it.
    fn whole(weights: impl IntoIterator<Item = u64>) -> Result<Self, BadQuorum> {
        // One more than may be, so that an endless list ends.
        let weights: SmallVec<[u64; 16]> = weights.into_iter().take(Set::MOST + 1).collect();
        counted(weights.len())?;
        let add = |sum: u64, weight: &u64| sum.checked_add(*weight).filter(|sum| *sum <= 1 << 63);
        let total = weights.iter().try_fold(0, add);
        let total = total.ok_or(BadQuorum::TooHeavy)?;
        if total == 0 {
            let needed = 1;
            return Err(BadQuorum::OutOfRange { needed, total });
        }
        Ok(Self {
            weights,
            needed: total,
            total,
        })
    }

    fn weigh(&self, of: Set) -> u64 {
        let weights = of.iter().map_while(|at| self.weights.get(at));
        weights.sum()
    }
}

impl System for Weighted {
    fn members(&self) -> Set {
        Set::first(self.weights.len())
    }

    fn is_quorum(&self, of: Set) -> bool {
        self.weigh(of) >= self.needed
    }

    fn need(&self) -> Need {
        let (needed, of) = (self.needed, self.total);
        Need::Weight { needed, of }
    }
}

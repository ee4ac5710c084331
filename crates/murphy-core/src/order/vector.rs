//! [`Vector`]: the clock whose stamps are version vectors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{LogicalClock, NodeId, Refused, VersionVector};

/// A vector clock: of two stamps one is less if, and only if, its event happened before.
///
/// Its stamps grow with the number of nodes, of which there are at most
/// [`VersionVector::MOST_NODES`], this one included: more are [refused](Refused::TooManyNodes), as
/// are counts past 2⁶³ − 1. Clones are one clock.
#[doc(alias = "vector clock")]
#[doc(alias = "logical clock")]
#[derive(Clone, Debug)]
pub struct Vector {
    node: NodeId,
    known: Arc<Mutex<VersionVector>>,
}

impl Vector {
    /// The clock of this node, which knows nothing.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            known: Arc::default(),
        }
    }

    /// The clock of this node, which gave `stamp` before it was restarted.
    ///
    /// # Errors
    ///
    /// [`Refused::TooManyNodes`] if there is no place for this node beside those of the stamp.
    pub fn starting_after(node: NodeId, stamp: VersionVector) -> Result<Self, Refused> {
        stamp.clone().tick(node)?;
        Ok(Self {
            node,
            known: Arc::new(Mutex::new(stamp)),
        })
    }

    fn known(&self) -> MutexGuard<'_, VersionVector> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogicalClock for Vector {
    type Stamp = VersionVector;

    fn tick(&self) -> VersionVector {
        let mut known = self.known();
        // There is always room for this node: each way to make or to change a clock keeps it.
        let _ = known.tick(self.node);
        known.clone()
    }

    fn observe(&self, remote: &VersionVector) -> Result<VersionVector, Refused> {
        let mut known = self.known();
        let mut merged = known.merged(remote)?;
        merged.tick(self.node)?;
        *known = merged.clone();
        Ok(merged)
    }
}

//! [`Joint`]: two configurations at once, while one replaces the other.

use super::{Need, System};
use crate::Set;

/// A quorum of each of two configurations: how members are exchanged without a moment in which two
/// quorums decide apart (Ongaro and Ousterhout, *In search of an understandable consensus algorithm*,
/// §6, USENIX ATC 2014).
///
/// Whoever goes from one configuration to another decides by both until everybody knows of the new one.
/// Going from old to new in one step is safe only where each quorum of the one meets each of the
/// other: [`System::intersects`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint<A, B = A> {
    old: A,
    new: B,
}

impl<A: System, B: System> Joint<A, B> {
    /// Both, over the positions of both: a member of both has one position.
    pub const fn new(old: A, new: B) -> Self {
        Self { old, new }
    }

    /// The new configuration by itself.
    pub fn into_new(self) -> B {
        self.new
    }
}

impl<A: System, B: System> System for Joint<A, B> {
    fn members(&self) -> Set {
        self.old.members().or(self.new.members())
    }

    fn is_quorum(&self, of: Set) -> bool {
        self.old.is_quorum(of) && self.new.is_quorum(of)
    }

    fn need(&self) -> Need {
        let of = self.members().len();
        Need::Both { of }
    }
}

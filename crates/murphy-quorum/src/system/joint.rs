//! [`Joint`]: two configurations at once, while one replaces the other.

use std::fmt;

use super::{Need, System, Threshold};
use crate::{BadQuorum, Members, Set};

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

impl Joint<Threshold> {
    /// More than half of the old members and more than half of the new ones, by name; and everybody in the order of
    /// their positions, the old ones first.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: one of the two is nobody, or has somebody twice, or it is more than 64 together.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_quorum::{Joint, System};
    ///
    /// let (joint, members) = Joint::majorities(["a", "b", "c"], ["c", "d", "e"])?;
    /// assert_eq!(members.names().collect::<Vec<_>>(), [&"a", &"b", &"c", &"d", &"e"]);
    /// assert!(joint.is_quorum([0, 2, 3].into_iter().collect())); // a and c, c and d
    /// assert!(!joint.is_quorum([0, 1, 3].into_iter().collect())); // but one of the new
    /// # Ok::<(), murphy_quorum::BadQuorum>(())
    /// ```
    pub fn majorities<N: PartialEq + fmt::Debug>(
        old: impl IntoIterator<Item = N>,
        new: impl IntoIterator<Item = N>,
    ) -> Result<(Self, Members<N>), BadQuorum> {
        let (mut all, new) = (Members::try_new(old)?.into_names(), Members::try_new(new)?);
        let old = Threshold::majority(all.len())?;
        let mut places = Set::EMPTY;
        for name in new.into_names() {
            let known = all.iter().position(|member| *member == name);
            let at = known.unwrap_or_else(|| {
                all.push(name);
                all.len() - 1
            });
            places = places.or(Set::one(at));
        }
        // More than fit have no position: that is an error here.
        let members = Members::try_new(all)?;
        let new = Threshold::majority_of(places)?;
        Ok((Self { old, new }, members))
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

//! [`Standing`]: what became of a member so far.

use crate::Set;

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No member.
    Outsider,
    /// Not heard of.
    Outstanding,
    /// Said yes.
    Yes,
    /// Said no.
    No,
    /// Cannot answer any more.
    Unknown,
    /// Said two things.
    Equivocated,
}

/// Where all members stand: each in one of these sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standings {
    pub(crate) members: Set,
    pub(crate) outstanding: Set,
    pub(crate) yes: Set,
    pub(crate) no: Set,
    pub(crate) unknown: Set,
    pub(crate) equivocated: Set,
}

impl Standings {
    /// Nobody was heard of yet.
    #[inline]
    pub(crate) const fn new(members: Set) -> Self {
        Self {
            members,
            outstanding: members,
            yes: Set::EMPTY,
            no: Set::EMPTY,
            unknown: Set::EMPTY,
            equivocated: Set::EMPTY,
        }
    }

    pub(crate) const fn of(&self, member: usize) -> Standing {
        if !self.members.contains(member) {
            Standing::Outsider
        } else if self.yes.contains(member) {
            Standing::Yes
        } else if self.no.contains(member) {
            Standing::No
        } else if self.unknown.contains(member) {
            Standing::Unknown
        } else if self.equivocated.contains(member) {
            Standing::Equivocated
        } else {
            Standing::Outstanding
        }
    }

    /// Who stands there.
    pub(crate) const fn who(&self, standing: Standing) -> Set {
        match standing {
            Standing::Outsider => Set::EMPTY,
            Standing::Outstanding => self.outstanding,
            Standing::Yes => self.yes,
            Standing::No => self.no,
            Standing::Unknown => self.unknown,
            Standing::Equivocated => self.equivocated,
        }
    }
}

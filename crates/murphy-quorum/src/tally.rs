//! [`Tally`]: what each member said.

mod replies;

use self::replies::Replies;
use crate::Set;

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<R> {
    /// It did what was asked, and replied this.
    Yes(R),
    /// It said that it did not, and will not.
    No,
    /// It cannot answer any more: its time is up, its connection gone. It may have done it.
    Unknown,
}

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

/// What each member said so far: one outcome each.
#[derive(Clone, Debug)]
pub struct Tally<R> {
    members: Set,
    open: Set,
    yes: Set,
    no: Set,
    unknown: Set,
    faulty: Set,
    replies: Replies<R>,
}

impl<R> Tally<R> {
    pub(crate) fn new(members: Set) -> Self {
        Self {
            members,
            open: members,
            yes: Set::EMPTY,
            no: Set::EMPTY,
            unknown: Set::EMPTY,
            faulty: Set::EMPTY,
            replies: Replies::none(members),
        }
    }

    /// All who are asked.
    #[must_use]
    pub const fn members(&self) -> Set {
        self.members
    }

    /// Who said yes.
    #[must_use]
    pub const fn yes(&self) -> Set {
        self.yes
    }

    /// Who said no.
    #[must_use]
    pub const fn no(&self) -> Set {
        self.no
    }

    /// Who cannot answer any more, and may have done it.
    #[must_use]
    pub const fn unknown(&self) -> Set {
        self.unknown
    }

    /// Who said two things that cannot both be.
    #[doc(alias = "equivocation")]
    #[must_use]
    pub const fn equivocated(&self) -> Set {
        self.faulty
    }

    /// Who was not heard of yet.
    #[must_use]
    pub const fn outstanding(&self) -> Set {
        self.open
    }

    /// Whose answer, if any comes, is no yes.
    #[inline]
    #[must_use]
    pub const fn lost(&self) -> Set {
        self.no.or(self.unknown).or(self.faulty)
    }

    /// Where a member stands.
    #[must_use]
    pub const fn standing(&self, member: usize) -> Standing {
        if !self.members.contains(member) {
            Standing::Outsider
        } else if self.yes.contains(member) {
            Standing::Yes
        } else if self.no.contains(member) {
            Standing::No
        } else if self.unknown.contains(member) {
            Standing::Unknown
        } else if self.faulty.contains(member) {
            Standing::Equivocated
        } else {
            Standing::Outstanding
        }
    }

    /// What a member that said yes replied; of one that said two things, the first.
    #[must_use]
    pub fn reply(&self, member: usize) -> Option<&R> {
        self.replies.get(member)
    }

    /// The replies of those who said yes, by position.
    pub fn replies(&self) -> impl Iterator<Item = (usize, &R)> {
        let reply = |at| self.reply(at).map(|reply| (at, reply));
        self.yes.iter().filter_map(reply)
    }

    /// Takes the reply of a member away.
    pub(crate) fn take(&mut self, member: usize) -> Option<R> {
        self.replies.take(member)
    }
}

impl<R: PartialEq> Tally<R> {
    /// Writes down what became of a member. Whether anything has changed.
    #[inline]
    pub(crate) fn hear(&mut self, member: usize, outcome: Outcome<R>) -> bool {
        let one = Set::one(member);
        if !self.open.and(one).is_empty() {
            self.open = self.open.minus(one);
            // ## Outstanding => Yes, No, Unknown.
            match outcome {
                Outcome::Yes(reply) => {
                    self.yes = self.yes.or(one);
                    self.replies.keep(member, reply);
                }
                Outcome::No => self.no = self.no.or(one),
                Outcome::Unknown => self.unknown = self.unknown.or(one),
            }
            return true;
        }
        self.hear_again(member, outcome)
    }

    /// Who could not answer, and does after all, has answered. Who repeats himself has said
    /// it once. Who says something else has lied at least once, and counts for nothing from then on.
    #[cold]
    fn hear_again(&mut self, member: usize, outcome: Outcome<R>) -> bool {
        let one = Set::one(member);
        match (self.standing(member), outcome) {
            // ## Unknown => Yes, No.
            (Standing::Unknown, Outcome::Yes(reply)) => {
                self.unknown = self.unknown.minus(one);
                self.yes = self.yes.or(one);
                self.replies.keep(member, reply);
            }
            (Standing::Unknown, Outcome::No) => {
                self.unknown = self.unknown.minus(one);
                self.no = self.no.or(one);
            }
            (Standing::Yes, Outcome::Yes(reply)) if self.reply(member) == Some(&reply) => {
                return false;
            }
            // ## Yes, No => Equivocated.
            (Standing::Yes, Outcome::Yes(_) | Outcome::No) | (Standing::No, Outcome::Yes(_)) => {
                self.yes = self.yes.minus(one);
                self.no = self.no.minus(one);
                self.faulty = self.faulty.or(one);
            }
            _ => return false,
        }
        true
    }
}

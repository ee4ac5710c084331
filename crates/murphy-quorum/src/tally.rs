//! [`Tally`]: what each member said.

mod replies;
mod standing;

use self::replies::Replies;
pub use self::standing::Standing;
pub(crate) use self::standing::Standings;
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

/// What each member said so far: one outcome each.
#[derive(Clone, Debug)]
pub struct Tally<R> {
    stand: Standings,
    replies: Replies<R>,
}

impl<R> Tally<R> {
    #[inline]
    pub(crate) fn new(members: Set) -> Self {
        Self {
            stand: Standings::new(members),
            replies: Replies::none(members),
        }
    }

    /// All who are asked.
    #[inline]
    #[must_use]
    pub const fn members(&self) -> Set {
        self.stand.members
    }

    /// Who said yes.
    #[inline]
    #[must_use]
    pub const fn yes(&self) -> Set {
        self.stand.yes
    }

    /// Who said no.
    #[inline]
    #[must_use]
    pub const fn no(&self) -> Set {
        self.stand.no
    }

    /// Who cannot answer any more, and may have done it.
    #[inline]
    #[must_use]
    pub const fn unknown(&self) -> Set {
        self.stand.unknown
    }

    /// Who said two things that cannot both be.
    #[doc(alias = "equivocation")]
    #[inline]
    #[must_use]
    pub const fn equivocated(&self) -> Set {
        self.stand.equivocated
    }

    /// Who was not heard of yet.
    #[inline]
    #[must_use]
    pub const fn outstanding(&self) -> Set {
        self.stand.outstanding
    }

    /// Whose answer, if any comes, is no yes.
    #[inline]
    #[must_use]
    pub const fn lost(&self) -> Set {
        let Standings {
            members,
            yes,
            outstanding,
            ..
        } = self.stand;
        members.minus(yes.or(outstanding))
    }

    /// Where a member stands.
    #[must_use]
    pub const fn standing(&self, member: usize) -> Standing {
        self.stand.of(member)
    }

    /// Where all stand.
    pub(crate) const fn standings(&self) -> Standings {
        self.stand
    }

    /// What a member that said yes replied; of one that said two things, the first.
    #[must_use]
    pub fn reply(&self, member: usize) -> Option<&R> {
        self.replies.get(member)
    }

    /// The replies of those who said yes, by position.
    pub fn replies(&self) -> impl Iterator<Item = (usize, &R)> {
        let reply = |at| self.reply(at).map(|reply| (at, reply));
        self.stand.yes.iter().filter_map(reply)
    }

    /// Takes the reply of a member away.
    pub(crate) fn take(&mut self, member: usize) -> Option<R> {
        self.replies.take(member)
    }
}

impl<R> Tally<R> {
    /// Writes down what became of a member that was outstanding. Whether it said yes.
    #[inline]
    pub(crate) fn hear(&mut self, member: usize, outcome: Outcome<R>) -> bool {
        let one = Set::one(member);
        self.stand.outstanding = self.stand.outstanding.xor(one);
        // ## Outstanding => Yes, No, Unknown.
        match outcome {
            Outcome::Yes(reply) => {
                self.says_yes(member, reply);
                return true;
            }
            Outcome::No => self.stand.no = self.stand.no.or(one),
            Outcome::Unknown => self.stand.unknown = self.stand.unknown.or(one),
        }
        false
    }

    #[inline]
    fn says_yes(&mut self, member: usize, reply: R) {
        self.stand.yes = self.stand.yes.or(Set::one(member));
        self.replies.keep(member, reply);
    }
}

impl<R: PartialEq> Tally<R> {
    /// The same of one that was heard of before. Whether anything has changed.
    ///
    /// Who could not answer, and does after all, has answered. Who repeats himself has said
    /// it once. Who says something else has lied at least once, and counts for nothing from then on.
    #[cold]
    pub(crate) fn hear_again(&mut self, member: usize, outcome: Outcome<R>) -> bool {
        let one = Set::one(member);
        match (self.standing(member), outcome) {
            // ## Unknown => Yes, No.
            (Standing::Unknown, Outcome::Yes(reply)) => {
                self.stand.unknown = self.stand.unknown.minus(one);
                self.says_yes(member, reply);
            }
            (Standing::Unknown, Outcome::No) => {
                self.stand.unknown = self.stand.unknown.minus(one);
                self.stand.no = self.stand.no.or(one);
            }
            (Standing::Yes, Outcome::Yes(reply)) if self.reply(member) == Some(&reply) => {
                return false;
            }
            // ## Yes, No => Equivocated.
            (Standing::Yes, Outcome::Yes(_) | Outcome::No) | (Standing::No, Outcome::Yes(_)) => {
                self.stand.yes = self.stand.yes.minus(one);
                self.stand.no = self.stand.no.minus(one);
                self.stand.equivocated = self.stand.equivocated.or(one);
            }
            _ => return false,
        }
        true
    }
}

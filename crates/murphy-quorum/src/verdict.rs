//! [`Verdict`]: what is known of a round.

use std::fmt;

use crate::tally::Standings;
use crate::{Need, Set};

/// What is known of a round so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may become either.
    Pending,
    /// There is a quorum, and an answer.
    Decided(Decision),
    /// Whatever those who are left say, there will be none.
    Impossible(Why),
}

/// A quorum, and whose reply is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who said yes.
    pub by: Set,
    /// Whose reply it is: of several equal ones, the first member's.
    pub reply: usize,
}

impl Decision {
    /// By these; the reply is that of the first of those who replied alike.
    #[inline]
    pub(crate) const fn of(by: Set, alike: Set) -> Self {
        let reply = alike.bits().trailing_zeros() as usize;
        Self { by, reply }
    }
}

/// Why there will be no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// What is missing.
    pub cause: Cause,
    /// What would have been enough.
    pub need: Need,
    /// Who said yes, or still could.
    pub reachable: Set,
    /// Who said no.
    pub no: Set,
    /// Who cannot answer any more, and may have done what was asked.
    pub unknown: Set,
    /// Who said two things, or what cannot be.
    pub faulty: Set,
}

/// What is missing for a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Members.
    TooFew,
    /// Replies that agree: so many equal ones are needed, and this is the most that there can be.
    NoMatch {
        /// How many have to be equal.
        needed: usize,
        /// How many are, or could be.
        most: usize,
    },
    /// A version above the highest that was seen: there is none.
    NoVersion,
}

impl Why {
    /// Too few, by what was heard.
    pub(crate) const fn of(need: Need, stand: &Standings) -> Self {
        Self {
            cause: Cause::TooFew,
            need,
            reachable: stand.yes.or(stand.outstanding),
            no: stand.no,
            unknown: stand.unknown,
            faulty: stand.equivocated,
        }
    }

    /// What is missing, without who is to blame.
    pub(crate) const fn reason(&self) -> Reason<'_> {
        Reason(self)
    }
}

/// `3 of 5 needed, 2 reachable`.
pub(crate) struct Reason<'a>(&'a Why);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { need, .. } = self.0;
        match self.0.cause {
            // Who said yes, or still could.
            Cause::TooFew => write!(f, "{need} needed, {} reachable", self.0.reachable.len()),
            Cause::NoMatch { needed, most } => {
                write!(f, "{needed} equal replies needed, {most} at most")
            }
            Cause::NoVersion => write!(f, "no version is left above {}", u64::MAX),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "impossible: {}", self.reason())?;
        if self.cause != Cause::TooFew {
            return Ok(());
        }
        let others = [
            (self.no, "no"),
            (self.unknown, "silent"),
            (self.faulty, "faulty"),
        ];
        let mut before = "; ";
        for (members, what) in others {
            if !members.is_empty() {
                write!(f, "{before}{what}: {}", members.len())?;
                before = ", ";
            }
        }
        Ok(())
    }
}

impl std::error::Error for Why {}

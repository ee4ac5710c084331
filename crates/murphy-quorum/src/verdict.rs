//! [`Verdict`]: what is known of a round.

use std::fmt;

use crate::{Need, Set, Tally};

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
    pub(crate) const fn of<R>(need: Need, tally: &Tally<R>) -> Self {
        Self {
            cause: Cause::TooFew,
            need,
            reachable: tally.yes().or(tally.outstanding()),
            no: tally.no(),
            unknown: tally.unknown(),
            faulty: tally.equivocated(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { need, .. } = self;
        match self.cause {
            Cause::TooFew => {
                // Who said yes, or still could; of the others, what became of them.
                let reachable = self.reachable.len();
                write!(f, "impossible: {need} needed, {reachable} reachable")?;
                let others = [
                    (self.no, "no"),
                    (self.unknown, "silent"),
                    (self.faulty, "faulty"),
                ];
                let mut before = "; ";
                for (members, what) in others
                    .into_iter()
                    .filter(|(members, _)| !members.is_empty())
                {
                    write!(f, "{before}{what}: {}", members.len())?;
                    before = ", ";
                }
                Ok(())
            }
            Cause::NoMatch { needed, most } => {
                write!(
                    f,
                    "impossible: {needed} equal replies needed, {most} at most"
                )
            }
            Cause::NoVersion => {
                write!(f, "impossible: no version is left above {}", u64::MAX)
            }
        }
    }
}

impl std::error::Error for Why {}

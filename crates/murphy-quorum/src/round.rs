//! [`Round`]: one question to all members, and what became of it.

use crate::{Outcome, Rule, Set, Tally, Verdict, Why};

/// One question, put to all members.
///
/// Told in any order what became of each, it says as early as it is known that there is a quorum, or that
/// there can be none. A verdict stands: what is heard afterwards is written down and changes nothing.
#[derive(Clone, Debug)]
pub struct Round<R, U> {
    rule: U,
    tally: Tally<R>,
    verdict: Verdict,
}

impl<R, U: Rule<R>> Round<R, U> {
    /// Nobody was heard yet.
    pub fn new(rule: U) -> Self {
        let tally = Tally::new(rule.members());
        let verdict = Verdict::Pending;
        Self {
            rule,
            tally,
            verdict,
        }
    }
}

impl<R, U> Round<R, U> {
    /// What is known.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What each member said.
    pub const fn tally(&self) -> &Tally<R> {
        &self.tally
    }

    /// What the question is decided by.
    pub const fn rule(&self) -> &U {
        &self.rule
    }

    /// Who may have done what was asked without belonging to a decision: what was given to them has to be taken
    /// back, if there is none. Everybody who was not heard to refuse.
    pub fn may_have_granted(&self) -> Set {
        self.tally.members().minus(self.tally.no())
    }

    /// The answer, if there is one; what is left is what the others said.
    pub fn into_answer(mut self) -> (Option<R>, Tally<R>) {
        let answer = match self.verdict {
            Verdict::Decided(decision) => self.tally.take(decision.reply),
            Verdict::Pending | Verdict::Impossible(_) => None,
        };
        (answer, self.tally)
    }
}

impl<R: PartialEq, U: Rule<R>> Round<R, U> {
    /// A member was heard, or cannot be any more.
    ///
    /// # Errors
    ///
    /// [`Outsider`]: there is no such member, and nothing has changed.
    #[inline]
    pub fn on(&mut self, member: usize, outcome: Outcome<R>) -> Result<Verdict, Outsider> {
        if !self.tally.members().contains(member) {
            return Err(Outsider { member });
        }
        let news = self.tally.hear(member, outcome);
        if !news || !matches!(self.verdict, Verdict::Pending) {
            return Ok(self.verdict);
        }
        match self.rule.judge(&self.tally) {
            Verdict::Pending if !self.tally.outstanding().is_empty() => Ok(Verdict::Pending),
            // Whose reply it is has said yes.
            Verdict::Decided(by) if self.tally.yes().contains(by.reply) => {
                self.verdict = Verdict::Decided(by);
                Ok(Verdict::Decided(by))
            }
            verdict => Ok(self.over(verdict)),
        }
    }

    /// There is no decision, and nothing to wait for, whatever the rule says.
    #[cold]
    fn over(&mut self, verdict: Verdict) -> Verdict {
        self.verdict = match verdict {
            Verdict::Impossible(why) => Verdict::Impossible(why),
            _ => Verdict::Impossible(Why::of(self.rule.need(), &self.tally)),
        };
        self.verdict
    }
}

/// A vote of somebody who is no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` is no member: its vote does not count")]
pub struct Outsider {
    /// The position that it claimed.
    pub member: usize,
}

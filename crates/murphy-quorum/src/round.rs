//! [`Round`]: one question to all members, and what became of it.

use crate::{Decision, Outcome, Rule, Set, Tally, Verdict, Why};

/// One question, put to all members.
///
/// Told in any order what became of each, it says as early as it is known that there is a quorum, or that
/// there can be none. A verdict stands: what is heard afterwards is written down and changes nothing.
#[derive(Clone, Debug)]
pub struct Round<R, U> {
    rule: U,
    tally: Tally<R>,
    verdict: Verdict,
    /// So many more have to say yes before it is looked at, 1 at least: of a rule that goes by the number, as many as
    /// are missing, and else each is.
    left: usize,
}

impl<R, U: Rule<R>> Round<R, U> {
    /// Nobody was heard yet.
    #[inline]
    pub fn new(rule: U) -> Self {
        Self {
            tally: Tally::new(rule.members()),
            verdict: Verdict::Pending,
            left: rule.by_number().map_or(1, |of| of.needed()),
            rule,
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
        if !self.tally.outstanding().contains(member) {
            return self.on_again(member, outcome);
        }
        if self.tally.hear(member, outcome) {
            self.left -= 1;
            // ## Pending => Pending. Who is missing can still say yes: else it had been judged to be impossible.
            if self.left > 0 {
                return Ok(Verdict::Pending);
            }
            // ## Pending => Decided.
            if matches!(self.verdict, Verdict::Pending) && self.rule.by_number().is_some() {
                let by = self.tally.yes();
                self.verdict = Verdict::Decided(Decision::of(by, by));
                self.left = 1;
                return Ok(Verdict::Decided(Decision::of(by, by)));
            }
        }
        Ok(self.judge())
    }

    /// Of one that was heard of before, or is no member.
    #[cold]
    fn on_again(&mut self, member: usize, outcome: Outcome<R>) -> Result<Verdict, Outsider> {
        if !self.tally.members().contains(member) {
            return Err(Outsider { member });
        }
        if self.tally.hear_again(member, outcome) {
            return Ok(self.judge());
        }
        Ok(self.verdict)
    }

    /// What follows from what was heard.
    #[inline(never)]
    fn judge(&mut self) -> Verdict {
        self.left = 1;
        if !matches!(self.verdict, Verdict::Pending) {
            return self.verdict;
        }
        let verdict = self.rule.judge(&self.tally);
        if !matches!(verdict, Verdict::Pending) || self.tally.outstanding().is_empty() {
            return self.over(verdict);
        }
        if let Some(of) = self.rule.by_number() {
            self.left = of.needed().saturating_sub(self.tally.yes().len()).max(1);
        }
        Verdict::Pending
    }

    /// That is the verdict. Whatever a rule says, there is no decision without a reply, and with nobody left to hear none is
    /// pending.
    fn over(&mut self, verdict: Verdict) -> Verdict {
        self.verdict = match verdict {
            Verdict::Decided(by) if self.tally.yes().contains(by.reply) => verdict,
            Verdict::Impossible(_) => verdict,
            _ => Verdict::Impossible(Why::of(self.rule.need(), &self.tally.standings())),
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

//! [`Session`]: how far one call has come, and what follows a failure.

use std::time::Duration;

use murphy_core::{Key, Scope};
use tokio::time::Instant;

use super::decide::{self, Stop};
use super::pace::{Course, Turn};
use super::policy::Policy;
use super::{Attempt, Kind, Pace, Verdict};
use crate::{Budget, Permit, Spent};

/// What one call remembers between its attempts.
#[derive(Debug)]
pub(crate) struct Session {
    /// The last attempt that was sent.
    pub(crate) attempt: Attempt,
    /// What the attempt that is under way took from the budget.
    spent: Option<Spent>,
    /// What one took that never left: it pays for the repetition, once that is sent.
    unsent: Unsent,
    /// How far the pace has come.
    course: Course,
    /// Whether an attempt never left, and was repeated for free.
    not_sent: bool,
    /// Whether one may have left: until then, what follows is no extra attempt for the peer.
    left: bool,
    /// Which jitter is the call's own; taken when it is needed.
    key: Option<Key>,
}

/// Returned unless it is taken out: there are many ways to not send a repetition.
#[derive(Debug)]
struct Unsent(Option<Spent>);

impl Drop for Unsent {
    fn drop(&mut self) {
        if let Some(spent) = self.0.take() {
            spent.not_sent();
        }
    }
}

/// Another attempt, which is still to be paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) next: Attempt,
    pub(crate) wait: Duration,
    pub(crate) kind: Kind,
    /// It is the same attempt again.
    pub(crate) same: bool,
    /// It is one more for the peer, for which the budget pays.
    pub(crate) costs: bool,
}

impl Session {
    pub(crate) const fn new(first: Attempt) -> Self {
        Self {
            attempt: first,
            spent: None,
            unsent: Unsent(None),
            course: Course::new(),
            not_sent: false,
            left: false,
            key: None,
        }
    }

    /// Tells the budget what came of an attempt.
    pub(crate) fn settle(&mut self, budget: &Budget, verdict: Verdict) {
        let never_left = verdict.never_left();
        self.left |= !never_left;
        match verdict {
            // What paid for an attempt that never left pays for its repetition at once, or else is
            // returned.
            Verdict::Retry(Kind::NotSent) if !self.not_sent => {
                self.unsent.0 = self.spent.take();
            }
            _ if never_left => {
                if let Some(spent) = self.spent.take() {
                    spent.not_sent();
                }
            }
            Verdict::Success => match self.spent.take() {
                Some(spent) => spent.succeeded(),
                // The first attempt, after one that never left.
                None => budget.succeeded(),
            },
            Verdict::Terminal | Verdict::Failed(_) => {}
            Verdict::Retry(_) | Verdict::RetryAfter(..) | Verdict::Forbid => budget.failed(),
        }
        self.spent = None;
    }

    /// Another attempt leaves, and this pays for it; nothing, if it is a free repetition.
    pub(crate) fn sent(&mut self, permit: Option<Permit<'_>>) {
        self.spent = match permit {
            Some(permit) => Some(permit.tried()),
            None => self.unsent.0.take(),
        };
    }

    /// Whether an attempt that never left would be repeated for free.
    pub(crate) const fn has_one_free(&self) -> bool {
        !self.not_sent
    }

    /// What there is to say where no copy of the request is left after an attempt that came to `verdict`.
    pub(crate) const fn unrepeatable(&self, verdict: Verdict) -> Stop {
        decide::unrepeatable(verdict, self.left)
    }

    /// What follows the attempt that came to `verdict`.
    pub(crate) fn decide<C, R, P: Pace>(
        &mut self,
        policy: &Policy<C, R, P>,
        budget: &Budget,
        verdict: Verdict,
        replayable: bool,
    ) -> Result<Decision, Stop> {
        let wanted = decide::wanted(verdict, self.attempt, replayable, self.not_sent, self.left)?;
        let (next, wait) = if wanted.free {
            self.not_sent = true;
            (self.attempt, Duration::ZERO)
        } else {
            let key = *self.key.get_or_insert_with(|| policy.chance.session());
            let draw = policy.chance.draw(key, self.attempt.number() - 1);
            let step = self.course.step(draw, wanted.kind);
            let pace = policy.pace.wait(step);
            let obedience = policy.obedience;
            let wait = decide::wait(pace, wanted.hint, obedience, draw.nth(1))?;
            let turn = wanted.hint.map_or(Turn::Took, |_| obedience.hints.turn());
            self.course.turn(turn, &step, pace);
            (self.attempt.next(), wait)
        };
        // Only looked at: who is broke need not wait to hear it. It is paid when it is sent.
        let costs = self.left && !wanted.free;
        let paid = !costs || budget.affords(wanted.kind);
        let needed = wait.saturating_add(policy.shortest_attempt);
        decide::affordable(needed, left(), paid)?;
        Ok(Decision {
            next,
            wait,
            kind: wanted.kind,
            same: wanted.free,
            costs,
        })
    }
}

/// What is left until the caller's deadline. Reads the clock only if there is one.
pub(crate) fn left() -> Option<Duration> {
    let deadline = Scope::current().deadline()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}

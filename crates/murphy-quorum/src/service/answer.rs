//! [`Answer`] and [`QuorumError`]: what came of it, with each member's part.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Cause, Decision, Members, Need, Set, Standing, Why};

/// What each member said.
pub struct Outcomes<N, Res, E> {
    pub(super) names: Arc<Members<N>>,
    pub(super) standings: Vec<Standing>,
    pub(super) results: Vec<Option<Result<Res, E>>>,
}

impl<N, Res, E> Outcomes<N, Res, E> {
    /// Each member with where it stands, in their order. Who was not heard of yet is
    /// [`Standing::Outstanding`]: asked or not.
    pub fn iter(&self) -> impl Iterator<Item = (&N, Standing)> {
        self.names.names().zip(self.standings.iter().copied())
    }

    /// What this member answered: nothing if it did not, and of the member whose reply is the
    /// answer.
    pub fn result(&self, at: usize) -> Option<&Result<Res, E>> {
        self.results.get(at)?.as_ref()
    }

    /// The same, of replies only that there were.
    pub(super) fn without_replies(self) -> Outcomes<N, (), E> {
        let plain = |result: Option<Result<_, _>>| result.map(|result| result.map(drop));
        Outcomes {
            names: self.names,
            standings: self.standings,
            results: self.results.into_iter().map(plain).collect(),
        }
    }

    /// What they answered, by position.
    pub fn into_results(self) -> Vec<Option<Result<Res, E>>> {
        self.results
    }
}

impl<N: fmt::Debug, Res, E> fmt::Debug for Outcomes<N, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A decision, the reply that it fell on, and what everybody said.
#[derive(Debug)]
pub struct Answer<N, Res, E> {
    pub(super) value: Res,
    pub(super) decision: Decision,
    pub(super) outcomes: Outcomes<N, Res, E>,
    pub(super) elapsed: Duration,
}

impl<N, Res, E> Answer<N, Res, E> {
    /// The reply.
    pub const fn value(&self) -> &Res {
        &self.value
    }

    /// The reply, by itself.
    pub fn into_value(self) -> Res {
        self.value
    }

    /// The reply, and what the others said.
    pub fn into_parts(self) -> (Res, Outcomes<N, Res, E>) {
        (self.value, self.outcomes)
    }

    /// Who decided it, by name.
    pub fn by(&self) -> impl Iterator<Item = &N> {
        let named = |at| self.outcomes.names.name(at);
        self.decision.by.iter().filter_map(named)
    }

    /// Who decided it, by position.
    pub const fn quorum(&self) -> Set {
        self.decision.by
    }

    /// What each said.
    pub const fn outcomes(&self) -> &Outcomes<N, Res, E> {
        &self.outcomes
    }

    /// From the call to the decision.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// There is an answer, and what was to follow is impossible for this reason.
    pub(crate) fn fails(self, cause: Cause, need: Need) -> QuorumError<N, E> {
        let who = |standing| {
            let outcomes = self.outcomes.standings.iter().enumerate();
            let stand = outcomes.filter(|(_, it)| **it == standing);
            stand.map(|(at, _)| at).collect::<Set>()
        };
        let why = Why {
            cause,
            need,
            reachable: who(Standing::Yes).or(who(Standing::Outstanding)),
            no: who(Standing::No),
            unknown: who(Standing::Unknown),
            faulty: who(Standing::Equivocated),
        };
        let (outcomes, elapsed) = (self.outcomes.without_replies(), self.elapsed);
        QuorumError {
            why,
            outcomes,
            elapsed,
        }
    }
}

/// There was no quorum, and there will be none.
///
/// Who is not said to have refused may have done what was asked.
#[derive(thiserror::Error)]
#[error("{why}, after {elapsed:?}")]
pub struct QuorumError<N, E> {
    pub(super) why: Why,
    pub(super) outcomes: Outcomes<N, (), E>,
    pub(super) elapsed: Duration,
}

impl<N, E> QuorumError<N, E> {
    /// Why not, and what it would have taken.
    pub const fn why(&self) -> &Why {
        &self.why
    }

    /// What each said.
    pub const fn outcomes(&self) -> &Outcomes<N, (), E> {
        &self.outcomes
    }

    /// From the call to the outcome after which there could be none.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl<N: fmt::Debug, E> fmt::Debug for QuorumError<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuorumError")
            .field("why", &self.why)
            .field("outcomes", &self.outcomes)
            .field("elapsed", &self.elapsed)
            .finish()
    }
}

//! [`Answer`] and [`QuorumError`]: what came of it, with each member's part.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::tally::Standings;
use crate::{Cause, Decision, Members, Need, Set, Standing, Why};

/// What each member said.
pub struct Outcomes<N, Res, E> {
    pub(super) names: Arc<Members<N>>,
    pub(super) stand: Standings,
    pub(super) results: Vec<Option<Result<Res, E>>>,
}

impl<N, Res, E> Outcomes<N, Res, E> {
    /// Each member with where it stands, in their order. Who was not heard of yet is
    /// [`Standing::Outstanding`]: asked or not.
    pub fn iter(&self) -> impl Iterator<Item = (&N, Standing)> {
        let stand = |(at, name)| (name, self.stand.of(at));
        self.names.names().enumerate().map(stand)
    }

    /// Who stands there, by name.
    pub fn who(&self, standing: Standing) -> impl Iterator<Item = &N> {
        self.named(self.stand.who(standing))
    }

    /// Where this one stands.
    pub fn standing<Q: ?Sized>(&self, name: &Q) -> Standing
    where
        N: PartialEq<Q> + PartialEq + fmt::Debug,
    {
        let at = self.names.position(name);
        at.map_or(Standing::Outsider, |at| self.stand.of(at))
    }

    /// What this one answered: see [`result`](Self::result).
    pub fn answer<Q: ?Sized>(&self, name: &Q) -> Option<&Result<Res, E>>
    where
        N: PartialEq<Q> + PartialEq + fmt::Debug,
    {
        self.result(self.names.position(name)?)
    }

    /// What the member at this position answered: nothing if it did not, and of the member whose reply is the
    /// answer.
    pub fn result(&self, at: usize) -> Option<&Result<Res, E>> {
        self.results.get(at)?.as_ref()
    }

    fn named(&self, who: Set) -> impl Iterator<Item = &N> {
        who.iter().filter_map(|at| self.names.name(at))
    }

    /// The same, of replies only that there were.
    pub(super) fn without_replies(self) -> Outcomes<N, (), E> {
        let plain = |result: Option<Result<_, _>>| result.map(|result| result.map(drop));
        Outcomes {
            names: self.names,
            stand: self.stand,
            results: self.results.into_iter().map(plain).collect(),
        }
    }

    /// What they answered, by position.
    pub fn into_results(self) -> Vec<Option<Result<Res, E>>> {
        self.results
    }
}

/// Where each stands, and what it answered.
impl<N: fmt::Debug, Res: fmt::Debug, E: fmt::Debug> fmt::Debug for Outcomes<N, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = self.results.iter();
        let part = |((name, standing), result)| (name, (standing, result));
        f.debug_map()
            .entries(self.iter().zip(results).map(part))
            .finish()
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
        let stand = self.outcomes.stand;
        let why = Why {
            cause,
            ..Why::of(need, &stand)
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
/// It says why, what it would have taken, and by name what became of each member:
///
/// ```text
/// impossible: 3 of 5 needed, 2 reachable, after 30ms; yes: "b"; no: "a", "d"; silent: "e"; not heard: "c"
/// ```
///
/// Who is not said to have refused may have done what was asked. What they answered is in [`outcomes`](Self::outcomes), and in
/// its `Debug`.
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

impl<N: fmt::Debug, E> fmt::Display for QuorumError<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, stand) = (&self.why, &self.outcomes.stand);
        write!(f, "impossible: {}, after {:?}", why.reason(), self.elapsed)?;
        // A rule may find lies in what was said with a yes.
        let faulty = stand.equivocated.or(why.faulty);
        for (who, what) in [
            (stand.yes.minus(faulty), "yes"),
            (stand.no, "no"),
            (stand.unknown, "silent"),
            (faulty, "faulty"),
            (stand.outstanding, "not heard"),
        ] {
            for (nth, name) in self.outcomes.named(who).enumerate() {
                match nth {
                    0 => write!(f, "; {what}: {name:?}")?,
                    _ => write!(f, ", {name:?}")?,
                }
            }
        }
        Ok(())
    }
}

impl<N: fmt::Debug, E: fmt::Debug> fmt::Debug for QuorumError<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuorumError")
            .field("why", &self.why)
            .field("outcomes", &self.outcomes)
            .field("elapsed", &self.elapsed)
            .finish()
    }
}

impl<N: fmt::Debug, E: fmt::Debug> std::error::Error for QuorumError<N, E> {}

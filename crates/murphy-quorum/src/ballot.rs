//! [`Ballot`]: the votes of one term.

use std::fmt;

use smallvec::SmallVec;

use crate::{BadQuorum, Members, Set, System, Threshold};

/// The votes of one term: one a voter, and a leader as soon as more than half are for one.
///
/// # Examples
///
/// ```
/// use murphy_quorum::{Ballot, Cast};
///
/// let mut ballot = Ballot::try_new(1, ["node1", "node2", "node3", "node4", "node5"])?;
/// ballot.vote("node1", "node1")?;
/// ballot.vote("node2", "node1")?;
/// assert_eq!(ballot.leader(), None);
/// ballot.vote("node3", "node1")?;
/// assert_eq!(ballot.leader(), Some(&"node1"));
///
/// // A second, different vote is no correction: it is a voter that cannot be trusted.
/// assert_eq!(ballot.vote("node4", "node4")?, Cast::Counted);
/// assert_eq!(ballot.vote("node4", "node5")?, Cast::Equivocation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "majority")]
#[derive(Clone, Debug)]
pub struct Ballot<N> {
    term: u64,
    voters: Members<N>,
    majority: Threshold,
    votes: SmallVec<[Option<N>; 16]>,
    faulty: Set,
    leader: Option<N>,
}

/// What became of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// It is the voter's vote.
    Counted,
    /// The voter said so before.
    Repeated,
    /// The voter said something else before: neither counts any more.
    Equivocation,
    /// The voter has no vote in this term any more, since it said two things.
    Discarded,
}

/// A vote of somebody who has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{voter}` has no vote in term {term}: it is none of the {voters} voters")]
pub struct Stranger {
    /// Who.
    pub voter: String,
    /// When.
    pub term: u64,
    /// How many have one.
    pub voters: usize,
}

impl<N: PartialEq + Clone + fmt::Debug> Ballot<N> {
    /// Nobody has voted in this term.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no voters, more than 64, or one who is listed twice.
    pub fn try_new(term: u64, voters: impl IntoIterator<Item = N>) -> Result<Self, BadQuorum> {
        let voters = Members::try_new(voters)?;
        Ok(Self {
            term,
            majority: Threshold::majority(voters.len())?,
            votes: voters.names().map(|_| None).collect(),
            voters,
            faulty: Set::EMPTY,
            leader: None,
        })
    }

    /// A voter votes for a candidate.
    ///
    /// # Errors
    ///
    /// [`Stranger`]: it is no voter. Nothing has changed.
    pub fn vote(&mut self, voter: N, candidate: N) -> Result<Cast, Stranger> {
        let Some(at) = self.voters.position(&voter) else {
            let (voter, term) = (format!("{voter:?}"), self.term);
            let voters = self.voters.len();
            return Err(Stranger {
                voter,
                term,
                voters,
            });
        };
        if self.faulty.contains(at) {
            return Ok(Cast::Discarded);
        }
        match &self.votes[at] {
            Some(before) if *before == candidate => return Ok(Cast::Repeated),
            Some(_) => {
                self.faulty = self.faulty.or(Set::one(at));
                return Ok(Cast::Equivocation);
            }
            None => self.votes[at] = Some(candidate),
        }
        self.leader = self.leader.take().or_else(|| self.elected(at));
        Ok(Cast::Counted)
    }

    /// Whether the candidate of this vote has a majority now.
    fn elected(&self, at: usize) -> Option<N> {
        let candidate = self.votes[at].as_ref()?;
        let whole = |at: &usize| !self.faulty.contains(*at);
        let votes = (0..self.votes.len()).filter(whole);
        let for_it = votes.filter(|at| self.votes[*at].as_ref() == Some(candidate));
        let elected = self.majority.is_quorum(for_it.collect());
        elected.then(|| candidate.clone())
    }

    /// Whom more than half have voted for. Once there is one, there is no other in this term.
    pub const fn leader(&self) -> Option<&N> {
        self.leader.as_ref()
    }

    /// Whether nobody can be elected in this term any more, whoever votes yet.
    pub fn is_lost(&self) -> bool {
        if self.leader.is_some() {
            return false;
        }
        let voted = |at: usize| self.votes[at].is_some() || self.faulty.contains(at);
        let open: Set = (0..self.votes.len()).filter(|at| !voted(*at)).collect();
        let candidates = self.votes.iter().flatten();
        let could = |candidate: &N| {
            let whole = (0..self.votes.len()).filter(|at| !self.faulty.contains(*at));
            let for_it = whole.filter(|at| self.votes[*at].as_ref() == Some(candidate));
            self.majority.is_quorum(for_it.collect::<Set>().or(open))
        };
        !self.majority.is_quorum(open) && !candidates.into_iter().any(could)
    }

    /// The term.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Who voted twice, otherwise each time.
    #[doc(alias = "equivocation")]
    pub fn equivocators(&self) -> impl Iterator<Item = &N> {
        self.faulty.iter().filter_map(|at| self.voters.name(at))
    }
}

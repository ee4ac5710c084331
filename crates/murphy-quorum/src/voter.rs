//! [`Voter`]: one who votes, once a term.

use std::fmt;

/// What a voter must not forget: it is on disk before its answer leaves.
///
/// With the feature `serde` it is read strictly: a vote that is missing is an error, and not a vote that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Persisted<N> {
    /// The highest term that it heard of.
    pub term: u64,
    /// Whom it voted for in that term.
    #[cfg_attr(
        feature = "serde",
        serde(
            deserialize_with = "crate::wire::present",
            bound(deserialize = "N: serde::Deserialize<'de>")
        )
    )]
    pub voted_for: Option<N>,
}

impl<N> Default for Persisted<N> {
    fn default() -> Self {
        let voted_for = None;
        Self { term: 0, voted_for }
    }
}

/// One who votes: for one candidate a term, however often it is asked, and whatever it forgets
/// but what is [`Persisted`].
///
/// A voter that lost what it had persisted must not vote again under its name: it might vote twice in a
/// term. It comes back as another member.
///
/// # Examples
///
/// ```
/// use murphy_quorum::{Persisted, Voter};
///
/// let mut voter = Voter::new(Persisted::default());
/// let granted = voter.request(1, &"node1").unwrap();
/// assert_eq!(granted.term, 1); // to be written to disk, and then answered
/// assert!(voter.request(1, &"node2").is_err());
/// assert!(voter.request(1, &"node1").is_ok()); // the answer was lost: it is given again
/// ```
#[derive(Clone, Debug)]
pub struct Voter<N> {
    state: Persisted<N>,
}

/// A vote that was not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Refusal<N: fmt::Debug> {
    /// The term is over.
    #[error("term {asked} is over: this is term {current}")]
    Stale {
        /// The candidate's term.
        asked: u64,
        /// The voter's.
        current: u64,
    },
    /// The vote of this term is another's.
    #[error("the vote of term {term} is {voted_for:?}'s")]
    Taken {
        /// The term.
        term: u64,
        /// Whose it is.
        voted_for: N,
    },
    /// A leader is alive, as far as this voter knows: nobody else is needed.
    #[error("the leader of term {term} is alive")]
    LeaderAlive {
        /// The voter's term.
        term: u64,
    },
}

impl<N: Clone + PartialEq + fmt::Debug> Voter<N> {
    /// As it was when it went down; new, from the default.
    pub const fn new(state: Persisted<N>) -> Self {
        Self { state }
    }

    /// A candidate asks for the vote of a term. What this returns is on disk before the answer leaves: then the
    /// vote is given.
    ///
    /// # Errors
    ///
    /// [`Refusal`]. A higher term is taken over also by who refuses; [`state`](Self::state) has
    /// it.
    pub fn request(&mut self, term: u64, candidate: &N) -> Result<&Persisted<N>, Refusal<N>> {
        let current = self.state.term;
        if term < current {
            return Err(Refusal::Stale {
                asked: term,
                current,
            });
        }
        if term > current {
            self.adopt(term);
        }
        match &self.state.voted_for {
            Some(voted_for) if voted_for != candidate => {
                let voted_for = voted_for.clone();
                Err(Refusal::Taken { term, voted_for })
            }
            _ => {
                self.state.voted_for = Some(candidate.clone());
                Ok(&self.state)
            }
        }
    }

    /// Would it be given? Nothing changes: one that was cut off can ask without driving up everybody's
    /// term (Ongaro, *Consensus: bridging theory and practice*, 2014, §9.6).
    ///
    /// `leader_alive`: whether a leader was heard of within its lease.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    #[doc(alias = "PreVote")]
    pub fn pre_vote(&self, term: u64, leader_alive: bool) -> Result<(), Refusal<N>> {
        let current = self.state.term;
        if leader_alive {
            return Err(Refusal::LeaderAlive { term: current });
        }
        // As the real one would ask: for the term after the candidate's own.
        if term <= current {
            let asked = term;
            return Err(Refusal::Stale { asked, current });
        }
        Ok(())
    }

    /// A higher term was heard of: in it, no vote was given yet. Whether it was one.
    pub fn adopt(&mut self, term: u64) -> bool {
        let is_higher = term > self.state.term;
        if is_higher {
            let voted_for = None;
            self.state = Persisted { term, voted_for };
        }
        is_higher
    }

    /// What has to be on disk.
    pub const fn state(&self) -> &Persisted<N> {
        &self.state
    }
}

//! [`Seat`]: a voter's side of an election.

use std::time::Duration;

use murphy_core::clock::Drift;
use murphy_quorum::{Persisted, Refusal, Voter};
use tokio::time::Instant;

use crate::election::protocol::{Candidate, Tenure, VoteAsk, VoteReply, VoteSaid};
use crate::{NodeId, Nonce, Ttl};

/// For how long a voter waits for a leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) drift: Drift,
    pub(crate) margin: Duration,
    /// The longest lease that it promises.
    pub(crate) most: Ttl,
}

/// One voter in one election.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    voter: Voter<Candidate>,
    promise: Option<Promise>,
    /// Until then it cannot know whom it has promised what: it was restarted.
    shut: Option<Instant>,
    patience: Patience,
}

/// To elect nobody else until then. One that is over is kept: it is not revived.
#[derive(Clone, Debug)]
struct Promise {
    candidate: Candidate,
    term: u64,
    until: Instant,
}

impl Patience {
    /// Until when a voter waits for a leader that it heard of now.
    fn until(self, now: Instant, lease: Duration) -> Instant {
        let drift = self.drift.as_ppm().abs() / 1e6;
        now + lease + lease.mul_f64(drift) + self.margin
    }
}

impl Seat {
    /// A voter that has never been asked.
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            voter: Voter::new(Persisted::default()),
            promise: None,
            shut: None,
            patience,
        }
    }

    /// A voter that comes back at this instant, with what it had persisted: what it had promised is forgotten, so
    /// it waits out the longest promise.
    pub(crate) fn restored(state: Persisted<Candidate>, now: Instant, patience: Patience) -> Self {
        Self {
            voter: Voter::new(state),
            promise: None,
            shut: Some(patience.until(now, patience.most.get())),
            patience,
        }
    }

    /// What has to be on disk before an answer leaves.
    pub(crate) const fn state(&self) -> &Persisted<Candidate> {
        self.voter.state()
    }

    /// Answers, as of now. The answer is not to leave before [`state`](Self::state) is on disk.
    pub(crate) fn on(&mut self, ask: &VoteAsk, now: Instant) -> VoteReply {
        let said = match ask {
            VoteAsk::PreVote { term, candidate } => self.pre_vote(*term, candidate, now),
            VoteAsk::Vote {
                term,
                candidate,
                lease,
            } => self.vote(*term, candidate, *lease, now),
            VoteAsk::Beat {
                term,
                candidate,
                lease,
            } => self.beat(*term, candidate, *lease, now),
            VoteAsk::Resign { nonce, term } => self.resign(*nonce, *term, now),
            VoteAsk::Observe => VoteSaid::Observed {
                leader: self.alive(now).map(|promise| Tenure {
                    term: promise.term,
                    leader: promise.candidate.id.clone(),
                    remaining: promise.until - now,
                }),
            },
        };
        let term = self.state().term;
        VoteReply { term, said }
    }

    fn pre_vote(&self, term: u64, candidate: &Candidate, now: Instant) -> VoteSaid {
        if let Some(busy) = self.busy(candidate, now) {
            return busy;
        }
        match self.voter.pre_vote(term, false) {
            Ok(()) => VoteSaid::Would,
            Err(_) => VoteSaid::Stale,
        }
    }

    fn vote(&mut self, term: u64, candidate: &Candidate, lease: Ttl, now: Instant) -> VoteSaid {
        // One that was cut off does not drive up the terms of those who have a leader: it is not even heard.
        if let Some(no) = self.too_long(lease).or_else(|| self.busy(candidate, now)) {
            return no;
        }
        if self.has_lapsed(term, candidate, now) {
            return VoteSaid::Lapsed;
        }
        match self.voter.request(term, candidate) {
            Ok(_) => self.promise(term, candidate, lease, now),
            Err(Refusal::Taken { .. }) => VoteSaid::Taken,
            Err(_) => VoteSaid::Stale,
        }
    }

    /// Who beats has won its term: whatever was promised to others in it, or before it, is void.
    fn beat(&mut self, term: u64, candidate: &Candidate, lease: Ttl, now: Instant) -> VoteSaid {
        if let Some(no) = self.too_long(lease) {
            return no;
        }
        if term < self.state().term {
            return VoteSaid::Stale;
        }
        if self.has_lapsed(term, candidate, now) {
            return VoteSaid::Lapsed;
        }
        // In a new term it is also the one to have voted for. In this one its vote may be another's: who lost.
        let _voted = self.voter.request(term, candidate);
        self.promise(term, candidate, lease, now)
    }

    fn promise(&mut self, term: u64, candidate: &Candidate, lease: Ttl, now: Instant) -> VoteSaid {
        let until = self.patience.until(now, lease.get());
        let before = self.promise.take().filter(|it| it.is_of(term, candidate));
        let until = before.map_or(until, |before| before.until.max(until));
        let candidate = candidate.clone();
        self.promise = Some(Promise {
            candidate,
            term,
            until,
        });
        VoteSaid::Granted { lease: lease.get() }
    }

    fn resign(&mut self, nonce: Nonce, term: Option<u64>, now: Instant) -> VoteSaid {
        let was_held = match &mut self.promise {
            Some(it) if it.candidate.nonce == nonce && term.is_none_or(|term| term == it.term) => {
                let was_held = it.until > now;
                it.until = it.until.min(now);
                was_held
            }
            _ => false,
        };
        VoteSaid::Resigned { was_held }
    }

    fn too_long(&self, lease: Ttl) -> Option<VoteSaid> {
        let most = self.patience.most;
        (lease > most).then(|| VoteSaid::TooLong { most: most.get() })
    }

    fn alive(&self, now: Instant) -> Option<&Promise> {
        self.promise.as_ref().filter(|promise| promise.until > now)
    }

    /// Whether it waits for anybody but this candidate.
    fn busy(&self, candidate: &Candidate, now: Instant) -> Option<VoteSaid> {
        let promised = self.alive(now).filter(|it| it.candidate != *candidate);
        let named = |it: &Promise| (Some::<NodeId>(it.candidate.id.clone()), it.until);
        let shut = self
            .shut
            .filter(|until| *until > now)
            .map(|until| (None, until));
        let (leader, until) = promised.map(named).or(shut)?;
        let remaining = until - now;
        Some(VoteSaid::Busy { leader, remaining })
    }

    fn has_lapsed(&self, term: u64, candidate: &Candidate, now: Instant) -> bool {
        let of_it = |it: &&Promise| it.is_of(term, candidate);
        self.promise
            .as_ref()
            .filter(of_it)
            .is_some_and(|it| it.until <= now)
    }
}

impl Promise {
    fn is_of(&self, term: u64, candidate: &Candidate) -> bool {
        self.term == term && self.candidate == *candidate
    }
}

#[cfg(test)]
#[path = "seat_tests.rs"]
mod tests;

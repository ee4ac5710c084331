//! [`Voters`]: an election as a store of leases.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::{Clock, Seed};
use murphy_quorum::{BadQuorum, Compensate, Matching, Quorum, QuorumError, Threshold};
use tower_service::Service;

use super::ballot::{Ballot, Judging, Polled, Voting, undo};
use super::core::Electorate;
use super::protocol::{Candidate, VoteAsk, VoteReply, VoteSaid};
use crate::store::quorum::{Memory, NoMajority};
use crate::{
    Holder, LeaseReply, LeaseRequest, LockName, NodeId, Nonce, Rank, Renew, Ttl, VoteRequest,
};

type Undo<S> = Compensate<fn(&Ballot) -> Option<Ballot>, Voting<S>, Ballot>;
type Asked<S> = Quorum<NodeId, Voting<S>, Threshold, Judging, Undo<S>>;
type Crowd<S> = Quorum<NodeId, Voting<S>, Matching, Polled>;

/// An election as a store of leases: who acquires, stands; the seq of the rank is the term; a renewal is a beat, a release a resignation.
///
/// [`Election`](crate::Election) has it under the client of leases.
#[derive(Clone)]
pub(crate) struct Voters<S> {
    pub(super) me: NodeId,
    asked: Asked<S>,
    crowd: Crowd<S>,
    undo: Undo<S>,
    pub(super) electorate: Electorate,
    pub(super) memory: Memory,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: Seed,
    pub(super) era: u32,
    pub(super) patience: Duration,
    pub(super) timeout: Duration,
}

/// Nobody was elected, or heard.
#[derive(Debug, thiserror::Error)]
pub enum NotElected<E> {
    /// Too few voters answered: nobody knows what became of it. A vote that may have been given is being taken back.
    #[error(transparent)]
    NoMajority(NoMajority<NodeId, E>),
    /// The voters promise no lease that long.
    #[error(
        "no voter waits for a leader for {asked}: ask for {most:?} at most, or raise the voters' `longest`"
    )]
    TooLong {
        /// What was asked.
        asked: Ttl,
        /// The longest that one of them promises.
        most: Duration,
    },
}

/// The leader and its term, if a majority knows of one.
type Polling<E> = Result<Option<(u64, NodeId)>, QuorumError<NodeId, E>>;

/// A round without a majority.
pub(super) struct Missed<E> {
    pub(super) replies: Vec<VoteReply>,
    why: QuorumError<NodeId, E>,
}

impl<S> Voters<S>
where
    S: Service<VoteRequest, Response = VoteReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    pub(super) fn try_new(
        me: NodeId,
        voters: impl IntoIterator<Item = (NodeId, S)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadQuorum> {
        let most = murphy_quorum::Set::MOST + 1;
        let voters = voters.into_iter().take(most);
        let voters: Vec<_> = voters.map(|(id, voter)| (id, Voting(voter))).collect();
        let (members, majority) = (voters.len(), Threshold::majority(voters.len())?);
        let need = majority.needed();
        let undo = Compensate::new(undo as fn(&Ballot) -> Option<Ballot>);
        let asked = Quorum::try_new(voters.clone(), majority)?
            .judge(Judging)
            .stragglers(undo.clone())
            .named("election")
            // Whoever is not elected is told by the reply.
            .quiet();
        let crowd = Quorum::try_new(voters, Matching::try_new(members, need - 1)?)?
            .judge(Polled)
            .named("election.observe");
        Ok(Self {
            me,
            asked,
            crowd,
            undo,
            electorate: Electorate { members, need },
            memory: Memory::default(),
            clock,
            seed: Seed::fresh(),
            era: 0,
            patience: Duration::from_millis(500),
            timeout: Duration::from_millis(150),
        })
    }

    /// Whom a majority takes for the leader: at once, of which term. An error where no majority agrees.
    ///
    /// Boxed, for who watches from a task of its own: what is in it is `Send` here, and the compiler cannot see that from outside.
    pub(super) fn poll_leader<'a>(
        &'a mut self,
        election: &'a LockName,
    ) -> Pin<Box<dyn Future<Output = Polling<S::Error>> + Send + 'a>> {
        Box::pin(async move {
            let mut crowd = self.crowd.clone().patience(self.patience);
            let ask = VoteAsk::Observe;
            let answer = crowd.call(Ballot::new(VoteRequest {
                election: election.clone(),
                ask,
            }));
            let reply = answer.await?.into_value();
            let VoteSaid::Observed { leader } = reply.said else {
                return Ok(None);
            };
            Ok(leader.map(|it| (it.term, it.leader)))
        })
    }

    async fn renew(&mut self, asked: Renew) -> Result<LeaseReply, NotElected<S::Error>> {
        let Renew {
            lock,
            nonce,
            rank,
            ttl,
        } = asked;
        let missed = match self.beat(&lock, nonce, rank.seq, ttl).await {
            Ok(ttl) => return Ok(LeaseReply::Renewed { ttl }),
            Err(missed) => missed,
        };
        let over = missed.replies.iter();
        let over = over.filter(|it| matches!(it.said, VoteSaid::Lapsed | VoteSaid::Stale));
        if over.count() < self.electorate.need {
            return Err(missed.of("renew", &lock));
        }
        self.memory.lost(&lock, nonce);
        let terms = missed.replies.iter().map(|reply| reply.term);
        let high = Rank::new(rank.era, terms.max().unwrap_or(0));
        self.memory.saw(&lock, high);
        Ok(LeaseReply::NotHolder { high })
    }

    pub(super) async fn beat(
        &mut self,
        lock: &LockName,
        nonce: Nonce,
        term: u64,
        lease: Ttl,
    ) -> Result<Duration, Missed<S::Error>> {
        let candidate = self.candidate(nonce);
        let ask = VoteAsk::Beat {
            term,
            candidate,
            lease,
        };
        let patience = self.patience.min(lease.get() / 6);
        self.round(lock, ask, patience, None).await?;
        Ok(lease.get())
    }

    async fn release(
        &mut self,
        lock: LockName,
        nonce: Nonce,
    ) -> Result<LeaseReply, NotElected<S::Error>> {
        let term = None;
        let ask = VoteAsk::Resign { nonce, term };
        let replies = self.round(&lock, ask, self.patience, None).await;
        let replies = replies.map_err(|missed| missed.of("release", &lock))?;
        self.memory.lost(&lock, nonce);
        let held = |reply: &VoteReply| reply.said == VoteSaid::Resigned { was_held: true };
        let was_held = replies.iter().any(held);
        Ok(LeaseReply::Released { was_held })
    }

    async fn observe(&mut self, lock: LockName) -> Result<LeaseReply, NotElected<S::Error>> {
        let round = self.round(&lock, VoteAsk::Observe, self.patience, None);
        let replies = round.await.map_err(|missed| missed.of("observe", &lock))?;
        let high = replies.iter().map(|reply| reply.term).max().unwrap_or(0);
        let seen = replies.into_iter().filter_map(|reply| match reply.said {
            VoteSaid::Observed { leader } => leader,
            _ => None,
        });
        let holder = seen.max_by_key(|it| (it.term, it.remaining));
        let holder = holder.map(|it| Holder {
            rank: Rank::new(self.era, it.term),
            remaining: it.remaining,
        });
        let high = Rank::new(if high == 0 { 0 } else { self.era }, high);
        self.memory.saw(&lock, high);
        Ok(LeaseReply::Observed { high, holder })
    }

    /// Asks all. `lasts`: for how long what was voted in vain is waited for.
    pub(super) async fn round(
        &mut self,
        lock: &LockName,
        ask: VoteAsk,
        patience: Duration,
        lasts: Option<Ttl>,
    ) -> Result<Vec<VoteReply>, Missed<S::Error>> {
        let undo = self.undo.clone().patience(patience);
        let undo = lasts.map_or(undo.clone(), |ttl| undo.attempts(20, ttl.get() / 20));
        let mut asked = self.asked.clone().patience(patience).stragglers(undo);
        let ballot = Ballot::new(VoteRequest {
            election: lock.clone(),
            ask,
        });
        let slate = ballot.slate.clone();
        let answer = asked.call(ballot).await;
        let replies = slate.read();
        match answer {
            Ok(_) => Ok(replies),
            Err(why) => Err(Missed { replies, why }),
        }
    }

    pub(super) fn candidate(&self, nonce: Nonce) -> Candidate {
        let id = self.me.clone();
        Candidate { id, nonce }
    }
}

impl<E> Missed<E> {
    pub(super) fn silent(&self) -> usize {
        self.why.why().unknown.len()
    }

    pub(super) fn is_silent(&self, electorate: Electorate) -> bool {
        self.silent() > electorate.members - electorate.need
    }

    pub(super) fn of(self, verb: &'static str, lock: &LockName) -> NotElected<E> {
        NotElected::NoMajority(NoMajority::new(verb, lock, self.why))
    }
}

impl<S> Service<LeaseRequest> for Voters<S>
where
    S: Service<VoteRequest, Response = VoteReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = LeaseReply;
    type Error = NotElected<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let mut voters = self.clone();
        Box::pin(async move {
            match request {
                LeaseRequest::Acquire(asked) => voters.acquire(asked).await,
                LeaseRequest::Renew(asked) => voters.renew(asked).await,
                LeaseRequest::Release { lock, nonce } => voters.release(lock, nonce).await,
                LeaseRequest::Observe { lock } => voters.observe(lock).await,
            }
        })
    }
}

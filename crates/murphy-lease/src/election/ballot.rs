//! [`Ballot`]: one round among voters, and where what they say is written down.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use murphy_quorum::{Judge, Outcome};
use tower_service::Service;

use super::protocol::{VoteAsk, VoteReply, VoteSaid};
use crate::store::quorum::turn::not_before_all_are_asked;
use crate::{NodeId, VoteRequest};

/// What all voters are asked, with the round's slate.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub(super) request: VoteRequest,
    pub(super) slate: Slate,
}

/// What was said in a round: once by each voter at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Slate(Arc<Mutex<Vec<VoteReply>>>);

/// A voter.
#[derive(Clone, Debug)]
pub(super) struct Voting<S>(pub(super) S);

/// Yes, no, or neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging;

/// Whom each takes for the leader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polled;

impl Ballot {
    pub(super) fn new(request: VoteRequest) -> Self {
        let slate = Slate::default();
        Self { request, slate }
    }
}

/// A vote that elected nobody is waited for no longer.
pub(super) fn undo(ballot: &Ballot) -> Option<Ballot> {
    let VoteAsk::Vote {
        term, candidate, ..
    } = &ballot.request.ask
    else {
        return None;
    };
    let (nonce, term) = (candidate.nonce, Some(*term));
    Some(Ballot::new(VoteRequest {
        election: ballot.request.election.clone(),
        ask: VoteAsk::Resign { nonce, term },
    }))
}

impl Slate {
    pub(super) fn read(&self) -> Vec<VoteReply> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl<S> Service<Ballot> for Voting<S>
where
    S: Service<VoteRequest, Response = VoteReply>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = VoteReply;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<VoteReply, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, ballot: Ballot) -> Self::Future {
        let call = self.0.call(ballot.request);
        Box::pin(async move {
            let reply = not_before_all_are_asked(call).await?;
            let slate = &ballot.slate.0;
            slate
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(reply.clone());
            Ok(reply)
        })
    }
}

impl<E> Judge<VoteReply, E> for Judging {
    type Vote = ();

    fn judge(&self, result: Result<&VoteReply, &E>) -> Outcome<()> {
        match result.map(|reply| &reply.said) {
            Ok(
                VoteSaid::Would
                | VoteSaid::Granted { .. }
                | VoteSaid::Resigned { .. }
                | VoteSaid::Observed { .. },
            ) => Outcome::Yes(()),
            Ok(
                VoteSaid::Stale
                | VoteSaid::Taken
                | VoteSaid::Busy { .. }
                | VoteSaid::TooLong { .. }
                | VoteSaid::Lapsed,
            ) => Outcome::No,
            Err(_) => Outcome::Unknown,
        }
    }
}

impl<E> Judge<VoteReply, E> for Polled {
    type Vote = Option<(u64, NodeId)>;

    fn judge(&self, result: Result<&VoteReply, &E>) -> Outcome<Self::Vote> {
        match result.map(|reply| &reply.said) {
            Ok(VoteSaid::Observed { leader }) => {
                let named = leader.as_ref().map(|it| (it.term, it.leader.clone()));
                Outcome::Yes(named)
            }
            Ok(_) => Outcome::No,
            Err(_) => Outcome::Unknown,
        }
    }
}

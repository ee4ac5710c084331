//! The end of a question: the answer, or why there is none, and what is left.

use std::sync::Arc;

use tower_service::Service;

use super::ResponseFuture;
use crate::service::latency::Seen;
use crate::service::{Answer, Judge, Leftover, Outcomes, QuorumError, Stragglers, event};
use crate::tally::Standings;
use crate::{Decision, Rule, Set, Why};

impl<N, S, Req, U, J, T> ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    U: Rule<J::Vote>,
    T: Stragglers<S, Req>,
{
    pub(super) fn decided(&mut self, decision: Decision) -> Answer<N, S::Response, S::Error> {
        let Some(Ok(value)) = self.results[decision.reply].take() else {
            unreachable!("a decision falls on a reply");
        };
        // Who is late took so long at least.
        for at in self.asked.under_way().iter() {
            self.watch.saw(at, Seen::AtLeast);
        }
        let outcomes = self.outcomes();
        self.settle(true);
        let elapsed = self.watch.began().elapsed();
        Answer {
            value,
            decision,
            outcomes,
            elapsed,
        }
    }

    pub(super) fn impossible(&mut self, why: Why) -> QuorumError<N, S::Error> {
        event::impossible(&self.site, &why, self.is_quiet);
        let outcomes = self.outcomes().without_replies();
        self.settle(false);
        let elapsed = self.watch.began().elapsed();
        QuorumError {
            why,
            outcomes,
            elapsed,
        }
    }

    fn outcomes(&mut self) -> Outcomes<N, S::Response, S::Error> {
        let round = self.round.as_ref();
        let nobody = || Standings::new(Set::EMPTY);
        Outcomes {
            names: Arc::clone(&self.names),
            stand: round.map_or_else(nobody, |round| round.tally().standings()),
            results: std::mem::take(&mut self.results),
        }
    }
}

impl<N, S, Req, U, J, T> ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    T: Stragglers<S, Req>,
{
    /// Hands what is left to whom it concerns, once.
    fn settle(&mut self, decided: bool) {
        let Some(round) = self.round.take() else {
            return;
        };
        let under_way = self.asked.under_way();
        // Who is under way without a call panicked, or its judge did: it may have done it.
        let mut panicked = under_way;
        let calls = self.calls.drain(..).enumerate();
        let calls = calls.filter(|(at, _)| under_way.contains(*at));
        let calls = calls.filter_map(|(at, call)| Some((at, call?)));
        let calls = calls.inspect(|(at, _)| panicked = panicked.minus(Set::one(*at)));
        // What has not left is not sent behind the caller's back.
        let calls: Vec<_> = calls.filter(|(_, call)| call.is_sent()).collect();
        let tally = round.tally();
        let granted = tally.yes().or(tally.unknown()).or(tally.equivocated());
        let granted = granted.or(panicked);
        let granted = if decided {
            Set::EMPTY
        } else {
            granted.minus(self.asked.waiting())
        };
        self.stragglers.settle(Leftover {
            calls,
            granted,
            decided,
            site: Arc::clone(&self.site),
        });
    }
}

impl<N, S, Req, U, J, T> Drop for ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    T: Stragglers<S, Req>,
{
    fn drop(&mut self) {
        self.settle(false);
    }
}

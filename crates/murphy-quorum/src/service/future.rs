//! [`ResponseFuture`]: members that are polled until there is a verdict.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::latency::{Latencies, Seen};
use super::member::Call;
use super::{Answer, Judge, Leftover, Outcomes, Quorum, QuorumError, Stragglers, event};
use crate::{Decision, Members, Outcome, Round, Rule, Set, Verdict, Why};

/// A question to a quorum.
///
/// # Panics
///
/// Where a plan or patience needs a timer, outside of a tokio runtime with time enabled; when polled after it
/// was done. A panic of a member, of the judge or of the rule is the caller's, as with any service: the question is
/// given up, and what became of it then is up to [`Stragglers`].
///
/// # Cancel safety
///
/// Dropped, it is given up: what becomes of those who are under way is up to [`Stragglers`].
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    T: Stragglers<S, Req>,
{
    names: Arc<Members<N>>,
    site: Arc<str>,
    round: Option<Round<J::Vote, U>>,
    judge: J,
    stragglers: T,
    calls: Vec<Option<Pin<Box<Call<S, Req>>>>>,
    results: Vec<Option<Result<S::Response, S::Error>>>,
    /// Who is asked, while they have not answered.
    under_way: Set,
    /// Who is not asked yet.
    waiting: Set,
    /// In which order they are.
    order: SmallVec<[u8; 16]>,
    /// Who is asked only to see how quick it is.
    probed: Set,
    latencies: Option<(Arc<Latencies>, Option<f64>)>,
    /// When those were asked who were not asked at once; empty while there is none.
    asked: Vec<Instant>,
    began: Instant,
    hedge_after: Option<Duration>,
    gives_up: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    next_hedge: Option<Instant>,
}

impl<N, S, Req, U, J, T> Unpin for ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    T: Stragglers<S, Req>,
{
}

impl<N, S, Req, U, J, T> ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req> + Clone,
    Req: Clone,
    J: Judge<S::Response, S::Error> + Clone,
    U: Rule<J::Vote> + Clone,
    T: Stragglers<S, Req> + Clone,
{
    pub(super) fn new(quorum: &Quorum<N, S, U, J, T>, request: Req) -> Self {
        let (members, plan) = (quorum.rule.members(), quorum.plan);
        let mut order: SmallVec<[u8; 16]> = (0..quorum.replicas.len() as u8).collect();
        plan.order(&quorum.latencies, &mut order);
        let first = plan.first(&quorum.rule, &order);
        let probed = plan.probe(&quorum.latencies).and(members).minus(first);
        let under_way = first.or(probed);
        let began = Instant::now();
        let mut stragglers = quorum.stragglers.clone();
        stragglers.prepare(&quorum.replicas, &request);
        let call = |replica: &S| Some(Box::pin(Call::new(replica.clone(), request.clone())));
        let hedge_after = plan.hedge_after(&quorum.latencies);
        let measured = plan.measures().then(|| Arc::clone(&quorum.latencies));
        Self {
            names: Arc::clone(&quorum.names),
            site: Arc::clone(&quorum.site),
            round: Some(Round::new(quorum.rule.clone())),
            judge: quorum.judge.clone(),
            stragglers,
            calls: quorum.replicas.iter().map(call).collect(),
            results: quorum.replicas.iter().map(|_| None).collect(),
            under_way,
            waiting: members.minus(under_way),
            order,
            probed,
            asked: Vec::new(),
            latencies: measured.map(|latencies| (latencies, plan.percentile())),
            began,
            hedge_after,
            gives_up: quorum.patience.and_then(|wait| began.checked_add(wait)),
            timer: None,
            next_hedge: hedge_after.and_then(|wait| began.checked_add(wait)),
        }
    }
}

impl<N, S, Req, U, J, T> ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    U: Rule<J::Vote>,
    T: Stragglers<S, Req>,
{
    /// When this member was asked, where that matters.
    fn asked_at(&mut self, at: usize) {
        if self.latencies.is_some() {
            let members = self.calls.len();
            let began = self.began;
            self.asked.resize(members, began);
            self.asked[at] = Instant::now();
        }
    }

    /// A member answered, or is not waited for any more.
    fn measured(&self, at: usize, seen: Seen) {
        if let Some((latencies, percentile)) = &self.latencies {
            let asked = self.asked.get(at).copied().unwrap_or(self.began);
            let is_anew = seen == Seen::Answered && self.probed.contains(at);
            let seen = if is_anew { Seen::Anew } else { seen };
            latencies.saw(at, asked.elapsed(), seen, *percentile);
        }
    }

    /// To fail at once is not to be quick.
    fn failed(&self, at: usize) {
        if let Some((latencies, _)) = &self.latencies {
            let least = self.hedge_after.unwrap_or_default();
            latencies.saw(at, least, Seen::AtLeast, None);
        }
    }

    fn hear(&mut self, at: usize, outcome: Outcome<J::Vote>) -> Verdict {
        let Some(round) = &mut self.round else {
            panic!("polled after it was done");
        };
        // Only members are asked.
        round.on(at, outcome).unwrap_or(round.verdict())
    }

    /// One more is asked. Whether there was one.
    fn ask_next(&mut self) -> bool {
        let mut order = self.order.iter().map(|at| usize::from(*at));
        let Some(at) = order.find(|at| self.waiting.contains(*at)) else {
            return false;
        };
        self.asked_at(at);
        event::hedged(&self.site, at);
        self.waiting = self.waiting.minus(Set::one(at));
        self.under_way = self.under_way.or(Set::one(at));
        true
    }

    /// One in the place of who failed, and others while those who are asked cannot decide it.
    fn ask_more(&mut self, failed: bool) {
        let mut more = failed;
        while !self.waiting.is_empty() && (more || !self.suffices()) {
            more = false;
            self.ask_next();
        }
    }

    /// Whether it could be decided by those who are asked.
    fn suffices(&self) -> bool {
        let would_do = |round: &Round<J::Vote, U>| {
            let yes = round.tally().yes().or(self.under_way);
            round.rule().would_do(yes)
        };
        !self.under_way.is_empty() && self.round.as_ref().is_some_and(would_do)
    }

    /// Each that is under way is polled once, also those who are asked because another failed.
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Verdict {
        let mut left = self.under_way;
        while let Some(at) = left.iter().next() {
            left = left.minus(Set::one(at));
            // Out of its place meanwhile: one that panics is nobody's to poll again.
            let Some(mut call) = self.calls[at].take() else {
                continue;
            };
            call.as_mut().within(|| event::calling(&self.site, at));
            let Poll::Ready(result) = call.as_mut().poll(cx) else {
                self.calls[at] = Some(call);
                continue;
            };
            let outcome = match self.judge.judge(result.as_ref()) {
                // There is no reply that it could fall on.
                Outcome::Yes(_) if result.is_err() => Outcome::Unknown,
                outcome => outcome,
            };
            match outcome {
                Outcome::Unknown => self.failed(at),
                Outcome::Yes(_) | Outcome::No => self.measured(at, Seen::Answered),
            }
            let failed = !matches!(outcome, Outcome::Yes(_));
            self.results[at] = Some(result);
            let verdict = self.hear(at, outcome);
            self.under_way = self.under_way.minus(Set::one(at));
            if verdict != Verdict::Pending {
                return verdict;
            }
            let before = self.under_way;
            self.ask_more(failed);
            left = left.or(self.under_way.minus(before));
        }
        Verdict::Pending
    }

    /// When it has to look again whatever the members do.
    fn next_look(&self) -> Option<Instant> {
        let hedge = self.next_hedge.filter(|_| !self.waiting.is_empty());
        hedge.into_iter().chain(self.gives_up).min()
    }

    /// Whether time has passed that changes anything.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(at) = self.next_look() else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx).map(|()| at)
    }

    /// Nobody is waited for any more.
    fn give_up(&mut self) -> Verdict {
        let open = self.under_way.or(self.waiting);
        let mut verdict = Verdict::Pending;
        for at in open.iter() {
            if self.under_way.contains(at) {
                self.measured(at, Seen::AtLeast);
            }
            verdict = self.hear(at, Outcome::Unknown);
        }
        verdict
    }

    fn decided(&mut self, decision: Decision) -> Answer<N, S::Response, S::Error> {
        let Some(Ok(value)) = self.results[decision.reply].take() else {
            unreachable!("a decision falls on a reply");
        };
        // Who is late took so long at least.
        self.under_way
            .iter()
            .for_each(|at| self.measured(at, Seen::AtLeast));
        let outcomes = self.outcomes();
        self.settle(true);
        let elapsed = self.began.elapsed();
        Answer {
            value,
            decision,
            outcomes,
            elapsed,
        }
    }

    fn impossible(&mut self, why: Why) -> QuorumError<N, S::Error> {
        event::impossible(&self.site, &why);
        let outcomes = self.outcomes().without_replies();
        self.settle(false);
        let elapsed = self.began.elapsed();
        QuorumError {
            why,
            outcomes,
            elapsed,
        }
    }

    fn outcomes(&mut self) -> Outcomes<N, S::Response, S::Error> {
        let members = self.calls.len();
        let standing = |at| self.round.as_ref().map(|round| round.tally().standing(at));
        let standings = (0..members).filter_map(standing).collect();
        Outcomes {
            names: Arc::clone(&self.names),
            standings,
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
        let under_way = self.under_way;
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
            granted.minus(self.waiting)
        };
        self.stragglers.settle(Leftover {
            calls,
            granted,
            decided,
            site: Arc::clone(&self.site),
        });
    }
}

impl<N, S, Req, U, J, T> Future for ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    U: Rule<J::Vote>,
    T: Stragglers<S, Req>,
{
    type Output = Result<Answer<N, S::Response, S::Error>, QuorumError<N, S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let verdict = loop {
            let verdict = this.poll_calls(cx);
            if verdict != Verdict::Pending {
                break verdict;
            }
            let Poll::Ready(now) = this.poll_time(cx) else {
                return Poll::Pending;
            };
            if this.gives_up.is_some_and(|at| at <= now) {
                break this.give_up();
            }
            // ## One more is asked, and the next after as long again.
            this.ask_next();
            let wait = this.hedge_after.unwrap_or(Duration::MAX);
            this.next_hedge = now.checked_add(wait);
        };
        match verdict {
            Verdict::Decided(decision) => Poll::Ready(Ok(this.decided(decision))),
            Verdict::Impossible(why) => Poll::Ready(Err(this.impossible(why))),
            Verdict::Pending => unreachable!("nobody is left to answer, and it is neither"),
        }
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

impl<N: fmt::Debug, S, Req, U, J, T> fmt::Debug for ResponseFuture<N, S, Req, U, J, T>
where
    S: Service<Req>,
    J: Judge<S::Response, S::Error>,
    T: Stragglers<S, Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("quorum::ResponseFuture")
            .field("under_way", &self.under_way)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

//! [`ResponseFuture`]: members that are polled until there is a verdict.

mod asked;
mod over;
mod timer;
mod watch;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use self::asked::Asked;
use self::timer::{Due, Timer};
use self::watch::Watch;
use super::latency::Seen;
use super::member::Call;
use super::{Answer, Judge, Quorum, QuorumError, Stragglers, event};
use crate::{Members, Outcome, Round, Rule, Set, Verdict};

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
    is_quiet: bool,
    round: Option<Round<J::Vote, U>>,
    judge: J,
    stragglers: T,
    /// By position; none: it has answered, or is being polled.
    calls: Vec<Option<Pin<Box<Call<S, Req>>>>>,
    results: Vec<Option<Result<S::Response, S::Error>>>,
    asked: Asked,
    watch: Watch,
    timer: Timer,
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
        let (plan, latencies) = (quorum.plan, &quorum.latencies);
        let hedge_after = plan.hedge_after(latencies);
        let watch = Watch::new(plan, latencies, hedge_after);
        let mut stragglers = quorum.stragglers.clone();
        stragglers.prepare(&quorum.replicas, &request);
        let call = |replica: &S| Some(Box::pin(Call::new(replica.clone(), request.clone())));
        Self {
            names: Arc::clone(&quorum.names),
            site: Arc::clone(&quorum.site),
            is_quiet: quorum.is_quiet,
            round: Some(Round::new(quorum.rule.clone())),
            judge: quorum.judge.clone(),
            stragglers,
            calls: quorum.replicas.iter().map(call).collect(),
            results: quorum.replicas.iter().map(|_| None).collect(),
            asked: Asked::new(plan, &quorum.rule, quorum.replicas.len(), latencies),
            timer: Timer::new(watch.began(), hedge_after, quorum.patience),
            watch,
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
    /// Each that is under way is polled once, also those who are asked because another failed.
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Verdict {
        let mut left = self.asked.under_way();
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
            let outcome = self.judged(at, &result);
            let failed = !matches!(outcome, Outcome::Yes(_));
            self.results[at] = Some(result);
            let verdict = self.hear(at, outcome);
            self.asked.heard(at);
            if verdict != Verdict::Pending {
                return verdict;
            }
            let before = self.asked.under_way();
            self.ask_more(failed);
            left = left.or(self.asked.under_way().minus(before));
        }
        Verdict::Pending
    }

    fn judged(&self, at: usize, result: &Result<S::Response, S::Error>) -> Outcome<J::Vote> {
        let outcome = match self.judge.judge(result.as_ref()) {
            // There is no reply that it could fall on.
            Outcome::Yes(_) if result.is_err() => Outcome::Unknown,
            outcome => outcome,
        };
        match outcome {
            Outcome::Unknown => self.watch.saw_fail(at),
            Outcome::Yes(_) | Outcome::No if self.asked.probed().contains(at) => {
                self.watch.saw(at, Seen::Anew);
            }
            Outcome::Yes(_) | Outcome::No => self.watch.saw(at, Seen::Answered),
        }
        outcome
    }

    fn hear(&mut self, at: usize, outcome: Outcome<J::Vote>) -> Verdict {
        let Some(round) = &mut self.round else {
            panic!("polled after it was done");
        };
        // Only members are asked.
        round.on(at, outcome).unwrap_or(round.verdict())
    }

    /// One in the place of who failed, and others while those who are asked cannot decide it.
    fn ask_more(&mut self, failed: bool) {
        let mut more = failed;
        while !self.asked.waiting().is_empty() && (more || !self.suffices()) {
            more = false;
            self.ask_next();
        }
    }

    /// Whether it could be decided by those who are asked.
    fn suffices(&self) -> bool {
        let under_way = self.asked.under_way();
        let would_do = |round: &Round<J::Vote, U>| {
            let yes = round.tally().yes().or(under_way);
            round.rule().would_do(yes)
        };
        !under_way.is_empty() && self.round.as_ref().is_some_and(would_do)
    }

    /// One more is asked, if there is one.
    fn ask_next(&mut self) {
        if let Some(at) = self.asked.next() {
            self.watch.asks(at, self.calls.len());
            event::hedged(&self.site, at);
        }
    }

    /// Nobody is waited for any more.
    fn give_up(&mut self) -> Verdict {
        let under_way = self.asked.under_way();
        let mut verdict = Verdict::Pending;
        for at in under_way.or(self.asked.waiting()).iter() {
            if under_way.contains(at) {
                self.watch.saw(at, Seen::AtLeast);
            }
            verdict = self.hear(at, Outcome::Unknown);
        }
        verdict
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
            match this.timer.poll(!this.asked.waiting().is_empty(), cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Due::GiveUp) => break this.give_up(),
                Poll::Ready(Due::Hedge) => this.ask_next(),
            }
        };
        match verdict {
            Verdict::Decided(decision) => Poll::Ready(Ok(this.decided(decision))),
            Verdict::Impossible(why) => Poll::Ready(Err(this.impossible(why))),
            Verdict::Pending => unreachable!("nobody is left to answer, and it is neither"),
        }
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
            .field("under_way", &self.asked.under_way())
            .field("waiting", &self.asked.waiting())
            .finish_non_exhaustive()
    }
}

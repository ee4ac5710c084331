//! [`Asker`]: a store is asked, and asked again, until it has granted a lock or the time is up.

use std::time::Duration;

use murphy_core::Scope;
use tokio::time::Instant;

use super::super::error::{AcquireError, BadReply, Last};
use super::super::pending::Pending;
use crate::ask::{LeaseStore, ask_by};
use crate::lease::Kept;
use crate::pace::TICK;
use crate::validity::Validity;
use crate::{
    Acquire, Claim, FencingToken, Grant, Holder, Lease, LeaseReply, LeaseRequest, Rank, Renew,
    Renewal, event,
};

/// Asks, and asks again.
pub(super) struct Asker<S: LeaseStore> {
    pub(super) pending: Pending<S>,
    pub(super) deadline: Duration,
    pub(super) floor: Rank,
    pub(super) renewal: Renewal,
    pub(super) once: bool,
    /// When the first request left.
    pub(super) began: Option<Instant>,
    /// `None` is for ever.
    pub(super) by: Option<Instant>,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) helds: u32,
    /// For how long the store may keep the next request.
    pub(super) wait: Duration,
}

/// What to do after an answer.
enum Next<E> {
    Done(Lease),
    Again(Last<E>, Duration),
}

impl<S: LeaseStore> Asker<S> {
    pub(super) async fn run(&mut self) -> Result<Lease, AcquireError<S::Error>> {
        let mut before = None;
        let mut sent = self.now();
        self.began = Some(sent);
        // The scope's is an instant of tokio's; ours may be another clock's.
        let scope = Scope::current().deadline();
        let scope = scope.map(|at| at.saturating_duration_since(Instant::now()));
        let deadline = scope.map_or(self.deadline, |left| left.min(self.deadline));
        self.by = sent.checked_add(deadline);
        loop {
            let left = self.left(sent);
            let wait = self.wait.min(left);
            let patience = wait.saturating_add(self.pending.ttl.get() / 3).max(TICK);
            let give_up = sent + patience.min(left);
            self.attempts = self.attempts.saturating_add(1);
            self.pending.sent(give_up);
            let request = self.request(wait);
            let reply = self.ask(request, give_up).await;
            let (mut last, pause) = match self.answered(sent, wait, reply).await? {
                Next::Done(lease) => return Ok(lease),
                Next::Again(last, pause) => (last, pause),
            };
            // That our deadline cut a request short says nothing of the store.
            if matches!(last, Last::Silence) && left < patience {
                last = before.take().unwrap_or(last);
            }
            let now = self.now();
            if self.left(now) <= pause || self.once {
                return Err(self.too_late(now, last));
            }
            before = Some(last);
            if !pause.is_zero() {
                let clock = &self.pending.settings.clock;
                clock.sleep_until(now + pause).await;
            }
            sent = self.now();
        }
    }

    async fn answered(
        &mut self,
        sent: Instant,
        wait: Duration,
        reply: Option<Result<LeaseReply, S::Error>>,
    ) -> Result<Next<S::Error>, AcquireError<S::Error>> {
        match reply {
            Some(Ok(LeaseReply::Granted(grant))) => self.granted(sent, wait, grant).await,
            Some(Ok(LeaseReply::Held(holder))) => self.held(sent, wait, holder),
            Some(Ok(LeaseReply::Passed { high })) => self.passed(high),
            Some(Ok(reply)) => Err(BadReply::new("acquire", &reply, "").into()),
            Some(Err(e)) if self.once => Err(AcquireError::Store(e)),
            Some(Err(e)) => {
                self.pending.unknown();
                Ok(self.failed(Last::Store(e)))
            }
            None => {
                self.pending.unknown();
                Ok(self.failed(Last::Silence))
            }
        }
    }

    async fn granted(
        &mut self,
        sent: Instant,
        wait: Duration,
        grant: Grant,
    ) -> Result<Next<S::Error>, AcquireError<S::Error>> {
        let Grant { rank, ttl } = grant;
        let nonsense = |what| BadReply::new("acquire", &LeaseReply::Granted(grant), what);
        if !Validity::is_sane(ttl) {
            return Err(nonsense(format!(" for {ttl:?}")).into());
        }
        if rank <= self.floor {
            let what = format!(" at {rank}, which is not above {}", self.floor);
            return Err(nonsense(what).into());
        }
        let until = self.pending.settings.validity.until(sent, ttl);
        let mut now = self.now();
        let left = until.saturating_duration_since(now);
        // In a store's line it may have waited for most of what it is granted for, or longer: it is renewed before it is
        // handed out. Elsewhere that is no line: it was us who stood still, or the answer.
        if !wait.is_zero() && left <= ttl / 3 {
            // Few are: it has room of its own.
            if let Some((now, sent, ttl)) = Box::pin(self.renewed(rank)).await {
                return Ok(Next::Done(self.keep(now, rank, sent, ttl)));
            }
            now = self.now();
        }
        if now < until {
            return Ok(Next::Done(self.keep(now, rank, sent, ttl)));
        }
        self.pending.renounce();
        Ok(self.failed(Last::Late))
    }

    /// Renews what was granted long after it was asked for. The present, when that was asked, and for how long it runs from
    /// then.
    async fn renewed(&mut self, rank: Rank) -> Option<(Instant, Instant, Duration)> {
        let sent = self.now();
        let give_up = sent + (self.pending.ttl.get() / 3).max(TICK);
        self.pending.sent(give_up);
        let renew = LeaseRequest::Renew(Renew {
            lock: self.pending.lock.clone(),
            nonce: self.pending.nonce,
            rank,
            ttl: self.pending.ttl,
        });
        match self.ask(renew, give_up).await {
            Some(Ok(LeaseReply::Renewed { ttl })) if Validity::is_sane(ttl) => {
                let until = self.pending.settings.validity.until(sent, ttl);
                let now = self.now();
                (now < until).then_some((now, sent, ttl))
            }
            _ => None,
        }
    }

    fn keep(&mut self, now: Instant, rank: Rank, sent: Instant, granted: Duration) -> Lease {
        let nonce = self.pending.taken();
        let token = FencingToken::of(self.pending.lock.clone(), rank, nonce);
        let waited = self.waited(now);
        event::acquired(&self.pending.settings.site, &token, waited, self.attempts);
        Lease::keep(Kept {
            store: self.pending.store.clone(),
            settings: self.pending.settings.clone(),
            token,
            ttl: self.pending.ttl,
            renewal: self.renewal,
            sent,
            granted,
            now,
        })
    }

    #[cold]
    fn held(
        &mut self,
        sent: Instant,
        wait: Duration,
        holder: Holder,
    ) -> Result<Next<S::Error>, AcquireError<S::Error>> {
        let now = self.now();
        let waited = now.saturating_duration_since(sent);
        let is_first = wait.is_zero();
        // Where there is no line, it is answered at once. In one its clock says when the wait is over, which may be a fast one.
        let in_line = !is_first && waited >= wait / 2;
        if !in_line {
            // There is no place in a line to be given up.
            self.pending.refused();
        }
        let Holder { rank, remaining } = holder;
        if self.once {
            return Err(AcquireError::Held { rank, remaining });
        }
        self.failures = 0;
        let pause = if is_first || in_line {
            // Into the line, or there again, where the place is kept for a moment.
            Duration::ZERO
        } else {
            // There is no line.
            self.helds = self.helds.saturating_add(1);
            self.pause(self.helds).min(remaining.max(Self::BASE))
        };
        self.wait = self
            .pending
            .ttl
            .get()
            .clamp(Duration::from_secs(1), Self::LINE);
        Ok(Next::Again(Last::Held { rank, remaining }, pause))
    }

    #[cold]
    fn passed(&mut self, high: Rank) -> Result<Next<S::Error>, AcquireError<S::Error>> {
        self.pending.refused();
        // It was asked for more than that already, or there is no more.
        if self.once || high <= self.floor || high.next().is_none() {
            let high = high.max(self.floor);
            return Err(AcquireError::Exhausted { high });
        }
        self.floor = high;
        Ok(self.failed(Last::Passed { high }))
    }

    #[cold]
    fn failed(&mut self, last: Last<S::Error>) -> Next<S::Error> {
        self.failures = self.failures.saturating_add(1);
        // Whether it hears us at all is the first question: it is asked without a wait.
        self.wait = Duration::ZERO;
        Next::Again(last, self.pause(self.failures))
    }

    fn pause(&self, streak: u32) -> Duration {
        let pace = self.pending.settings.pace(self.pending.nonce);
        pace.wait(Self::BASE, Self::CAP, streak, u64::from(self.attempts))
    }

    #[cold]
    fn too_late(&self, now: Instant, last: Last<S::Error>) -> AcquireError<S::Error> {
        AcquireError::Deadline {
            waited: self.waited(now),
            attempts: self.attempts,
            last,
        }
    }

    fn ask(
        &self,
        request: LeaseRequest,
        by: Instant,
    ) -> impl Future<Output = Option<Result<LeaseReply, S::Error>>> + Send + use<'_, S> {
        let Pending {
            store, settings, ..
        } = &self.pending;
        ask_by(store.clone(), request, settings, by)
    }

    fn now(&self) -> Instant {
        self.pending.settings.clock.now()
    }

    fn request(&self, wait: Duration) -> LeaseRequest {
        LeaseRequest::Acquire(Acquire {
            lock: self.pending.lock.clone(),
            nonce: self.pending.nonce,
            ttl: self.pending.ttl,
            claim: Claim::Above(self.floor),
            wait,
        })
    }

    fn waited(&self, now: Instant) -> Duration {
        let began = self.began.unwrap_or(now);
        now.saturating_duration_since(began)
    }

    /// How much time there is; a long time, where there is all time.
    fn left(&self, now: Instant) -> Duration {
        let all = Validity::LONGEST;
        self.by
            .map_or(all, |by| by.saturating_duration_since(now).min(all))
    }

    /// The longest that one request stands in a store's line: whether it has got there is not known for so long.
    const LINE: Duration = Duration::from_secs(60);

    /// Between two attempts: up to this, twice this .. and no more than the other.
    const BASE: Duration = Duration::from_millis(10);
    const CAP: Duration = Duration::from_secs(1);
}

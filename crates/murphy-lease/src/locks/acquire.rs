//! [`Acquiring`]: a lock is asked for until it is granted.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::Locks;
use super::error::{AcquireError, BadReply, Last};
use super::owed::Pending;
use crate::ask::{LeaseStore, ask_by};
use crate::lease::Kept;
use crate::pace::TICK;
use crate::settings::Settings;
use crate::validity::Validity;
use crate::{
    Acquire, BadName, Claim, FencingToken, Grant, Holder, Lease, LeaseReply, LeaseRequest,
    LockName, Nonce, Rank, Renew, Renewal, Ttl, event,
};

/// A lock that is asked for: await it.
///
/// A request that failed, or was not answered within a third of the ttl, is repeated under the same nonce, so that
/// a grant whose answer was lost is not taken for a rival's; waits between attempts are drawn at random up to a bound that doubles to
/// a second. What was granted too late to be of use is released and asked for anew.
///
/// # Errors
///
/// [`AcquireError`]. From `acquire`, a store that fails and another that holds the lock are no errors before the deadline.
///
/// # Cancel safety
///
/// Safe. Dropped while a request is under way it has the lock released in the background, until the store has confirmed, or its
/// ttl is over; at most 1,024 such releases run at a time, and what is beyond is left to the ttl. A request that the
/// network delivers after its release is too.
#[must_use = "nothing is acquired before it is awaited"]
pub struct Acquiring<S, G = Lease> {
    store: S,
    settings: Settings,
    lock: Result<LockName, BadName>,
    ttl: Ttl,
    deadline: Duration,
    floor: Rank,
    renewal: Renewal,
    once: bool,
    guard: PhantomData<fn() -> G>,
}

impl<S: LeaseStore, G> Acquiring<S, G> {
    /// How long to wait where nothing is said.
    const DEADLINE: Duration = Duration::from_secs(30);

    pub(super) fn new<K>(locks: &Locks<S>, key: K, once: bool) -> Self
    where
        K: TryInto<LockName, Error: Into<BadName>>,
    {
        Self {
            store: locks.store.clone(),
            settings: locks.settings.clone(),
            lock: key.try_into().map_err(Into::into),
            ttl: locks.settings.ttl,
            deadline: Self::DEADLINE,
            floor: Rank::ZERO,
            renewal: Renewal::Auto,
            once,
            guard: PhantomData,
        }
    }

    /// For how long it is granted: how long the others wait for a holder that is gone.
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long to go on asking, the last answer included; at least one request is sent. 30 s by default;
    /// `Duration::MAX` is for ever.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Not below this: the rank by which a resource refused an older token, where the store may have forgotten its own.
    pub fn above(mut self, floor: Rank) -> Self {
        self.floor = self.floor.max(floor);
        self
    }

    /// Who decides whether it is renewed. [`Renewal::Auto`] by default.
    pub fn renewing(mut self, renewal: Renewal) -> Self {
        self.renewal = renewal;
        self
    }
}

impl<S, G> IntoFuture for Acquiring<S, G>
where
    S: LeaseStore,
    G: From<Lease> + 'static,
{
    type Output = Result<G, AcquireError<S::Error>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let lock = self.lock?;
            self.settings.validity.check(self.ttl)?;
            let span = event::acquiring(&self.settings.site, &lock);
            let began = self.settings.clock.now();
            let pending = Pending::new(&self.store, &self.settings, &lock, self.ttl);
            let asker = Asker {
                pending,
                store: self.store,
                lock,
                ttl: self.ttl,
                floor: self.floor,
                renewal: self.renewal,
                once: self.once,
                began,
                by: began.checked_add(self.deadline),
                attempts: 0,
                failures: 0,
                helds: 0,
                wait: Duration::ZERO,
                settings: self.settings,
            };
            asker.run().instrument(span).await.map(G::from)
        })
    }
}

/// Asks, and asks again.
struct Asker<S: LeaseStore> {
    store: S,
    settings: Settings,
    lock: LockName,
    ttl: Ttl,
    floor: Rank,
    renewal: Renewal,
    once: bool,
    pending: Pending<S>,
    began: Instant,
    /// `None` is for ever.
    by: Option<Instant>,
    attempts: u32,
    failures: u32,
    helds: u32,
    /// For how long the store may keep the next request.
    wait: Duration,
}

/// What to do after an answer.
enum Next<E> {
    Done(Lease),
    Again(Last<E>, Duration),
}

impl<S: LeaseStore> Asker<S> {
    async fn run(mut self) -> Result<Lease, AcquireError<S::Error>> {
        loop {
            let sent = self.settings.clock.now();
            let wait = self.wait.min(self.left(sent));
            let patience = wait.saturating_add(self.ttl.get() / 3).max(TICK);
            let give_up = sent + patience.min(self.left(sent));
            self.attempts = self.attempts.saturating_add(1);
            self.pending.sent(give_up);
            let request = self.request(wait);
            let clock = self.settings.clock.clone();
            let reply = ask_by(&self.store, request, &*clock, give_up).await;
            let (last, pause) = match self.answered(sent, wait, reply).await? {
                Next::Done(lease) => return Ok(lease),
                Next::Again(last, pause) => (last, pause),
            };
            let now = clock.now();
            if self.left(now) <= pause || self.once {
                return Err(self.too_late(now, last));
            }
            if !pause.is_zero() {
                clock.sleep_until(now + pause).await;
            }
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
        if self.settings.clock.now() < self.settings.validity.until(sent, ttl) {
            return Ok(Next::Done(self.keep(rank, sent, ttl)));
        }
        // In a store's line it may have waited for longer than it is granted for. Elsewhere that is no line: it was us who
        // stood still, or the answer.
        if !wait.is_zero() {
            if let Some((sent, ttl)) = self.renewed(rank).await {
                return Ok(Next::Done(self.keep(rank, sent, ttl)));
            }
        }
        self.pending.renounce();
        Ok(self.failed(Last::Late))
    }

    /// Renews what was granted long after it was asked for. When that was asked, and for how long it runs from then.
    async fn renewed(&mut self, rank: Rank) -> Option<(Instant, Duration)> {
        let clock = self.settings.clock.clone();
        let sent = clock.now();
        let give_up = sent + (self.ttl.get() / 3).max(TICK);
        self.pending.sent(give_up);
        let renew = LeaseRequest::Renew(Renew {
            lock: self.lock.clone(),
            nonce: self.pending.nonce,
            rank,
            ttl: self.ttl,
        });
        match ask_by(&self.store, renew, &*clock, give_up).await {
            Some(Ok(LeaseReply::Renewed { ttl })) if Validity::is_sane(ttl) => {
                let until = self.settings.validity.until(sent, ttl);
                (clock.now() < until).then_some((sent, ttl))
            }
            _ => None,
        }
    }

    fn keep(&mut self, rank: Rank, sent: Instant, granted: Duration) -> Lease {
        let nonce: Nonce = self.pending.taken();
        let token = FencingToken::of(self.lock.clone(), rank, nonce);
        let waited = self
            .settings
            .clock
            .now()
            .saturating_duration_since(self.began);
        event::acquired(&self.settings.site, &token, waited, self.attempts);
        Lease::keep(Kept {
            store: self.store.clone(),
            settings: self.settings.clone(),
            token,
            ttl: self.ttl,
            renewal: self.renewal,
            sent,
            granted,
        })
    }

    fn held(
        &mut self,
        sent: Instant,
        wait: Duration,
        holder: Holder,
    ) -> Result<Next<S::Error>, AcquireError<S::Error>> {
        self.pending.refused();
        let Holder { rank, remaining } = holder;
        if self.once {
            return Err(AcquireError::Held { rank, remaining });
        }
        self.failures = 0;
        let waited = self.settings.clock.now().saturating_duration_since(sent);
        let pause = if waited >= wait {
            // The first time, or a place in a line was kept to its end: into the line.
            Duration::ZERO
        } else {
            // There is no line.
            self.helds = self.helds.saturating_add(1);
            self.pause(self.helds).min(remaining.max(Self::BASE))
        };
        self.wait = self.ttl.get().clamp(Duration::from_secs(1), Self::LINE);
        Ok(Next::Again(Last::Held { rank, remaining }, pause))
    }

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

    fn failed(&mut self, last: Last<S::Error>) -> Next<S::Error> {
        self.failures = self.failures.saturating_add(1);
        // Whether it hears us at all is the first question: it is asked without a wait.
        self.wait = Duration::ZERO;
        Next::Again(last, self.pause(self.failures))
    }

    fn pause(&self, streak: u32) -> Duration {
        let pace = self.settings.pace(self.pending.nonce);
        pace.wait(Self::BASE, Self::CAP, streak, u64::from(self.attempts))
    }

    fn too_late(&self, now: Instant, last: Last<S::Error>) -> AcquireError<S::Error> {
        AcquireError::Deadline {
            waited: now.saturating_duration_since(self.began),
            attempts: self.attempts,
            last,
        }
    }

    fn request(&self, wait: Duration) -> LeaseRequest {
        LeaseRequest::Acquire(Acquire {
            lock: self.lock.clone(),
            nonce: self.pending.nonce,
            ttl: self.ttl,
            claim: Claim::Above(self.floor),
            wait,
        })
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

impl<S, G> fmt::Debug for Acquiring<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquiring")
            .field("lock", &self.lock)
            .field("ttl", &self.ttl)
            .field("deadline", &self.deadline)
            .field("renewal", &self.renewal)
            .finish_non_exhaustive()
    }
}

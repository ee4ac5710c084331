//! [`Acquiring`]: a lock is asked for until it is granted.

mod asker;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use tracing::Instrument;

use self::asker::Asker;
use super::Locks;
use super::error::AcquireError;
use super::pending::Pending;
use crate::ask::LeaseStore;
use crate::settings::Settings;
use crate::{BadName, Lease, LockName, Rank, Renewal, Ttl, event};

/// A lock that is asked for: await it.
///
/// A request that failed, or was not answered within a third of the ttl, is repeated under the same nonce, so that
/// a grant whose answer was lost is not taken for a rival's; waits between attempts are drawn at random up to a bound that doubles to
/// a second. What was granted too late to be of use is released and asked for anew.
///
/// # In line
///
/// In a store that has a line (in memory, in a file, in etcd) who came first is served first. No request stands there for longer
/// than a ttl, from a second to a minute: then it is asked again, and has kept its place, which a store keeps for a second. It
/// begins at the end of the line after a request that failed or was not answered, and where it was not polled for that second; and
/// so does one whose clock runs at half the rate of the store's, or a third faster. Who gives up releases its place in the background. Without a line
/// whoever asks at the right moment has it, and nothing is said of how long one waits.
///
/// # Errors
///
/// [`AcquireError`]. From `acquire`, a store that fails and another that holds the lock are no errors before the deadline.
///
/// # Panics
///
/// Where it has to wait, outside of a tokio runtime with time: for its turn, or for a store that does not answer at once. One that
/// does not have to is granted there and, unless there is an [`executor`](crate::Locks::executor), lost at once.
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
    /// `Duration::MAX` is for ever. Where the task is in a [`Scope`](murphy_core::Scope) whose deadline is earlier, that holds.
    ///
    /// It may end early: where the wait before the next request, at most a second, would take until the deadline or longer, no request
    /// is left to wait for, and it fails at once. So the caller has the rest of its time for something else. (A `deadline(1 s)` over
    /// a store that refuses connections has ended after 774 ms; `waited` in the error says when.)
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

impl<S: LeaseStore, G> Acquiring<S, G> {
    fn asker(self) -> Result<Asker<S>, AcquireError<S::Error>> {
        let lock = self.lock?;
        self.settings.validity.check(self.ttl)?;
        let pending = Pending::new(self.store, self.settings, lock, self.ttl);
        Ok(Asker {
            pending,
            deadline: self.deadline,
            floor: self.floor,
            renewal: self.renewal,
            once: self.once,
            began: None,
            by: None,
            attempts: 0,
            failures: 0,
            helds: 0,
            wait: Duration::ZERO,
        })
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
        let mut asker = match self.asker() {
            Ok(asker) => asker,
            Err(e) => return Box::pin(async { Err(e) }),
        };
        // Borrowed where it is: what an async block moves it keeps twice.
        Box::pin(async move {
            let span = event::acquiring(&asker.pending.settings.site, &asker.pending.lock);
            let lease = if span.is_disabled() {
                asker.run().await
            } else {
                asker.run().instrument(span).await
            };
            lease.map(G::from)
        })
    }
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

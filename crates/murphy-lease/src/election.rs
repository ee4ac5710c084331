//! [`Election`]: one leader at a time, and proof of who it is.

mod ballot;
mod core;
pub(crate) mod id;
pub(crate) mod observer;
pub(crate) mod protocol;
mod stand;
pub(crate) mod voter;
pub(crate) mod voters;
pub(crate) mod votes;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use murphy_core::clock::{BootClock, Drift};
use murphy_core::{Clock, Seed, mix};
use murphy_quorum::BadQuorum;
use tower_service::Service;

use self::observer::{Observer, Sight};
use self::voters::Voters;
use crate::{
    Acquiring, Lease, LeaseStore, LockName, Locks, NodeId, NotElected, Ttl, VoteReply, VoteRequest,
};

/// Leadership is a lease: the same guard, with the term as its number.
pub type Leadership = Lease;

/// One leader at a time among those who stand, by the votes of a majority of voters.
///
/// Voters are plain services of [`VoteRequest`]: [`VoterService`](crate::VoterService)s, near or behind whatever carries a request to
/// them. Who stands need not vote, nor the other way round.
///
/// *Who is elected is alone in its term*: each voter votes once a term, and has that on its disk before it answers. *A later leader has the
/// higher term*, and so the higher rank, [`Rank::seq`](crate::Rank): a resource that checks tokens takes nothing from the leader before. *A leader has
/// stopped before the next begins*: voters elect nobody while they wait for it, which is longer than it leads by its own clock,
/// if no clock is wrong by more than the [drift](Self::drift). Where one is, two may believe that they lead for a while, and tokens keep them
/// apart.
///
/// A candidate asks first whether it would be elected, which changes nothing (a *pre-vote*), and who has a leader does not listen:
/// one that was cut off and returns unseats nobody. A leader that reaches no majority in time has lost its [`Lease`].
/// Without a majority there is no leader.
///
/// This is no replicated log: for that take a library of consensus, as openraft. Voters are changed by stopping all candidates, waiting for
/// the longest lease, and starting them with the new list.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_lease::{Election, MemoryVotes, NodeId, VoterService};
///
/// let mut voters = Vec::new();
/// for name in ["a", "b", "c"] {
///     let id = NodeId::try_new(name)?;
///     voters.push((id.clone(), VoterService::found(id, MemoryVotes::new()).await?));
/// }
/// let election = |me| Election::try_new("primary".try_into().unwrap(), NodeId::try_new(me).unwrap(), voters.clone());
/// let leadership = election("a")?.campaign().await?;
/// assert_eq!(leadership.token()?.rank().seq, 1);
/// leadership.release().await?;
/// let next = election("b")?.campaign().await?;
/// assert_eq!(next.token()?.rank().seq, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "leader election")]
#[doc(alias = "split brain")]
#[derive(Clone)]
pub struct Election<S> {
    name: LockName,
    voters: Voters<S>,
    lease: Ttl,
    drift: Drift,
    margin: Duration,
    clock: Arc<dyn Clock>,
    executor: Option<Arc<dyn Fn(Task) + Send + Sync>>,
    seed: Option<Seed>,
    /// How many candidacies there were: each draws nonces of its own.
    campaigns: Arc<AtomicU64>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S> Election<S>
where
    S: Service<VoteRequest, Response = VoteReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: fmt::Debug + Send + 'static,
{
    /// For `me`, among these voters, by name. An odd number of them: of four none more may be lost than of three.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no voters, more than 64, or one that is listed twice.
    pub fn try_new(
        name: LockName,
        me: NodeId,
        voters: impl IntoIterator<Item = (NodeId, S)>,
    ) -> Result<Self, BadQuorum> {
        let clock: Arc<dyn Clock> = Arc::new(BootClock);
        Ok(Self {
            name,
            voters: Voters::try_new(me, voters, Arc::clone(&clock))?,
            lease: Ttl::default(),
            drift: Drift::ppm(10_000.0).unwrap_or_default(),
            margin: Duration::from_millis(2),
            clock,
            executor: None,
            seed: None,
            campaigns: Arc::default(),
        })
    }

    /// For how long a leader leads before a majority has to have heard of it again: how long the rest waits for one that is
    /// gone. 10 s by default; voters promise no more than their [`longest`](crate::VoterService::longest).
    #[must_use]
    pub fn lease(mut self, lease: Ttl) -> Self {
        self.lease = lease;
        self
    }

    /// By how much this clock may be slow beside a voter's. 1 % (10,000 ppm) by default.
    #[must_use]
    pub fn drift(mut self, drift: Drift) -> Self {
        self.drift = drift;
        self
    }

    /// How much of each lease is not used besides. 2 ms by default.
    #[must_use]
    pub fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// The clock that it leads by. The one that counts suspension, by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.voters.clock = Arc::clone(&clock);
        self.clock = clock;
        self
    }

    /// Where its tasks run: see [`Locks::executor`].
    #[must_use]
    pub fn executor<F>(mut self, executor: F) -> Self
    where
        F: Fn(Task) + Send + Sync + 'static,
    {
        self.executor = Some(Arc::new(executor));
        self
    }

    /// Where timeouts are drawn from, for runs that are to repeat: each candidate needs its own, or they split their votes again
    /// and again.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.voters.seed = seed;
        self.seed = Some(seed);
        self
    }

    /// The era of its terms: the same for all who stand. 0 by default; raised where all voters lost their votes.
    #[must_use]
    pub const fn era(mut self, era: u32) -> Self {
        self.voters.era = era;
        self
    }

    /// How long a round waits for voters; a sixth of the lease at most. 500 ms by default; whatever is set, from 1 ms to an hour.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        let bounds = (Duration::from_millis(1), Duration::from_secs(3600));
        self.voters.patience = patience.clamp(bounds.0, bounds.1);
        self
    }

    /// T: who split a vote with another stands again after T to 2 T, drawn anew; a 24th of the lease at most. 150 ms by
    /// default; several round trips.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.voters.timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self
    }

    /// Stands until it is elected: for ever, unless a [`deadline`](Acquiring::deadline) is set.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](crate::AcquireError): none before the deadline, but for a voter that answers nonsense.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it stands no more, and who may have voted for it is told.
    pub fn campaign(
        &self,
    ) -> Acquiring<impl LeaseStore<Error = NotElected<S::Error>> + use<S>, Leadership> {
        let mut locks = Locks::new(self.voters.clone())
            .ttl(self.lease)
            .drift(self.drift)
            .margin(self.margin)
            .clock(Arc::clone(&self.clock))
            .site(format!("election/{}", self.name));
        if let Some(executor) = self.executor.clone() {
            locks = locks.executor(move |task| executor(task));
        }
        if let Some(seed) = self.seed {
            let n = self.campaigns.fetch_add(1, Ordering::Relaxed);
            locks = locks.seed(Seed::new(mix(seed.bits()).wrapping_add(mix(n))));
        }
        locks.acquire(self.name.clone()).deadline(Duration::MAX)
    }

    /// Watches who leads. Whoever does not stand can, too.
    ///
    /// While no majority of the voters answers, nothing is seen, and nothing is said: [`latest`](Observer::latest) goes on to show the
    /// leader that was seen last, however long it has been gone. Who acts on it gives up after a lease or so without an answer from
    /// that leader; who must know asks the leader for its token.
    #[must_use]
    pub fn observe(&self) -> Observer<S> {
        Observer {
            voters: self.voters.clone(),
            election: self.name.clone(),
            every: (self.lease.get() / 3).max(Duration::from_millis(1)),
            sight: Sight::default(),
        }
    }
}

impl<S> fmt::Debug for Election<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Election")
            .field("name", &self.name)
            .field("me", &self.voters.me)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

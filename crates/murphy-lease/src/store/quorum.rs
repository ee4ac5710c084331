//! [`QuorumStore`]: a lease on a majority of stores.

mod ask;
mod knobs;
mod late;
mod member;
mod memory;
mod next;
mod rounds;
pub(crate) mod turn;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::{Clock, Seed, TokioClock};
use murphy_quorum::{BadQuorum, Compensate, Quorum, QuorumError, Threshold};
use tower_service::Service;

use self::ask::{Ask, Judging};
use self::late::Late;
use self::member::Member;
pub(crate) use self::memory::Memory;
use crate::{LeaseReply, LeaseRequest, LockName};

type Undo<S> = Compensate<fn(&Ask) -> Option<Ask>, Member<S>, Ask>;
type Stores<S> = Quorum<Arc<str>, Member<S>, Threshold, Judging, Undo<S>>;

/// Leases on a majority of stores, of whatever kind: it goes on while more than half of them answer.
///
/// Each acquire is a ballot, of one rank under one nonce, and it is granted only if more than half of *all* members have
/// recorded that very ballot. A member records a rank once, and one lease at a time; two majorities have a member
/// in common. So no two holders have one rank, no two leases run at once on as many as it takes, and what is granted after another's
/// grant has the higher rank. A ballot that too few have recorded, or that nobody waits for any more, is taken
/// back: by its own nonce, again and again, for as long as it could last. So is what a slow member records when its lease has been given back.
///
/// | asked | rounds | answered |
/// |---|---|---|
/// | acquire | one where nobody is in the way; else up to [`rounds`](Self::rounds), apart by jittered backoff | `Granted` for the shortest time of the majority's; `Held` until so many could be free that it pays to try again |
/// | renew | one | `Renewed` for the shortest; `NotHolder` if so many say so that those who are left are no majority |
/// | release | one, two for a nonce that this store has not granted | by a majority; the others go on |
/// | observe | one | the highest rank of a majority |
///
/// It has no queue: [`Acquire::wait`](crate::Acquire::wait) is not waited for. Where too many are silent the error is
/// [`NoMajority`], and the outcome unknown, as with any store.
///
/// # Ranks
///
/// A ballot is above all that was heard of, above its floor, and no lower than the caller's wall clock in
/// microseconds ([`counting`](Self::counting) leaves the clock out). What was heard of is remembered of 65,536 locks; a lock that was forgotten, or
/// a clock that is behind, costs one round more.
///
/// # Members
///
/// They must be able to grant an exact rank, [`Claim::Exactly`](crate::Claim::Exactly); one that cannot grants nothing here. Each knows a grant by a nonce
/// that is made of the caller's and of the rank: what looks at a member directly does not see the caller's.
///
/// **A member must not lie.** It may crash, be silent, slow or cut off: it is believed in what it says. One that tells of the highest rank there is
/// leaves none above it, and this client is told `Passed` from then on.
///
/// **A member must not forget.** One that lost its memory may help a rival to a majority while the lease that it forgot still runs; and
/// so may an empty one that is listed in its place. What holds then, and until when:
///
/// * Until every lease that it may have granted is over, two may believe that they hold one lock. It must be silent, or
///   answer `Held`, for the longest ttl, as a file store does after a restart; or it is left out until then
///   (a service that answers with an error in its place counts as silent).
/// * Ranks still rise, if the wall clocks of callers are no further apart than a lost grant and the next are. With
///   [`counting`](Self::counting) they do only if no more members forget than a majority has to spare; else a resource refuses the new holder, as stale
///   or in conflict, until ranks have passed what it has seen, or the [`era`](Self::era) is raised.
/// * A resource that checks tokens admits no write out of order in any case: what is lost is the *exclusion*,
///   and the time until it works again.
///
/// A member that missed a grant, or forgot it, records it when the lease is renewed, if it has granted nothing above.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_lease::{Acquire, Claim, LeaseReply, LeaseRequest, MemoryStore, Nonce, QuorumStore, Rank, Ttl};
/// use tower::ServiceExt;
///
/// let stores = ["a", "b", "c"].map(|name| (name, MemoryStore::new()));
/// let store = QuorumStore::try_new(stores)?;
/// let asked = LeaseRequest::Acquire(Acquire {
///     lock: "orders".try_into()?,
///     nonce: Nonce::from_bits(17),
///     ttl: Ttl::from_secs(10),
///     claim: Claim::Above(Rank::ZERO),
///     wait: std::time::Duration::ZERO,
/// });
/// assert!(matches!(store.oneshot(asked).await?, LeaseReply::Granted(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "Redlock")]
#[derive(Clone)]
pub struct QuorumStore<S> {
    stores: Stores<S>,
    undo: Undo<S>,
    members: usize,
    need: usize,
    memory: Memory,
    late: Late,
    clock: Arc<dyn Clock>,
    seed: Seed,
    era: u32,
    is_counting: bool,
    patience: Duration,
    rounds: u32,
}

/// Too few members answered: nobody knows what became of the request.
///
/// What an acquire may have left behind is being taken back.
#[derive(thiserror::Error)]
#[error("{verb} of `{lock}`: {why}")]
pub struct NoMajority<N, E> {
    verb: &'static str,
    lock: LockName,
    why: QuorumError<N, E>,
}

impl<N, E> NoMajority<N, E> {
    pub(crate) fn new(verb: &'static str, lock: &LockName, why: QuorumError<N, E>) -> Self {
        let lock = lock.clone();
        Self { verb, lock, why }
    }

    /// What was asked: `acquire`, `renew`, `release` or `observe`.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        self.verb
    }

    /// Of which lock.
    #[must_use]
    pub const fn lock(&self) -> &LockName {
        &self.lock
    }

    /// What each member said, by name.
    #[must_use]
    pub const fn why(&self) -> &QuorumError<N, E> {
        &self.why
    }
}

impl<N: fmt::Debug, E: fmt::Debug> fmt::Debug for NoMajority<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoMajority")
            .field("verb", &self.verb)
            .field("lock", &self.lock)
            .field("why", &self.why)
            .finish()
    }
}

impl<S> QuorumStore<S>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    /// These stores, by name. An odd number of them: of four none more may be lost than of three, and of two none.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, more than 64, or one that is listed twice.
    pub fn try_new<N: Into<Arc<str>>>(
        members: impl IntoIterator<Item = (N, S)>,
    ) -> Result<Self, BadQuorum> {
        let most = murphy_quorum::Set::MOST + 1;
        let members = members.into_iter().take(most);
        let members: Vec<_> = members
            .map(|(name, store)| (name.into(), Member(store)))
            .collect();
        let (size, majority) = (members.len(), Threshold::majority(members.len())?);
        let undo = Compensate::new(Ask::undo as fn(&Ask) -> Option<Ask>);
        let stores = Quorum::try_new(members, majority)?
            .judge(Judging)
            .stragglers(undo.clone())
            .named("lease")
            // That a lock is held is no cause for alarm; who finds too few members is told by the error.
            .quiet();
        Ok(Self {
            stores,
            undo,
            members: size,
            need: majority.needed(),
            memory: Memory::default(),
            late: Late::default(),
            clock: Arc::new(TokioClock),
            seed: Seed::fresh(),
            era: 0,
            is_counting: false,
            patience: Duration::from_secs(1),
            rounds: 8,
        })
    }
}

impl<S> Service<LeaseRequest> for QuorumStore<S>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = LeaseReply;
    type Error = NoMajority<Arc<str>, S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, Self::Error>> + Send>>;

    /// Always ready: a member's readiness is that member's affair.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    /// # Cancel safety
    ///
    /// An acquire that is dropped is given up: its ballot is taken back. A renewal or a release that has left goes on.
    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let mut store = self.clone();
        Box::pin(async move {
            match request {
                LeaseRequest::Acquire(asked) => store.acquire(asked).await,
                LeaseRequest::Renew(asked) => store.renew(asked).await,
                LeaseRequest::Release { lock, nonce } => store.release(lock, nonce).await,
                LeaseRequest::Observe { lock } => store.observe(lock).await,
            }
        })
    }
}

impl<S> fmt::Debug for QuorumStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuorumStore")
            .field("members", &self.members)
            .field("patience", &self.patience)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

//! [`MemoryStore`]: leases in this process.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::{Clock, TokioClock};
use tower_service::Service;

use super::desk::{Asking, Desk, Supply};
use super::full::StoreFull;
use super::table::{Drawn, Ranks, Table, claimed};
use crate::{Claim, LeaseReply, LeaseRequest, Rank};

/// Leases in this process. All clones are one store.
///
/// It is fair: while [`Acquire::wait`](crate::Acquire::wait) lasts (a day at most), requests for a lock that is held are
/// served in the order in which they came. A call that is dropped leaves the queue; if it was granted the lock and had
/// not heard of it, that is taken back. All calls of one nonce share one place, and get the same grant.
///
/// # Numbers
///
/// The number of a grant is one above the last, or the store's time of day in microseconds since 1970 if that is
/// higher. So it also rises where the store forgets: when it is [wiped](Self::wipe), or another takes its place, as long
/// as it made less than a million grants a second and the time of day was not set back. Under a paused clock time stands
/// still between two instants, and another store may begin with the number that this one ended with; one that is wiped
/// goes on.
///
/// [`counting`](Self::counting) has them count from one: the same numbers in each run, and no promise once it forgets.
///
/// # Limits
///
/// 65,536 [locks](Self::locks), and 1,024 [waiters](Self::waiters) a lock: beyond that [`StoreFull`]. At the first, a
/// lock that is free is forgotten for the new one; numbers rise none the less.
///
/// Whoever releases a nonce before its request arrived (a network that reorders) has not prevented the grant.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_lease::{Acquire, Claim, LeaseReply, LeaseRequest, MemoryStore, Nonce, Rank, Ttl};
/// use std::time::Duration;
/// use tower::{Service, ServiceExt};
///
/// let acquire = |nonce| LeaseRequest::Acquire(Acquire {
///     lock: "orders".try_into().unwrap(),
///     nonce: Nonce::from_bits(nonce),
///     ttl: Ttl::from_secs(10),
///     claim: Claim::Above(Rank::ZERO),
///     wait: Duration::from_secs(60),
/// });
/// let mut store = MemoryStore::new();
/// let LeaseReply::Granted(first) = store.call(acquire(1)).await? else { panic!() };
/// // The first never renews: the second has it when ten seconds are over.
/// let LeaseReply::Granted(second) = store.call(acquire(2)).await? else { panic!() };
/// assert!(second.rank > first.rank);
/// # Ok::<(), murphy_lease::StoreFull>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    desk: Arc<Desk<Hybrid>>,
}

/// What a [`MemoryStore`] answers, or is going to.
///
/// # Panics
///
/// When polled after it is done, and where it has to wait, outside of a tokio runtime with time (or whatever the store's clock needs).
///
/// # Cancel safety
///
/// Dropped while it waits, it leaves the queue. What it asked for at once is done when it exists.
#[must_use = "futures do nothing unless they are polled"]
pub struct MemoryFuture(Asking<Hybrid>);

/// Numbers from the time of day, or counted.
struct Hybrid {
    /// `None`: counted.
    clock: Option<Arc<dyn Clock>>,
    /// The last time of day that was used, or how many grants there were.
    last: u64,
    era: u32,
}

impl MemoryStore {
    /// An empty store, on tokio's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::new(TokioClock))
    }

    /// An empty store, on this clock.
    #[must_use]
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        let ranks = Hybrid {
            clock: Some(Arc::clone(&clock)),
            last: 0,
            era: 0,
        };
        let desk = Desk::new(clock, Table::new(ranks, Rank::ZERO, None));
        let desk = Arc::new(desk);
        Self { desk }
    }

    /// Grants of each lock count from one, whatever the time. For runs that are to repeat; a store that forgets begins
    /// at one again.
    #[must_use]
    pub fn counting(self) -> Self {
        let mut table = self.desk.table();
        let ranks = table.ranks();
        (ranks.clock, ranks.last) = (None, 0);
        drop(table);
        self
    }

    /// Grants are of this era from now on, unless they are of a higher one already. 0 by default.
    #[must_use]
    pub fn era(self, era: u32) -> Self {
        let mut table = self.desk.table();
        let ranks = table.ranks();
        ranks.era = ranks.era.max(era);
        table.raise(Rank::new(era, 0));
        drop(table);
        self
    }

    /// How many locks it knows at most; at least one. 65,536 by default.
    #[must_use]
    pub fn locks(self, locks: usize) -> Self {
        self.desk.table().limits().locks = locks.max(1);
        self
    }

    /// How many may wait for one lock. 1,024 by default; with none, whoever would have to wait is refused.
    #[must_use]
    pub fn waiters(self, waiters: usize) -> Self {
        self.desk.table().limits().waiters = waiters;
        self
    }

    /// Loses its memory, as a store without a disk that is restarted: who holds what, and up to which number. Whoever
    /// waits goes on waiting. The era and the limits stay.
    pub fn wipe(&self) {
        self.desk.tell(|table, now, words| {
            let ranks = table.ranks();
            if ranks.clock.is_none() {
                ranks.last = 0;
            }
            let forgotten = Rank::new(ranks.era, 0);
            table.wipe(forgotten, now, words);
        });
    }
}

impl Ranks for Hybrid {
    fn draw(&mut self, high: Rank, claim: Claim, _: Duration) -> Drawn {
        self.last += 1;
        let mut least = 0;
        if let Some(clock) = &self.clock {
            let micros = clock.wall().nanos() / 1000;
            // Two grants of one microsecond use up two, so that a wipe between them is survived.
            self.last = self.last.max(u64::try_from(micros).unwrap_or_default());
            least = self.last;
        }
        claimed(high, claim, least).map_or(Drawn::Passed, Drawn::Rank)
    }

    fn reach(&mut self) -> Rank {
        Rank::new(self.era, self.last)
    }
}

impl Supply for Hybrid {
    type Error = StoreFull;

    /// It always has numbers.
    fn lacking(&self) -> StoreFull {
        unreachable!("a number is always there")
    }
}

impl Service<LeaseRequest> for MemoryStore {
    type Response = LeaseReply;
    type Error = StoreFull;
    type Future = MemoryFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StoreFull>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> MemoryFuture {
        MemoryFuture(self.desk.ask(request))
    }
}

impl Future for MemoryFuture {
    type Output = Result<LeaseReply, StoreFull>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFuture").finish_non_exhaustive()
    }
}

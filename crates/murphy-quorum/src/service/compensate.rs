//! [`Compensate`]: what was granted in vain is taken back.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use super::event;
use super::straggle::{Leftover, Stragglers};
use crate::Set;

/// Where there is no quorum, or nobody waits for it any more, what members granted, or may have granted, is taken
/// back: each gets the undo of the request, again and again until it has confirmed it, or a bound is hit.
///
/// A member that is still under way gets it when it has answered, or when its time is up: not before what it is
/// to undo. The undo has to be one that can be repeated, for its own reply may be lost; that can come after nothing; and
/// that holds against a copy of the request which the network delivers after it: a member remembers
/// what was undone, and what it refused. It runs in a task of its own for each member; how many there may be at once, over
/// all clones, is bounded. An attempt that panics has failed. What was not undone, for want of room, of attempts or of a
/// runtime (also one that shuts down), is told as `quorum.not_undone`.
///
/// It may come as late as all its attempts take, and so after the *next* request of the same caller: it has to name the request,
/// and not the caller.
///
/// # Examples
///
/// ```
/// use murphy_quorum::Compensate;
/// use tower::util::BoxCloneSyncService;
///
/// #[derive(Clone)]
/// enum Ask {
///     Take { holder: u64, attempt: u64 },
///     Undo { holder: u64, attempt: u64 },
/// }
/// let undo = |ask: &Ask| match *ask {
///     Ask::Take { holder, attempt } => Some(Ask::Undo { holder, attempt }),
///     Ask::Undo { .. } => None,
/// };
/// type Replica = BoxCloneSyncService<Ask, bool, std::io::Error>;
/// let stragglers: Compensate<_, Replica, Ask> = Compensate::new(undo);
/// # let _ = stragglers;
/// ```
///
/// Where there is a quorum, who is late goes on as with [`Detach`](super::Detach): a late grant is part of what was
/// decided.
pub struct Compensate<F, S, Req> {
    undo: F,
    room: Arc<Semaphore>,
    patience: Duration,
    attempts: u32,
    wait: Duration,
    prepared: Option<(Vec<S>, Req)>,
}

impl<F, S, Req> Compensate<F, S, Req> {
    /// Undone by what `undo` makes of the request; `None` where there is nothing to undo.
    ///
    /// At most 1,024 members at a time; each call and each attempt of an undo gets a second, of which there are
    /// ten, with 100 ms between them.
    pub fn new(undo: F) -> Self
    where
        F: Fn(&Req) -> Option<Req>,
    {
        Self {
            undo,
            room: Arc::new(Semaphore::new(1024)),
            patience: Duration::from_secs(1),
            attempts: 10,
            wait: Duration::from_millis(100),
            prepared: None,
        }
    }

    /// How many members at a time, over all clones made from here on.
    #[must_use]
    pub fn most(mut self, most: usize) -> Self {
        self.room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        self
    }

    /// How long a call that is under way, and each attempt of an undo, may take.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How often an undo is tried, once at least, and the wait between two attempts.
    #[must_use]
    pub fn attempts(mut self, attempts: u32, wait: Duration) -> Self {
        (self.attempts, self.wait) = (attempts.max(1), wait);
        self
    }
}

impl<F, S, Req> Stragglers<S, Req> for Compensate<F, S, Req>
where
    F: Fn(&Req) -> Option<Req>,
    S: Service<Req> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    Req: Clone + Send + 'static,
{
    fn prepare(&mut self, replicas: &[S], request: &Req) {
        let undo = (self.undo)(request);
        self.prepared = undo.map(|undo| (replicas.to_vec(), undo));
    }

    fn settle(&mut self, left: Leftover<S, Req>) {
        let Leftover {
            calls,
            granted,
            decided,
            site,
        } = left;
        let prepared = self.prepared.take().filter(|_| !decided);
        let (replicas, undo) = prepared.unzip();
        let mut replicas = replicas.unwrap_or_default();
        let runtime = Handle::try_current();
        let late = calls.iter().map(|(at, _)| *at).collect::<Set>();
        let mut calls = calls;
        for at in granted.or(late).iter() {
            let call = calls.iter().position(|(member, _)| *member == at);
            let call = call.map(|found| calls.swap_remove(found).1);
            let redress = undo.clone().zip(replicas.get_mut(at).map(|it| it.clone()));
            let redress = redress.map(|(undo, replica)| Redress {
                replica,
                undo,
                patience: self.patience,
                attempts: self.attempts,
                wait: self.wait,
                owed: Owed::new(&site, at),
            });
            let room = Arc::clone(&self.room).try_acquire_owned();
            let (Ok(runtime), Ok(room)) = (&runtime, room) else {
                if redress.is_none() {
                    event::no_room(&site);
                }
                continue;
            };
            let patience = self.patience;
            runtime.spawn(async move {
                if let Some(call) = call {
                    drop(contained(timeout(patience, call)).await);
                }
                if let Some(redress) = redress {
                    redress.run().await;
                }
                drop(room);
            });
        }
    }
}

/// One undo of one member.
struct Redress<S, Req> {
    replica: S,
    undo: Req,
    patience: Duration,
    attempts: u32,
    wait: Duration,
    owed: Owed,
}

impl<S: Service<Req> + Clone, Req: Clone> Redress<S, Req> {
    async fn run(mut self) {
        for attempt in 1..=self.attempts {
            self.owed.attempts = attempt;
            // Another instance each time: one that failed to be ready is of no use any more.
            let (mut replica, undo) = (self.replica.clone(), self.undo.clone());
            let tried = async move {
                poll_fn(|cx| replica.poll_ready(cx)).await?;
                replica.call(undo).await
            };
            if let Some(Ok(Ok(_))) = contained(timeout(self.patience, tried)).await {
                return self.owed.paid();
            }
            if attempt < self.attempts {
                sleep(self.wait).await;
            }
        }
    }
}

/// That a member is owed its undo. Told as `quorum.not_undone` when it ends unpaid, whatever ended it: the last attempt, a
/// lack of room or of a runtime, a runtime that shut down.
struct Owed {
    site: Arc<str>,
    member: usize,
    attempts: u32,
    is_paid: bool,
}

impl Owed {
    fn new(site: &Arc<str>, member: usize) -> Self {
        let site = Arc::clone(site);
        let (attempts, is_paid) = (0, false);
        Self {
            site,
            member,
            attempts,
            is_paid,
        }
    }

    fn paid(&mut self) {
        self.is_paid = true;
        event::undone(&self.site, self.member, self.attempts);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if !self.is_paid {
            event::not_undone(&self.site, self.member, self.attempts);
        }
    }
}

/// Runs it so that its panic is the end of it only; then there is nothing.
async fn contained<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    // What panicked is not polled again.
    poll_fn(|cx| {
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        poll.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

impl<F: Clone, S: Clone, Req: Clone> Clone for Compensate<F, S, Req> {
    fn clone(&self) -> Self {
        Self {
            undo: self.undo.clone(),
            room: Arc::clone(&self.room),
            patience: self.patience,
            attempts: self.attempts,
            wait: self.wait,
            prepared: self.prepared.clone(),
        }
    }
}

impl<F, S, Req> fmt::Debug for Compensate<F, S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compensate")
            .field("room", &self.room.available_permits())
            .field("patience", &self.patience)
            .field("attempts", &self.attempts)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

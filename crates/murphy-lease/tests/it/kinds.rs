//! [`Kind`]: a lease over each kind of store, whose lines fail when a test says so.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use murphy_core::Seed;
use murphy_lease::{
    Election, Lease, Locks, MemoryStore, MemoryVotes, NodeId, QuorumStore, VoterService,
};
use tower::{Service, ServiceExt};

use crate::store::TTL;

/// What a lease comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    #[cfg(feature = "file")]
    File,
    /// Three stores in memory, each behind a line of its own.
    Quorum,
    /// Three voters, each behind a line of its own.
    Voters,
}

/// What a line does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// It never gets there, and nobody says so.
    Lost,
    /// It gets there, and the answer is lost.
    ReplyLost,
    /// It never gets there, and that is said.
    Refused,
}

/// What the lines do, by their numbers; there are three at most. All clones are one.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Mutex<Rule>>);

type Rule = Box<dyn Fn(usize) -> Fault + Send>;

/// A service behind a line.
#[derive(Clone)]
struct Lined<S> {
    inner: S,
    number: usize,
    faults: Faults,
}

impl Kind {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Memory,
        #[cfg(feature = "file")]
        Self::File,
        Self::Quorum,
        Self::Voters,
    ];

    /// Whether it goes on without one of its lines.
    pub(crate) const fn spares_one(self) -> bool {
        matches!(self, Self::Quorum | Self::Voters)
    }

    /// A lease of [`TTL`] that was just granted. What it has drawn, it draws again by the same seed.
    pub(crate) async fn lease(self, seed: u64) -> (Lease, Faults) {
        let faults = Faults::none();
        let lease = match self {
            Self::Memory => {
                let store = faults.before(0, MemoryStore::new().counting());
                acquired(Locks::new(store), seed).await
            }
            #[cfg(feature = "file")]
            Self::File => {
                let folder = tempfile::tempdir().unwrap();
                let store = murphy_lease::FileStore::open(folder.path().join("leases")).unwrap();
                acquired(Locks::new(faults.before(0, store)), seed).await
            }
            Self::Quorum => {
                let member = |n: usize| faults.before(n, MemoryStore::new().counting());
                let members = ["a", "b", "c"].into_iter().zip((0..3).map(member));
                let store = QuorumStore::try_new(members).unwrap().counting();
                acquired(Locks::new(store.seed(Seed::new(seed))), seed).await
            }
            Self::Voters => {
                let mut voters = Vec::new();
                for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
                    let id = NodeId::try_new(name).unwrap();
                    let voter = VoterService::found(id.clone(), MemoryVotes::new());
                    voters.push((id, faults.before(number, voter.await.unwrap())));
                }
                let me = NodeId::try_new("a").unwrap();
                let election = Election::try_new("primary".try_into().unwrap(), me, voters);
                let election = election.unwrap().lease(TTL).seed(Seed::new(seed));
                election.campaign().await.unwrap()
            }
        };
        (lease, faults)
    }
}

async fn acquired<S: murphy_lease::LeaseStore<Error: std::fmt::Display>>(
    locks: Locks<S>,
    seed: u64,
) -> Lease {
    let locks = locks.ttl(TTL).seed(Seed::new(seed));
    locks.acquire("orders").await.unwrap()
}

impl Faults {
    fn none() -> Self {
        Self(Arc::new(Mutex::new(Box::new(|_| Fault::Nothing))))
    }

    /// What becomes of every request from here on, by the number of its line.
    pub(crate) fn rule(&self, rule: impl Fn(usize) -> Fault + Send + 'static) {
        *self.0.lock().unwrap() = Box::new(rule);
    }

    fn before<S>(&self, number: usize, inner: S) -> Lined<S> {
        let faults = self.clone();
        Lined {
            inner,
            number,
            faults,
        }
    }
}

impl<S, R> Service<R> for Lined<S>
where
    S: Service<R, Error: std::fmt::Debug> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = String;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, String>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let fault = self.faults.0.lock().unwrap()(self.number);
        let inner = self.inner.clone();
        Box::pin(async move {
            let answered = match fault {
                Fault::Nothing => inner.oneshot(request).await,
                Fault::Lost => pending().await,
                Fault::ReplyLost => {
                    drop(inner.oneshot(request).await);
                    pending().await
                }
                Fault::Refused => return Err("the line is cut".to_owned()),
            };
            answered.map_err(|e| format!("{e:?}"))
        })
    }
}

//! [`Store`]: a memory store behind a network that does what a test tells it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::Seed;
use murphy_lease::{LeaseReply, LeaseRequest, Locks, MemoryStore, Ttl};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

/// The ttl of all tests that do not say.
pub(crate) const TTL: Ttl = Ttl::from_millis(10_000);

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It gets there.
    Pass,
    /// It gets there so late, and the answer comes at once.
    Late(Duration),
    /// It gets there, and the answer takes so long.
    Slow(Duration),
    /// It never gets there.
    Lost,
    /// It gets there, and the answer is lost.
    ReplyLost,
    /// It never gets there, and that is said.
    Fail,
    /// This is answered, by whomever.
    Answer(LeaseReply),
}

type Rule = Box<dyn FnMut(&LeaseRequest) -> Fate + Send>;

/// All clones are one store.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) inner: MemoryStore,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    rule: Rule,
    log: Vec<(Instant, LeaseRequest)>,
    next: VecDeque<Fate>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            inner: MemoryStore::new().counting(),
            shared: Arc::new(Mutex::new(Shared {
                rule: Box::new(|_| Fate::Pass),
                log: Vec::new(),
                next: VecDeque::new(),
            })),
        }
    }

    /// What becomes of every request from here on.
    pub(crate) fn rule(&self, rule: impl FnMut(&LeaseRequest) -> Fate + Send + 'static) {
        self.shared.lock().unwrap().rule = Box::new(rule);
    }

    /// What becomes of every request from here on.
    pub(crate) fn all(&self, fate: Fate) {
        self.rule(move |_| fate.clone());
    }

    /// What becomes of the next ones, before the rule is asked.
    pub(crate) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.lock().unwrap().next.extend(fates);
    }

    /// What was asked, without those who asked it: `acquire`, `renew` ..
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        let shared = self.shared.lock().unwrap();
        shared.log.iter().map(|(_, asked)| asked.verb()).collect()
    }

    /// What was asked, and when.
    pub(crate) fn log(&self) -> Vec<(Instant, LeaseRequest)> {
        self.shared.lock().unwrap().log.clone()
    }

    /// What the store answers, whatever the network does.
    pub(crate) async fn ask(&self, request: LeaseRequest) -> LeaseReply {
        self.inner.clone().oneshot(request).await.unwrap()
    }

    /// Whether anybody holds the lock.
    pub(crate) async fn is_held(&self, lock: &str) -> bool {
        let lock = lock.try_into().unwrap();
        let reply = self.ask(LeaseRequest::Observe { lock }).await;
        matches!(
            reply,
            LeaseReply::Observed {
                holder: Some(_),
                ..
            }
        )
    }

    /// Locks over it, which draw the same in each run.
    pub(crate) fn locks(&self, seed: u64) -> Locks<Self> {
        Locks::new(self.clone()).ttl(TTL).seed(Seed::new(seed))
    }
}

impl Service<LeaseRequest> for Store {
    type Response = LeaseReply;
    type Error = String;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, String>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let fate = {
            let mut shared = self.shared.lock().unwrap();
            shared.log.push((Instant::now(), request.clone()));
            let next = shared.next.pop_front();
            next.unwrap_or_else(|| (shared.rule)(&request))
        };
        let store = self.clone();
        Box::pin(async move {
            match fate {
                Fate::Pass => Ok(store.ask(request).await),
                Fate::Late(by) => {
                    sleep(by).await;
                    Ok(store.ask(request).await)
                }
                Fate::Slow(by) => {
                    let reply = store.ask(request).await;
                    sleep(by).await;
                    Ok(reply)
                }
                Fate::Lost => std::future::pending().await,
                Fate::ReplyLost => {
                    store.ask(request).await;
                    std::future::pending().await
                }
                Fate::Fail => Err("the store is away".to_owned()),
                Fate::Answer(reply) => Ok(reply),
            }
        })
    }
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

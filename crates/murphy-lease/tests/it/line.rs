//! Stores behind lines that can be cut.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_lease::{LeaseReply, LeaseRequest, LockName, MemoryStore, QuorumStore, Rank};
use tower::{Service, ServiceExt};

/// A store, and what the line to it does.
#[derive(Clone)]
pub(crate) struct Line {
    store: MemoryStore,
    mode: Arc<Mutex<Mode>>,
    calls: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Up,
    Refusing,
    LosesRequests,
    LosesReplies,
    Slow(Duration),
    Nonsense,
}

pub(crate) fn lines(n: usize) -> Vec<Line> {
    (0..n)
        .map(|_| Line {
            store: MemoryStore::new(),
            mode: Arc::new(Mutex::new(Mode::Up)),
            calls: Arc::default(),
        })
        .collect()
}

pub(crate) fn of(lines: &[Line]) -> QuorumStore<Line> {
    let named = lines.iter().cloned().enumerate();
    QuorumStore::try_new(named.map(|(n, line)| (format!("s{n}"), line))).unwrap()
}

impl Line {
    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    /// The lease of this ballot is over there, as if its clock were fast.
    pub(crate) async fn forget(&self, lock: &LockName, nonce: u128, rank: Rank) {
        let lines = [self.clone()];
        self.set(Mode::Up);
        let one = of(&lines);
        let (lock, nonce) = (lock.clone(), murphy_lease::Nonce::from_bits(nonce));
        let _rank = rank;
        let released = one.oneshot(LeaseRequest::Release { lock, nonce }).await;
        assert_eq!(released.unwrap(), LeaseReply::Released { was_held: true });
    }
}

impl Service<LeaseRequest> for Line {
    type Response = LeaseReply;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, &'static str>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (mode, store) = (*self.mode.lock().unwrap(), self.store.clone());
        let answer = async move { Ok(store.oneshot(request).await.unwrap()) };
        Box::pin(async move {
            match mode {
                Mode::Up => answer.await,
                Mode::Refusing => Err("refused"),
                Mode::LosesRequests => pending().await,
                Mode::LosesReplies => {
                    let _lost = answer.await;
                    pending().await
                }
                Mode::Slow(by) => {
                    tokio::time::sleep(by).await;
                    answer.await
                }
                Mode::Nonsense => Ok(LeaseReply::Renewed {
                    ttl: Duration::ZERO,
                }),
            }
        })
    }
}

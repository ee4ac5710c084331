//! Nodes: what a pause stops, what a crash ends, and what survives it.

mod crash;
mod disk;
mod layer;
mod model;
mod pause;
mod program;
mod threads;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use murphy_fault::{Armed, Chaos, Node, Plan, TimeLimit};

/// A node `a`, and a run that is on.
pub(crate) fn node() -> (Chaos, Node, Armed) {
    let chaos = crate::support::chaos();
    let node = chaos.node("a");
    let armed = run(&chaos);
    (chaos, node, armed)
}

/// A run without faults.
pub(crate) fn run(chaos: &Chaos) -> Armed {
    chaos.arm(&Plan::new(), TimeLimit::None).unwrap()
}

/// Lets everybody else get as far as they can.
pub(crate) async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// Counts how often it is polled and dropped; is done when it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    polls: Arc<AtomicU64>,
    drops: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    poke: Arc<tokio::sync::Notify>,
}

/// The future of a [`Probe`].
pub(crate) struct Probing {
    probe: Probe,
    poked: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Probe {
    pub(crate) fn future(&self) -> Probing {
        Probing {
            probe: self.clone(),
            poked: wait(Arc::clone(&self.poke)),
        }
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(SeqCst)
    }

    pub(crate) fn drops(&self) -> u64 {
        self.drops.load(SeqCst)
    }

    pub(crate) fn poke(&self) {
        self.poke.notify_one();
    }

    pub(crate) fn finish(&self) {
        self.done.store(true, SeqCst);
        self.poke();
    }
}

fn wait(poke: Arc<tokio::sync::Notify>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { poke.notified().await })
}

impl Future for Probing {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        self.probe.polls.fetch_add(1, SeqCst);
        while self.poked.as_mut().poll(cx).is_ready() {
            self.poked = wait(Arc::clone(&self.probe.poke));
        }
        if self.probe.done.load(SeqCst) {
            return Poll::Ready(self.probe.polls());
        }
        Poll::Pending
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.probe.drops.fetch_add(1, SeqCst);
    }
}

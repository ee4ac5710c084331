//! The task that lets time pass.

use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use crate::event;
use crate::{Detector, Liveness, Moment};

/// More than any node is waited for, and less than a clock can count.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// Lets time pass for an [`Observer`](super::Observer): one task and one timer, whatever the number of nodes.
#[must_use = "nothing is judged unless it runs"]
pub struct Driver<N, D: Detector> {
    shared: Weak<Shared<N, D>>,
    stirred: Arc<Notify>,
}

impl<N, D> Driver<N, D>
where
    N: Clone + Eq + Hash + fmt::Debug,
    D: Detector,
{
    pub(super) fn new(shared: &Arc<Shared<N, D>>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            stirred: Arc::clone(&shared.stirred),
        }
    }

    /// Runs until the last clone of the observer is gone.
    ///
    /// # Cancel safety
    ///
    /// Without it nothing is told any more, and questions are answered still; with a guard or a safe mode, as if nobody were judged.
    pub async fn run(self) {
        while let Some(next) = self.turn() {
            // Whichever comes first: the time, or something that changes it.
            let _ = timeout_at(next, self.stirred.notified()).await;
            // Whatever waits in sockets is heard before anybody is judged: the first step back lets the
            // runtime look at them, the second lets their tasks run.
            yield_now().await;
            yield_now().await;
        }
    }

    /// Tells what happened, and when to look again.
    fn turn(&self) -> Option<Instant> {
        let shared = self.shared.upgrade()?;
        let now = shared.now();
        let mut told = Vec::new();
        let mut inner = shared.lock();
        while let Some(event) = inner.monitor.poll(now) {
            if let Some(watcher) = event.node().and_then(|node| inner.watched.get(node)) {
                let liveness = event.node().map(|node| inner.monitor.liveness(node, now));
                watcher.send_replace(liveness.unwrap_or(Liveness::Unknown));
            }
            told.push(event);
        }
        inner.monitor.take_stirred();
        if told.iter().any(|event| event.node().is_some()) && shared.live.receiver_count() > 0 {
            shared.publish_live(&inner.monitor, now);
        }
        let next = inner.monitor.next_deadline();
        let tally = inner.monitor.tally();
        drop(inner);
        // Outside of the lock: whoever listens may ask us something.
        if !told.is_empty() {
            event::tally(&shared.site, tally);
        }
        for event in told {
            event::happened(&shared.site, &event);
            // Nobody may listen.
            let _ = shared.events.send(event);
        }
        let far = now.plus(FAR);
        let next = next.map_or(far, |next| next.min(far));
        shared.origin.checked_add(next.since(Moment::ZERO))
    }
}

impl<N, D: Detector> fmt::Debug for Driver<N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

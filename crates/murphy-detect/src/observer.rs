//! [`Observer`]: a [`Monitor`] that many share, and the task that lets time pass for it.
//!
//! ```text
//!  HeartbeatService ─┐                       ┌─▶ events()    everything, in order
//!  udp::serve        ├─▶ Monitor ◀─▶ driver ─┼─▶ watch(node) what is believed of one
//!  HeartbeatLayer   ─┘   (a lock)  (a timer) └─▶ live_set()  who is alive, once a turn
//! ```
//!
//! Before the driver judges anybody it lets the other tasks run, so that beats which wait in sockets are heard first;
//! after a pause of the whole process the [guard](crate::Guard) gives them a grace for it.
//!
//! In a test under a paused clock, `tokio::time::sleep` lets time pass, and `advance` by more than a tick *is* a pause of the
//! observer: a guard then judges nobody by it.

mod driver;
mod events;
mod service;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murphy_core::clock::{Clock, TokioClock};
use murphy_core::order::NodeId;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;

pub use self::driver::Driver;
pub use self::events::{Events, Lagged};
pub use self::service::HeartbeatService;
use crate::{
    Adaptive, Detector, Event, Guard, Heartbeat, Liveness, Moment, Monitor, Refused, SafeMode, Slot,
};
use crate::{Verdict, event};

/// Shares a [`Monitor`]. Clones are the same observer.
///
/// Every method takes one short lock, and none waits for anything else.
pub struct Observer<N = NodeId, D: Detector = Adaptive> {
    shared: Arc<Shared<N, D>>,
}

struct Shared<N, D: Detector> {
    site: Box<str>,
    /// Which life of the observer this is.
    life: u64,
    origin: Instant,
    inner: Mutex<Inner<N, D>>,
    /// There is something for the driver to do.
    stirred: Arc<Notify>,
    events: broadcast::Sender<Event<N>>,
    live: watch::Sender<Arc<[N]>>,
}

struct Inner<N, D: Detector> {
    monitor: Monitor<N, D>,
    /// Whoever is watched by somebody.
    watched: HashMap<N, watch::Sender<Liveness>>,
    /// At this size those that nobody watches any more are swept out.
    sweep_at: usize,
}

/// How many events wait for a reader that is slow: enough for a thousand nodes at once.
const EVENTS: NonZeroU16 = NonZeroU16::new(4096).unwrap();

impl<N, D> Observer<N, D>
where
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    D: Detector + Send + 'static,
    D::State: Send,
{
    /// An observer with a [`Guard`] and a [`SafeMode`] as they are by default, and its driver, started on the current runtime.
    ///
    /// `site` names it in events and metrics. The driver ends when the last clone is gone.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn spawn(site: &str, detector: D) -> Self {
        let monitor = Monitor::new(detector)
            .guard(Guard::new())
            .safe_mode(SafeMode::new());
        let (observer, driver) = Self::new(site, monitor);
        tokio::spawn(driver.run());
        observer
    }

    /// An observer with this monitor, and the driver that lets time pass for it, to be run by the caller.
    ///
    /// The monitor's time begins now. It is as guarded as it is: give it a [`Guard`].
    pub fn new(site: &str, monitor: Monitor<N, D>) -> (Self, Driver<N, D>) {
        let shared = Arc::new(Shared {
            site: site.into(),
            life: wall_nanos(),
            origin: Instant::now(),
            inner: Mutex::new(Inner {
                monitor,
                watched: HashMap::new(),
                sweep_at: 16,
            }),
            stirred: Arc::new(Notify::new()),
            events: broadcast::Sender::new(EVENTS.get().into()),
            live: watch::Sender::new(Arc::new([])),
        });
        let driver = Driver::new(&shared);
        (Self { shared }, driver)
    }

    /// A beat arrived now.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it does not count.
    pub fn record_heartbeat(&self, beat: &Heartbeat<N>) -> Result<Slot, Refused> {
        self.record(beat).0
    }

    /// The node was heard now, though not by a beat: see [`Monitor::touch`].
    pub fn touch(&self, node: &N) -> bool {
        let now = self.now();
        let mut inner = self.shared.lock();
        let meant = inner.monitor.touch(now, node);
        let is_stirred = inner.monitor.take_stirred();
        drop(inner);
        self.shared.stir(is_stirred);
        meant
    }

    /// What is believed of the node now.
    #[must_use]
    pub fn liveness(&self, node: &N) -> Liveness {
        let now = self.now();
        self.shared.lock().monitor.liveness(node, now)
    }

    /// Whether the node's deadline is to come: `false` of a node that was never heard of, which is not dead either.
    #[must_use]
    pub fn is_alive(&self, node: &N) -> bool {
        self.liveness(node).is_alive()
    }

    /// How suspicious the node's silence is now: see [`Monitor::level`].
    #[must_use]
    pub fn level(&self, node: &N) -> Option<f64> {
        let now = self.now();
        self.shared.lock().monitor.level(node, now)
    }

    /// Looks at the monitor, with what time it is for it. Whatever is done there is done under the lock.
    pub fn with<T>(&self, look: impl FnOnce(&mut Monitor<N, D>, Moment) -> T) -> T {
        let now = self.now();
        let mut inner = self.shared.lock();
        let seen = look(&mut inner.monitor, now);
        let is_stirred = inner.monitor.take_stirred();
        drop(inner);
        self.shared.stir(is_stirred);
        seen
    }

    /// All nodes that are known, and what is believed of them now. Looks at every node.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(N, Liveness)> {
        let now = self.now();
        let inner = self.shared.lock();
        let nodes = inner.monitor.nodes(now);
        nodes.map(|(node, belief)| (node.clone(), belief)).collect()
    }

    /// Everything that happens from now on, in order.
    #[must_use]
    pub fn events(&self) -> Events<N> {
        Events::new(self.shared.events.subscribe())
    }

    /// What is believed of one node, known or not, now and from now on.
    pub fn watch(&self, node: &N) -> watch::Receiver<Liveness> {
        let now = self.now();
        let mut inner = self.shared.lock();
        if inner.watched.len() >= inner.sweep_at {
            inner
                .watched
                .retain(|_, sender| sender.receiver_count() > 0);
            inner.sweep_at = (inner.watched.len() * 2).max(16);
        }
        let liveness = inner.monitor.liveness(node, now);
        let sender = inner.watched.entry(node.clone());
        sender
            .or_insert_with(|| watch::Sender::new(liveness))
            .subscribe()
    }

    /// Who is alive, in the order of slots: now, and after each turn of the driver in which that changed.
    #[must_use]
    pub fn live_set(&self) -> watch::Receiver<Arc<[N]>> {
        let now = self.now();
        let inner = self.shared.lock();
        let receiver = self.shared.live.subscribe();
        self.shared.publish_live(&inner.monitor, now);
        receiver
    }

    /// A [`Service`](tower_service::Service) that takes beats.
    #[must_use]
    pub fn service(&self) -> HeartbeatService<N, D> {
        HeartbeatService::new(self.clone())
    }

    /// The name in events and metrics.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.shared.site
    }

    fn now(&self) -> Moment {
        self.shared.now()
    }

    fn record(&self, beat: &Heartbeat<N>) -> (Result<Slot, Refused>, Liveness) {
        let now = self.now();
        let mut inner = self.shared.lock();
        let taken = inner.monitor.record_heartbeat(now, beat);
        let believed = match taken {
            Ok(slot) => inner.monitor.liveness_at(slot, now),
            Err(_) => Liveness::Unknown,
        };
        let is_stirred = inner.monitor.take_stirred();
        drop(inner);
        self.shared.stir(is_stirred);
        if let Err(why) = &taken {
            event::refused(&self.shared.site, why);
        }
        (taken, believed)
    }

    /// What a sender should make of what became of its beat.
    fn verdict(&self, beat: &Heartbeat<N>) -> Verdict {
        match self.record(beat) {
            (Ok(_), Liveness::Alive) => Verdict::Alive,
            (Ok(_), _) => Verdict::Recovering,
            (Err(Refused::Duplicate { .. }), _) => Verdict::Duplicate,
            (Err(Refused::Stale { known, .. } | Refused::Forgotten { known, .. }), _) => {
                Verdict::Renew { known }
            }
            (Err(_), _) => Verdict::Refused,
        }
    }
}

impl<N, D: Detector> Shared<N, D> {
    fn now(&self) -> Moment {
        Moment::after(Instant::now().saturating_duration_since(self.origin))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<N, D>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stir(&self, is_stirred: bool) {
        if is_stirred {
            self.stirred.notify_one();
        }
    }
}

impl<N, D: Detector> Drop for Shared<N, D> {
    fn drop(&mut self) {
        // The driver looks, and finds nobody.
        self.stirred.notify_one();
    }
}

impl<N: Clone + Eq + Hash, D: Detector> Shared<N, D> {
    fn publish_live(&self, monitor: &Monitor<N, D>, now: Moment) {
        let alive = monitor.nodes(now).filter(|(_, belief)| belief.is_alive());
        let alive: Arc<[N]> = alive.map(|(node, _)| node.clone()).collect();
        self.live.send_if_modified(|live| {
            let is_new = *live != alive;
            *live = alive;
            is_new
        });
    }
}

/// The time of day at which a life begins: higher than those of the lives before it, unless a clock was set back.
pub(crate) fn wall_nanos() -> u64 {
    TokioClock.wall().nanos().max(0) as u64
}

impl<N, D: Detector> Clone for Observer<N, D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<N, D: Detector> fmt::Debug for Observer<N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("site", &self.shared.site)
            .field("life", &self.shared.life)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

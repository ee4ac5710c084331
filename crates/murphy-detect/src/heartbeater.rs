//! [`Heartbeater`]: the task of a node that says "I am here".

use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt;
use murphy_core::order::NodeId;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tower_service::Service;
use tracing::Instrument;

use crate::heartbeat::{LONGEST_INTERVAL, SHORTEST_INTERVAL};
use crate::monitor::HIGHEST_INCARNATION;
use crate::observer::wall_nanos;
use crate::{BadKnob, Heartbeat, HeartbeatAck, Moment, Verdict, event};

/// Sends a beat each interval, through whatever stack it is given.
///
/// * One attempt a beat, that ends when the next beat is due: a beat that was repeated would say that the node
///   was there *then*. So no retries belong into the stack.
/// * What was missed is left out, not made up for: after a pause the next beat comes at its own time, and tells by its
///   number what is missing.
/// * A node that hears that it was forgotten, or that a later life of it is known, begins a new one above that.
///
/// The first beat leaves at once. What a beat failed with is an event (`beat.failed`) and a count, also where the service
/// panicked; nothing ends the task but its [handle](Beating).
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_detect::{Adaptive, Heartbeater, Observer};
/// use std::time::Duration;
///
/// let observer = Observer::spawn("peers", Adaptive::default());
/// let beating = Heartbeater::new("a", Duration::from_secs(1))?.spawn(observer.service());
/// tokio::time::sleep(Duration::from_secs(60)).await;
/// assert!(observer.is_alive(&"a"));
///
/// drop(beating);
/// tokio::time::sleep(Duration::from_secs(4)).await;
/// assert!(observer.liveness(&"a").is_dead());
/// # Ok::<(), murphy_detect::BadKnob>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeater<N = NodeId> {
    node: N,
    interval: Duration,
    incarnation: u64,
}

impl<N> Heartbeater<N> {
    /// A node that beats each `interval`, in a life that is numbered by the time of day at which it begins.
    ///
    /// # Errors
    ///
    /// [`BadKnob`], if the interval is shorter than 1 ms or longer than an hour.
    pub fn new(node: N, interval: Duration) -> Result<Self, BadKnob> {
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            let value = format_args!("{interval:?}");
            return Err(BadKnob::new("interval", value, "use 1 ms to an hour"));
        }
        Ok(Self {
            node,
            interval,
            incarnation: wall_nanos(),
        })
    }

    /// The number of its life: higher than that of every life before it. From a counter on disk, say.
    #[must_use]
    pub const fn incarnation(mut self, incarnation: u64) -> Self {
        self.incarnation = incarnation;
        self
    }

    /// Beats on the current runtime, until the handle is dropped.
    ///
    /// `Response` is an acknowledgement, or nothing where none is sent.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn<S>(self, to: S) -> Beating
    where
        N: Clone + Send + 'static,
        S: Service<Heartbeat<N>> + Send + 'static,
        S::Response: Into<Option<HeartbeatAck>> + Send,
        S::Error: fmt::Display + Send,
        S::Future: Send,
    {
        let counts = Arc::new(Shared::default());
        let task = tokio::spawn(self.run(to, Arc::clone(&counts)));
        Beating { task, counts }
    }

    async fn run<S>(mut self, mut to: S, counts: Arc<Shared>)
    where
        N: Clone,
        S: Service<Heartbeat<N>>,
        S::Response: Into<Option<HeartbeatAck>>,
        S::Error: fmt::Display,
    {
        let origin = Instant::now();
        let mut ticks = ticks(self.interval);
        let mut seq = 0;
        counts.incarnation.store(self.incarnation, Relaxed);
        loop {
            ticks.tick().await;
            let beat = Heartbeat {
                node: self.node.clone(),
                incarnation: self.incarnation,
                seq,
                sent: Moment::after(origin.elapsed()),
                interval: self.interval,
            };
            let attempt = async {
                poll_fn(|cx| to.poll_ready(cx)).await?;
                to.call(beat).await
            };
            let attempt = attempt.instrument(event::sending(seq));
            // A heart does not stop over one beat.
            let attempt = AssertUnwindSafe(timeout(self.interval, attempt)).catch_unwind();
            seq += 1;
            let failed = |why: &dyn fmt::Display| {
                counts.failed.fetch_add(1, Relaxed);
                event::failed("heartbeater", why);
            };
            match attempt.await {
                Ok(Ok(Ok(ack))) => {
                    counts.sent.fetch_add(1, Relaxed);
                    if let Some(new) = self.renewal(ack.into()) {
                        event::renewed("heartbeater", self.incarnation, new);
                        (self.incarnation, seq) = (new, 0);
                        counts.incarnation.store(new, Relaxed);
                    }
                }
                Ok(Ok(Err(error))) => failed(&error),
                Ok(Err(elapsed)) => failed(&elapsed),
                Err(_) => failed(&"the service panicked"),
            }
        }
    }

    /// The life to begin, if this one does not count any more.
    fn renewal(&self, ack: Option<HeartbeatAck>) -> Option<u64> {
        match ack?.verdict {
            // What no life can be is no observer's word.
            Verdict::Renew { known } if known >= self.incarnation => known
                .checked_add(1)
                .filter(|new| *new <= HIGHEST_INCARNATION),
            _ => None,
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    failed: AtomicU64,
    incarnation: AtomicU64,
}

/// A node that beats, until this is dropped.
#[must_use = "it beats no longer than this lives"]
#[derive(Debug)]
pub struct Beating {
    task: JoinHandle<()>,
    counts: Arc<Shared>,
}

impl Beating {
    /// Stops at once; a beat that is under way is dropped.
    pub fn stop(self) {}

    /// Beats that were answered, or left where no answer is sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Relaxed)
    }

    /// Beats that failed, or were not answered within the interval.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.counts.failed.load(Relaxed)
    }

    /// The number of the present life.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.counts.incarnation.load(Relaxed)
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.task.abort();
    }
}

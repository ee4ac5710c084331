//! What all services of an adaptive limit share.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::limit::Limit;
use super::round::{End, Gather};
use crate::TARGET;
use crate::bulkhead::gate::Gate;
use crate::metered::count;

pub(super) struct Core {
    pub(super) gate: Arc<Gate>,
    pub(super) site: Arc<str>,
    control: Arc<Mutex<Control>>,
    in_flight: AtomicU32,
    limit: AtomicU32,
}

/// The algorithm and the round that it waits for.
pub(super) struct Control {
    limit: Box<dyn Limit + Send>,
    gather: Gather,
}

/// A call that is being measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    began: Instant,
    in_flight: u32,
}

impl Control {
    pub(super) fn new(limit: impl Limit + Send + 'static) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            limit: Box::new(limit),
            gather: Gather::new(),
        }))
    }

    /// At least one: a limit of none would never measure again.
    fn places(&self) -> u32 {
        self.limit.limit().max(1)
    }
}

impl Core {
    pub(super) fn new(control: Arc<Mutex<Control>>, queue: u32, site: Arc<str>) -> Self {
        let places = control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .places();
        Self {
            gate: Gate::new(places, queue, false),
            site,
            control,
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(places),
        }
    }

    pub(super) fn control(&self) -> Arc<Mutex<Control>> {
        Arc::clone(&self.control)
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    #[inline]
    pub(super) fn start(&self) -> Start {
        Start {
            began: Instant::now(),
            in_flight: self.in_flight.fetch_add(1, Relaxed) + 1,
        }
    }

    pub(super) fn end(&self, start: Start, end: End) {
        self.in_flight.fetch_sub(1, Relaxed);
        let now = Instant::now();
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.limit();
        let round = control
            .gather
            .add(start.began, now, start.in_flight, end, from);
        let Some(round) = round else { return };
        control.limit.update(round);
        let to = control.places();
        if to == from {
            return;
        }
        // Under the lock, so that the last word is the last.
        self.limit.store(to, Relaxed);
        self.gate.set_places(to);
        drop(control);
        let site = &*self.site;
        count("murphy_policy_concurrency_limit_changes_total", site);
        tracing::debug!(name: "concurrency.limit", target: TARGET, site, from, to, "the limit moved");
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("site", &self.site)
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}

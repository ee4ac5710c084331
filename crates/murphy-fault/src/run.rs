//! One armed run: what a site knows while it is armed, and the decision.
//!
//! Everything that counts lives here, so that it starts at zero with the run and dies with it.

mod decide;
mod halt;
mod rule;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use murphy_core::{Key, Point, Seed};
use tokio::time::Instant;

use crate::ledger::{Book, Grade, Unreached};
use crate::plan::{Limits, Plan};
use crate::table::Table;
use crate::turnstile::Turnstile;
use crate::{Fault, Leg};

pub(crate) use decide::{Asked, Judged, Receipt};
pub use halt::Reason;
pub(crate) use halt::{Halting, Watch};
pub(crate) use rule::Rule;

/// What all sites of a run share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seed: Seed,
    pub(crate) plan: Plan,
    /// Whether tokio's clock stood still when the run began.
    pub(crate) paused: bool,
    /// Whether to write down why rules did not strike.
    pub(crate) explain: bool,
    pub(crate) started: Instant,
    pub(crate) book: Book,
    pub(crate) in_flight: AtomicU32,
    pub(crate) halting: Halting,
}

/// One site in one run.
#[derive(Debug)]
pub(crate) struct SiteRun {
    /// The run's number; a service whose copy has another one looks again.
    pub(crate) version: u64,
    pub(crate) index: u32,
    name: Arc<str>,
    pub(crate) run: Arc<Run>,
    /// The first look at each rule: a draw that does not open any gate is a call that passes.
    gates: Box<[Gate]>,
    /// Every call is looked at, whatever the gates say.
    look_closer: bool,
    ordinal: AtomicU64,
    pub(crate) rules: Box<[Rule]>,
    table: OnceLock<Table>,
    unkeyed: AtomicBool,
    pub(crate) faulted: AtomicU64,
    pub(crate) withheld: AtomicU64,
    pub(crate) unable: AtomicU64,
    pub(crate) requests: Option<Arc<Turnstile>>,
    pub(crate) replies: Option<Arc<Turnstile>>,
}

/// A rule reduced to one multiplication and one comparison. What is more than a chance has a gate
/// that is always open.
#[derive(Clone, Copy, Debug)]
struct Gate {
    stream: murphy_core::Stream,
    threshold: u64,
}

/// One call, as the ledger names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    pub(crate) ordinal: u64,
    pub(crate) key: Key,
    pub(crate) occurrence: u64,
    pub(crate) keyed: bool,
}

impl Passage {
    #[inline]
    pub(crate) fn point(&self) -> Point {
        Point::keyed(self.key, self.occurrence)
    }
}

impl SiteRun {
    pub(crate) fn new(version: u64, index: u32, name: Arc<str>, run: Arc<Run>) -> Self {
        let rules: Box<[Rule]> = run
            .plan
            .faults()
            .iter()
            .filter(|(site, _)| *site == name)
            .map(|(site, fault)| Rule::new(run.seed, site, fault))
            .collect();
        let gates = rules
            .iter()
            .map(|r| Gate {
                stream: r.fires,
                threshold: r.threshold(),
            })
            .collect();
        let turnstile = |leg| rules.iter().any(|r| r.reorders(leg)).then(Arc::default);
        let (requests, replies) = (turnstile(Leg::Request), turnstile(Leg::Reply));
        // Whoever is passed must be counted, and so must whoever is judged by its outcome.
        let look_closer = run.explain
            || run.plan.halt != Default::default()
            || requests.is_some()
            || replies.is_some();
        Self {
            version,
            index,
            name,
            gates,
            look_closer,
            ordinal: AtomicU64::new(0),
            rules,
            table: OnceLock::new(),
            unkeyed: AtomicBool::new(false),
            faulted: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            unable: AtomicU64::new(0),
            requests,
            replies,
            run,
        }
    }

    /// Counts a call, and says who it is and whether it must be looked at more closely.
    #[inline]
    pub(crate) fn pass(&self, key: Option<Key>) -> (Passage, bool) {
        let ordinal = self.ordinal.fetch_add(1, Relaxed);
        let passage = match key {
            Some(key) => {
                let occurrence = self.table().next(key);
                Passage {
                    ordinal,
                    key,
                    occurrence,
                    keyed: true,
                }
            }
            None => {
                if !self.unkeyed.load(Relaxed) {
                    self.unkeyed.store(true, Relaxed);
                }
                Passage {
                    ordinal,
                    key: Key::new(0),
                    occurrence: ordinal,
                    keyed: false,
                }
            }
        };
        let point = passage.point();
        let look = self.look_closer
            || self
                .gates
                .iter()
                .any(|g| (g.stream.at(point).bits() >> 11) < g.threshold);
        (passage, look)
    }

    /// Whether requests must be asked for their words before they are counted.
    #[inline]
    pub(crate) fn excludes(&self) -> bool {
        !self.limits().exclude.is_empty()
    }

    #[inline]
    fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(self.limits().keys))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.run.plan.limits
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn fault(&self, rule: u8) -> Option<&Fault> {
        self.rules.get(rule as usize).map(|r| &r.fault)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.ordinal.load(Relaxed)
    }

    pub(crate) fn keys_overflowed(&self) -> bool {
        self.table.get().is_some_and(Table::overflowed)
    }

    /// How far this site repeats: see [`Grade`].
    pub(crate) fn grade(&self) -> Grade {
        let by_schedule = self.unkeyed.load(Relaxed)
            || self.keys_overflowed()
            || self.withheld.load(Relaxed) > 0
            || self.rules.iter().any(Rule::looks_beyond_the_key);
        match (self.run.paused, by_schedule) {
            (true, _) => Grade::Paused,
            (false, true) => Grade::Positional,
            (false, false) => Grade::Keyed,
        }
    }

    pub(crate) fn unreached(&self) -> Vec<Unreached> {
        let name = |rule: &Rule, point| Unreached {
            site: self.name.to_string(),
            fault: rule.fault.name.to_string(),
            point,
        };
        self.rules
            .iter()
            .flat_map(|r| r.unreached().into_iter().map(move |p| name(r, p)))
            .collect()
    }

    /// Lets everything go that is held back on purpose.
    pub(crate) fn release(&self) {
        for turnstile in [&self.requests, &self.replies].into_iter().flatten() {
            turnstile.open();
        }
    }

    /// How long the run has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.run.started.elapsed()
    }
}

//! One armed run: what a site knows while it is armed, and the decision.
//!
//! Everything that counts lives here, so that it starts at zero with the run and dies with it.

mod decide;
mod halt;
mod judge;
mod late;
mod notes;
mod receipt;
mod rule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use murphy_core::{Key, Lane, Point, Seed, Stream};
use tokio::time::Instant;

use crate::book::{Book, Grade};
use crate::link::{self, Link};
use crate::network::{Profiles, Queue};
use crate::plan::{Limits, Plan};
use crate::select::ScriptPoint;
use crate::table::Table;
use crate::turnstile::Turnstile;
use crate::{Fault, Leg};

pub(crate) use decide::{Asked, Judged};
pub use halt::Reason;
pub(crate) use halt::{Halting, Watch};
pub(crate) use receipt::Receipt;
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
    /// What links were like when it was armed.
    pub(crate) profiles: Arc<Profiles>,
    /// What is on each directed link that has a rate: shared by the sites at both of its ends.
    pub(crate) queues: Mutex<BTreeMap<(u32, u32), Arc<Queue>>>,
}

/// One site in one run.
#[derive(Debug)]
pub(crate) struct SiteRun {
    /// The run's number; a service whose copy has another one looks again.
    pub(crate) version: u64,
    /// The same number, if no request has to be asked for its words before it is counted; else 0,
    /// which no run has.
    quick: AtomicU64,
    /// As `quick`, if the site is a link; else 0.
    linked: AtomicU64,
    /// Set once: a site of the plan may become a link when its nodes are declared.
    link: OnceLock<Link>,
    pub(crate) index: u32,
    name: Arc<str>,
    pub(crate) run: Arc<Run>,
    /// The first look at each rule: a draw that does not open any gate is a call that passes.
    gates: Box<[Gate]>,
    ordinal: AtomicU64,
    pub(crate) rules: Box<[Rule]>,
    table: OnceLock<Table>,
    pub(crate) faulted: AtomicU64,
    pub(crate) withheld: AtomicU64,
    pub(crate) unable: AtomicU64,
    /// The state of the link has struck: when, the schedule said.
    pub(crate) disturbed: AtomicBool,
    pub(crate) malformed: AtomicU64,
    pub(crate) requests: Option<Arc<Turnstile>>,
    pub(crate) replies: Option<Arc<Turnstile>>,
}

/// A rule reduced to one multiplication and one comparison. What is more than a chance has a gate
/// that is always open.
#[derive(Clone, Copy, Debug)]
struct Gate {
    stream: Stream,
    /// The largest draw that opens it: as `threshold`, with the bits below the 53rd filled up.
    limit: u64,
}

/// One call, as the ledger names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    pub(crate) ordinal: u64,
    pub(crate) key: Key,
    pub(crate) occurrence: u64,
    pub(crate) keyed: bool,
}

impl Gate {
    /// The only gate where every call is looked at.
    const OPEN: Self = Self {
        stream: Stream::new(Seed::new(0), "", "", Lane::Fires),
        limit: u64::MAX,
    };

    /// The gate of a rule; none if it can never strike.
    fn of(rule: &Rule) -> Option<Self> {
        let limit = rule.threshold().checked_sub(1)?;
        Some(Self {
            stream: rule.fires,
            limit: (limit << 11) | 0x7FF,
        })
    }

    #[inline]
    fn opens(&self, point: Point) -> bool {
        self.stream.at(point).bits() <= self.limit
    }
}

impl Passage {
    pub(crate) fn positional(ordinal: u64) -> Self {
        Self {
            ordinal,
            key: Key::new(0),
            occurrence: ordinal,
            keyed: false,
        }
    }

    pub(crate) fn keyed(ordinal: u64, key: Key, occurrence: u64) -> Self {
        Self {
            ordinal,
            key,
            occurrence,
            keyed: true,
        }
    }

    #[inline]
    pub(crate) fn point(&self) -> Point {
        Point::keyed(self.key, self.occurrence)
    }
}

impl Run {
    /// The rules that make a link feel as its profiles say.
    fn derived(&self, site: &str, link: &Link) -> Vec<Rule> {
        let mut rules = Vec::new();
        for leg in [Leg::Request, Leg::Reply] {
            let shared = |new| {
                let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(queues.entry(link.way(leg)).or_insert(new))
            };
            let profile = self.profiles.of(link.way(leg));
            let faults = profile.map_or(Vec::new(), |p| p.faults(leg));
            let of = |fault| Rule::derived(self.seed, site, fault, shared);
            rules.extend(faults.iter().map(of));
        }
        rules
    }
}

impl SiteRun {
    pub(crate) fn new(
        version: u64,
        index: u32,
        name: Arc<str>,
        run: Arc<Run>,
        link: Option<Link>,
    ) -> Self {
        let planned = run.plan.faults().iter().filter(|(site, _)| *site == name);
        let planned = planned.map(|(site, fault)| Rule::new(run.seed, site, fault));
        let derived = link.iter().flat_map(|link| run.derived(&name, link));
        let rules: Box<[Rule]> = planned.chain(derived).collect();
        let spares_nobody = run.plan.limits.exclude.is_empty();
        let numbered = |is: bool| AtomicU64::new(if is && spares_nobody { version } else { 0 });
        let turnstile = |leg| rules.iter().any(|r| r.reorders(leg)).then(Arc::default);
        let (requests, replies) = (turnstile(Leg::Request), turnstile(Leg::Reply));
        // Whoever is passed must be counted, and so must whoever is judged by its outcome.
        let look_closer = run.explain
            || run.plan.halt != Default::default()
            || requests.is_some()
            || replies.is_some();
        let gates = if look_closer {
            Box::new([Gate::OPEN]) as Box<[Gate]>
        } else {
            rules.iter().filter_map(Gate::of).collect()
        };
        Self {
            version,
            quick: numbered(link.is_none()),
            linked: numbered(link.is_some()),
            link: link.map_or_else(OnceLock::new, OnceLock::from),
            index,
            name,
            gates,
            ordinal: AtomicU64::new(0),
            rules,
            table: OnceLock::new(),
            faulted: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            unable: AtomicU64::new(0),
            disturbed: AtomicBool::new(false),
            malformed: AtomicU64::new(0),
            requests,
            replies,
            run,
        }
    }

    /// Whether a request is one of those that are spared and not counted.
    #[cold]
    pub(crate) fn excludes(&self, is: impl Fn(&str) -> bool) -> bool {
        self.limits().exclude.iter().any(|word| is(word))
    }

    /// Counts a call.
    #[inline]
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.ordinal.fetch_add(1, Relaxed)
    }

    /// Counts a call of this key.
    #[inline]
    pub(crate) fn next_occurrence(&self, key: Key) -> u64 {
        self.table().next(key)
    }

    /// Whether the call at this point must be looked at more closely.
    #[inline]
    pub(crate) fn opens(&self, point: Point) -> bool {
        self.gates.iter().any(|gate| gate.opens(point))
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

    /// Name, kind and leg of a rule, or of the state of the link.
    pub(crate) fn called(&self, rule: u8) -> Option<(&str, &str, Leg)> {
        let of = |fault: &Fault| (fault.effect.kind(), fault.effect.leg());
        match self.rules.get(rule as usize) {
            Some(rule) => {
                let (kind, leg) = of(&rule.fault);
                Some((rule.fault.name(), kind, leg))
            }
            None => link::state(rule),
        }
    }

    pub(crate) fn fault(&self, rule: u8) -> Option<&Fault> {
        self.rules.get(rule as usize).map(|r| &r.fault)
    }

    /// The link that the site is, if it is one.
    pub(crate) fn link(&self) -> Option<&Link> {
        self.link.get()
    }

    /// Its nodes have been declared: from now on it is looked at as a link.
    pub(crate) fn becomes(&self, link: Link) {
        if self.link.set(link).is_ok() {
            let version = self.quick.swap(0, Relaxed);
            self.linked.store(version, Relaxed);
        }
    }

    /// Whether this is the run with this number, and spares nobody; the site is no link.
    #[inline]
    pub(crate) fn is_quick(&self, version: u64) -> bool {
        self.quick.load(Relaxed) == version
    }

    /// As [`is_quick`](Self::is_quick), where the site is a link.
    #[inline]
    pub(crate) fn is_linked(&self, version: u64) -> bool {
        self.linked.load(Relaxed) == version
    }

    /// Whether no link state is in the way of a call, as far as a glance tells.
    #[inline]
    pub(crate) fn is_still_clear(&self) -> bool {
        self.link.get().is_none_or(Link::is_still_clear)
    }

    /// Whether the plan says something of this site.
    pub(crate) fn is_planned(&self) -> bool {
        self.rules.iter().any(|r| !r.derived)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.ordinal.load(Relaxed)
    }

    pub(crate) fn keys_overflowed(&self) -> bool {
        self.table.get().is_some_and(Table::overflowed)
    }

    /// Whether there were calls that no key counted: derived, so that no call pays for it.
    fn some_without_key(&self) -> bool {
        self.calls() > self.table.get().map_or(0, Table::counted)
    }

    /// How far this site repeats: see [`Grade`].
    pub(crate) fn grade(&self) -> Grade {
        let by_schedule = self.some_without_key()
            || self.keys_overflowed()
            || self.withheld.load(Relaxed) > 0
            || self.disturbed.load(Relaxed)
            || self.rules.iter().any(Rule::looks_beyond_the_key);
        match (self.run.paused, by_schedule) {
            (true, _) => Grade::Paused,
            (false, true) => Grade::Positional,
            (false, false) => Grade::Keyed,
        }
    }

    /// The points of scripts that no call has reached, by the name of the fault.
    pub(crate) fn unreached(&self) -> impl Iterator<Item = (&str, ScriptPoint)> {
        let points = |rule: &Rule| rule.unreached();
        self.rules
            .iter()
            .flat_map(move |rule| points(rule).into_iter().map(|p| (rule.fault.name(), p)))
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

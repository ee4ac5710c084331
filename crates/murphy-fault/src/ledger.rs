//! [`Ledger`]: what was injected, to whom, and what came of it.

mod read;
mod record;

use std::io::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murphy_core::Seed;

use crate::book::{Entry, Finding, Grade};
use crate::event::Event;
use crate::plan::Plan;
use crate::run::{Run, SiteRun};
use crate::select::ScriptPoint;

pub use read::{BadLedger, Transcript};
pub use record::{Header, Record, Summary, digest};

/// The version of the format that [`Ledger::write_json_lines`] writes.
pub const LEDGER_VERSION: u32 = 1;

/// The bounded log of one run, live: a cheap handle that reads what has been written so far.
///
/// It holds every fault that struck, acting or masked, and every one that a limit withheld; on
/// request ([`Chaos::explain`](crate::Chaos::explain)) also why the others did not strike. Calls
/// that merely passed are counted. Past its bound (`limits.ledger`, default 65,536 records) new
/// records are counted and not kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) run: Arc<Run>,
    pub(crate) sites: Arc<Roll>,
}

/// The sites of a run: those of its plan, and links as they appear.
#[derive(Debug, Default)]
pub(crate) struct Roll(Mutex<Vec<Arc<SiteRun>>>);

impl Roll {
    /// Adds the site that `make` makes of its index.
    pub(crate) fn add(&self, make: impl FnOnce(u32) -> SiteRun) -> Arc<SiteRun> {
        let mut sites = self.lock();
        let site = Arc::new(make(sites.len() as u32));
        sites.push(Arc::clone(&site));
        site
    }

    /// All of them, by now.
    pub(crate) fn all(&self) -> Vec<Arc<SiteRun>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<SiteRun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// The faults that struck, acting or masked, in the order in which they did.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.collect(|e| matches!(e.finding, Finding::Injected | Finding::Masked))
    }

    /// The faults that struck and acted: without those that changed nothing because another fault
    /// of the same call had decided already.
    #[must_use]
    pub fn injected(&self) -> Vec<Record> {
        self.collect(|e| e.finding == Finding::Injected)
    }

    /// Everything that was written down: also what limits withheld and, where it was asked for,
    /// why rules did not strike.
    #[must_use]
    pub fn everything(&self) -> Vec<Record> {
        self.collect(|_| true)
    }

    /// What was done to the network, to nodes and to their clocks, in order. What the end of the run
    /// heals has no event.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.run.book.events()
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.run.seed
    }

    /// The plan of the run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.run.plan
    }

    /// How far the run repeats: the lowest grade of its sites. A run without calls is as good as
    /// its clock.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let best = if self.run.paused {
            Grade::Paused
        } else {
            Grade::Keyed
        };
        self.sites
            .all()
            .iter()
            .filter(|s| s.calls() > 0)
            .map(|s| s.grade())
            .min()
            .unwrap_or(best)
    }

    /// Counters, a line a site: those of the plan, and the links that calls have passed.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let sites = self.sites.all();
        let seen = sites.iter().filter(|s| s.is_planned() || s.calls() > 0);
        seen.map(|site| site.summary()).collect()
    }

    /// Records that found no room.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.run.book.overflowed()
    }

    /// The points of scripts that no call has reached: `site`, `fault`, point. A replay in which
    /// some are left is not a replay.
    #[must_use]
    pub fn unreached(&self) -> Vec<Unreached> {
        let named = |site: &SiteRun, (fault, point): (&str, ScriptPoint)| Unreached {
            site: site.name().to_string(),
            fault: fault.to_owned(),
            point,
        };
        let sites = self.sites.all();
        sites
            .iter()
            .flat_map(|site| site.unreached().map(move |left| named(site, left)))
            .collect()
    }

    /// A number that two runs share exactly if they struck the same operations with the same
    /// faults and magnitudes, in whatever order. (Up to a chance of 2⁻⁶⁴.)
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(&self.records())
    }

    /// Writes the ledger as JSON lines: a header with seed, grade and plan, a line an event,
    /// a line a record, a summary a site, and a last line that says it is whole.
    ///
    /// # Errors
    ///
    /// What `to` fails with.
    pub fn write_json_lines(&self, to: impl Write) -> io::Result<()> {
        self.transcript().write_json_lines(to)
    }

    /// A plan that injects just the faults that this ledger holds, call by call, with the disturbances
    /// of its plan. What was done to the network and to nodes *by hand* is code, as profiles of links
    /// are: [`events`](Self::events) says what it was.
    ///
    /// # Errors
    ///
    /// [`BadLedger`] if records were lost to the bound: what was not kept cannot be replayed.
    pub fn to_plan(&self) -> Result<Plan, BadLedger> {
        self.transcript().to_plan()
    }

    /// What there is by now, detached from the run.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        Transcript {
            header: Header::new(self.run.seed, self.grade(), self.run.plan.clone()),
            records: self.everything(),
            events: self.events(),
            summaries: self.summaries(),
            overflowed: self.overflowed(),
            whole: true,
        }
    }

    fn collect(&self, keep: impl Fn(&Entry) -> bool) -> Vec<Record> {
        let sites = self.sites.all();
        self.run
            .book
            .read(keep)
            .iter()
            .filter_map(|e| record(sites.get(e.site as usize)?, e))
            .collect()
    }
}

fn record(site: &SiteRun, e: &Entry) -> Option<Record> {
    let (fault, kind, leg) = site.called(e.rule)?;
    Some(Record {
        site: site.name().to_string(),
        fault: fault.to_owned(),
        kind: kind.to_owned(),
        leg,
        ordinal: e.ordinal,
        key: e.key,
        occurrence: e.occurrence,
        keyed: e.keyed,
        at: e.at,
        magnitude: e.magnitude,
        finding: e.finding,
        why: e.why,
        outcome: e.outcome,
    })
}

/// A point of a script that no call reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// The site.
    pub site: String,
    /// The fault's name.
    pub fault: String,
    /// The point.
    pub point: ScriptPoint,
}

impl SiteRun {
    fn summary(&self) -> Summary {
        Summary {
            site: self.name().to_string(),
            calls: self.calls(),
            faulted: self.faulted.load(Relaxed),
            withheld: self.withheld.load(Relaxed),
            unable: self.unable.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            keys_overflowed: self.keys_overflowed(),
            grade: self.grade(),
        }
    }
}

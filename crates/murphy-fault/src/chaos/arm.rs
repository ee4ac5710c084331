//! Arming: a plan is checked against the sites, and becomes a run.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::{ReportSeed, clock};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::schedule::{self, Schedule};
use super::{Chaos, Current, Inner, TimeLimit, lock};
use crate::Leg;
use crate::abilities::ability;
use crate::book::Book;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::network::{NetworkError, Wires};
use crate::plan::{BadPlan, Plan, nearest};
use crate::run::{Halting, Reason, Run, SiteRun};
use crate::seat::SiteCore;
use crate::wire::words::Word;

/// Why a run could not begin. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArmError {
    /// It was made by [`Chaos::off`](crate::Chaos::off).
    #[error("this chaos is off: it was made so that it can never be armed")]
    Off,
    /// A run is on.
    #[error("armed already: disarm it, or drop the guard of the run that is on")]
    Armed,
    /// The plan is wrong.
    #[error(transparent)]
    Plan(#[from] BadPlan),
    /// The plan names a site that nobody asked the chaos for.
    #[error("plan: `fault[{index}].site` is `{site}`: no site has this name; {remedy}")]
    UnknownSite {
        /// The fault's index in the plan.
        index: usize,
        /// The name.
        site: String,
        /// The nearest known one, and all of them.
        remedy: String,
    },
    /// A site's layer cannot do what the plan asks of it.
    #[error(
        "plan: fault `{fault}` asks site `{site}` for what its layer cannot do: build it with `{remedy}`"
    )]
    Unable {
        /// The site.
        site: String,
        /// The fault's name, or `limits.exclude`.
        fault: String,
        /// The setter that gives the ability.
        remedy: &'static str,
    },
    /// The plan disturbs what is not there, or cannot be disturbed like this.
    #[error("plan: `event[{index}]`: {problem}")]
    Event {
        /// The disturbance's index in the plan.
        index: usize,
        /// What is wrong with it.
        problem: NetworkError,
    },
    /// A time limit needs a timer, and so does a disturbance; and a timer a runtime.
    #[error(
        "no tokio runtime here for the timers of time limit and events: arm inside one (or use `TimeLimit::None` and no events)"
    )]
    NoRuntime,
}

/// A run that is on. Dropping the guard ends it; a panic that drops it prints the seed.
#[derive(Debug)]
#[must_use = "dropping the guard disarms at once"]
pub struct Armed {
    chaos: Arc<Inner>,
    version: u64,
    ledger: Ledger,
    kept: bool,
    /// A test that fails while the run is on says how to repeat it.
    _report: ReportSeed,
}

impl Armed {
    /// The run's ledger: a handle that outlives the guard and the run.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Ends the run and hands its ledger over.
    pub fn disarm(self) -> Ledger {
        self.ledger.clone()
    }

    /// Lets the run go on without the guard, to its time limit or until
    /// [`Chaos::disarm`](crate::Chaos::disarm).
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        if !self.kept {
            self.chaos.disarm(Some(self.version), Reason::Told);
        }
    }
}

pub(super) fn arm(chaos: &Arc<Inner>, plan: &Plan, limit: TimeLimit) -> Result<Armed, ArmError> {
    if chaos.off {
        return Err(ArmError::Off);
    }
    plan.check()?;
    let runtime = Handle::try_current().ok();
    let timed = matches!(limit, TimeLimit::After(_)) || !plan.disturbances().is_empty();
    let runtime = runtime.filter(|_| timed);
    if timed && (runtime.is_none() || !has_timers()) {
        return Err(ArmError::NoRuntime);
    }
    let handle = Chaos {
        inner: Arc::clone(chaos),
    };
    for (index, disturbance) in plan.disturbances().iter().enumerate() {
        let checked = disturbance.deed.check(&handle);
        checked.map_err(|problem| ArmError::Event { index, problem })?;
    }
    let sites = sites_of(chaos, plan)?;

    let mut state = lock(&chaos.state);
    if state.current.is_some() {
        return Err(ArmError::Armed);
    }
    state.runs += 1;
    let version = state.runs;
    let run = Arc::new(Run {
        seed: plan.seed.unwrap_or(chaos.seed),
        plan: plan.clone(),
        paused: clock::is_paused(),
        explain: chaos.explain.load(Relaxed),
        started: Instant::now(),
        book: Book::new(plan.limits.ledger),
        in_flight: AtomicU32::new(0),
        halting: Halting::new(Arc::downgrade(chaos), version),
        profiles: chaos.wires.profiles(),
        queues: Mutex::default(),
    });
    let ledger = Ledger {
        run,
        sites: Arc::default(),
    };
    let mut current = Current {
        version,
        ledger: ledger.clone(),
        sites: Vec::new(),
        tasks: Vec::new(),
    };
    for site in sites {
        let link = Link::named(site.name(), &chaos.wires);
        publish(&mut current, site, link);
    }
    let all: Vec<_> = lock(&chaos.sites).values().cloned().collect();
    for site in &all {
        seat_link(&mut current, site, &chaos.wires);
    }
    let taking_part = current.sites.len();
    state.current = Some(current);
    chaos.nodes.arm(ledger.seed());
    state.last = Some(ledger.clone());
    state.ended = None;
    drop(state);
    let armed = Armed {
        chaos: Arc::clone(chaos),
        version,
        _report: ledger.seed().report_on_panic(),
        ledger,
        kept: false,
    };
    // Whoever hears of it may ask the chaos what it likes: no lock is held.
    tracing::info!(target: "murphy::fault", seed = %armed.ledger.seed(), sites = taking_part, "chaos.armed");
    if let Some(runtime) = runtime {
        armed.begin(limit, &runtime);
    }
    Ok(armed)
}

impl Armed {
    /// Starts its timer, and does what the plan begins with.
    fn begin(&self, limit: TimeLimit, runtime: &Handle) {
        if let TimeLimit::After(after) = limit {
            let timer = Timer {
                chaos: Arc::clone(&self.chaos),
                version: self.version,
            };
            let timer = async move {
                tokio::time::sleep(after).await;
                drop(timer);
            };
            let task = runtime.spawn(timer);
            self.chaos.entrust(self.version, task.abort_handle());
        }
        let run = &self.ledger.run;
        if !run.plan.disturbances().is_empty() {
            let drawn = schedule::drawn(run.plan.disturbances(), run.seed);
            let chaos = Arc::downgrade(&self.chaos);
            let mut schedule = Schedule::new(chaos, self.version, run.started, drawn);
            schedule.begin();
            let task = runtime.spawn(schedule.run());
            self.chaos.entrust(self.version, task.abort_handle());
        }
    }
}

/// What ends a run when it is dropped: its time is up, or nobody would be there to say so. It
/// keeps the chaos, so that a run that nobody holds ends as well.
struct Timer {
    chaos: Arc<Inner>,
    version: u64,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.chaos.disarm(Some(self.version), Reason::TimeLimit);
    }
}

/// Whether the runtime that this runs in can wait. There is no other way to ask than to try.
fn has_timers() -> bool {
    std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// A site that is a link takes part in the run, if it does not yet.
pub(super) fn seat_link(current: &mut Current, site: &Arc<SiteCore>, wires: &Arc<Wires>) {
    let run = site.current().filter(|_| site.is_in(current.version));
    if run.as_ref().is_some_and(|run| run.link().is_some()) {
        return;
    }
    match (Link::named(site.name(), wires), run) {
        (Some(link), Some(run)) => run.becomes(link),
        (Some(link), None) => publish(current, Arc::clone(site), Some(link)),
        (None, _) => {}
    }
}

fn publish(current: &mut Current, site: Arc<SiteCore>, link: Option<Link>) {
    let ledger = current.ledger.clone();
    let run = ledger.sites.add(|index| {
        let name = Arc::clone(site.name());
        SiteRun::new(current.version, index, name, Arc::clone(&ledger.run), link)
    });
    site.publish(run, ledger);
    current.sites.push(site);
}

/// The sites that the plan names, each once, able to do what is asked of them.
fn sites_of(chaos: &Inner, plan: &Plan) -> Result<Vec<Arc<SiteCore>>, ArmError> {
    let known = lock(&chaos.sites);
    let mut named: Vec<Arc<SiteCore>> = Vec::new();
    for (index, (name, fault)) in plan.faults().iter().enumerate() {
        let Some(site) = known.get(name) else {
            let names = || known.keys().map(|k| &**k);
            let guess =
                nearest(name, names()).map_or(String::new(), |g| format!("did you mean `{g}`? "));
            let some: Vec<&str> = names().take(20).collect();
            let remedy = format!(
                "{guess}known are [{}]; ask `Chaos::site` for it before arming",
                some.join(", ")
            );
            return Err(ArmError::UnknownSite {
                index,
                site: name.to_string(),
                remedy,
            });
        };
        able(site, ability::needed_by(fault), fault.name())?;
        let narrow = &fault.narrow;
        speaks(site, &narrow.only, || format!("fault[{index}].only"))?;
        speaks(site, &narrow.except, || format!("fault[{index}].except"))?;
        if !named.iter().any(|s| Arc::ptr_eq(s, site)) {
            if !plan.limits.exclude.is_empty() {
                able(site, ability::MATCH, "limits.exclude")?;
                speaks(site, &plan.limits.exclude, || "limits.exclude".into())?;
            }
            named.push(Arc::clone(site));
        }
    }
    // What a link is like asks its layers as well.
    let profiles = chaos.wires.profiles();
    for (name, site) in known.iter() {
        let Some(link) = Link::named(name, &chaos.wires) else {
            continue;
        };
        for leg in [Leg::Request, Leg::Reply] {
            let profile = profiles.of(link.way(leg));
            for fault in profile.map_or(Vec::new(), |p| p.faults(leg)) {
                able(site, ability::needed_by(&fault), fault.name())?;
            }
        }
    }
    Ok(named)
}

/// Where all words are HTTP's, each must be one of them.
fn speaks(site: &SiteCore, words: &[Arc<str>], field: impl Fn() -> String) -> Result<(), BadPlan> {
    let offered = site.offered().unwrap_or_default();
    if offered & ability::HTTP_WORDS == 0 || offered & ability::OWN_WORDS != 0 {
        return Ok(());
    }
    match words.iter().find(|word| Word::parse(word).is_none()) {
        Some(word) => Err(BadPlan::Field {
            field: field(),
            value: word.chars().take(64).collect(),
            remedy: Word::REMEDY.into(),
        }),
        None => Ok(()),
    }
}

fn able(site: &SiteCore, needs: u32, fault: &str) -> Result<(), ArmError> {
    // A site without a layer may still get one that can.
    let missing = site.offered().map_or(0, |offered| needs & !offered);
    match ability::setter(missing) {
        Some(remedy) => Err(ArmError::Unable {
            site: site.name().to_string(),
            fault: fault.to_owned(),
            remedy,
        }),
        None => Ok(()),
    }
}

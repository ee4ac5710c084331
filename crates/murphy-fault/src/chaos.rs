//! [`Chaos`]: the root handle. Sites, plan, arming.

mod arm;
mod schedule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use murphy_core::{BadSeed, Seed};
use tokio::task::AbortHandle;

use crate::event::{Event, NotArmed, Verb};
use crate::ledger::Ledger;
use crate::network::{Network, Wires};
use crate::node::{Healed, Nodes};
use crate::plan::Plan;
use crate::run::Reason;
use crate::seat::SiteCore;
use crate::site::Site;

pub use arm::{ArmError, Armed};

/// The most sites that one `Chaos` knows; further ones cannot be armed.
const MOST_SITES: usize = 65_536;

/// Sites, and the switch that makes things go wrong at them.
///
/// It starts disarmed. [`arm`](Self::arm) begins a run: it takes a [`Plan`] and a time limit, and
/// all counting starts at zero. Several of them live in one process without knowing of each other.
/// A handle: clones share everything.
///
/// # Examples
///
/// ```
/// use murphy_core::{Probability, Seed};
/// use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
///
/// let chaos = Chaos::new(Seed::new(42));
/// let link = chaos.site("api->payments");
/// let _layer = link.layer(); // goes into the stack, and does nothing yet
///
/// let plan = Plan::new().with("api->payments", Fault::lost_reply(Probability::ALWAYS));
/// let armed = chaos.arm(&plan, TimeLimit::None)?;
/// assert!(chaos.is_armed());
/// drop(armed); // heals
/// assert!(!chaos.is_armed());
/// # Ok::<(), murphy_fault::ArmError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chaos {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    seed: Seed,
    off: bool,
    explain: AtomicBool,
    sites: Mutex<BTreeMap<Arc<str>, Arc<SiteCore>>>,
    pub(crate) wires: Arc<Wires>,
    state: Mutex<State>,
    pub(crate) nodes: Nodes,
}

#[derive(Debug, Default)]
struct State {
    runs: u64,
    current: Option<Current>,
    last: Option<Ledger>,
    ended: Option<Reason>,
}

#[derive(Debug)]
struct Current {
    version: u64,
    ledger: Ledger,
    /// Those that take part: of the plan, and links.
    sites: Vec<Arc<SiteCore>>,
    /// Its time limit and its schedule.
    tasks: Vec<AbortHandle>,
}

/// How long a run lasts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// So long, by one timer of tokio's that arming starts, whether or not anybody still holds the
    /// chaos; less, if the runtime ends before. The one to use outside of tests.
    After(Duration),
    /// Until it is disarmed by hand.
    None,
}

impl From<Duration> for TimeLimit {
    fn from(limit: Duration) -> Self {
        Self::After(limit)
    }
}

impl Chaos {
    /// A disarmed chaos with a seed.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self::with(seed, false)
    }

    /// A chaos that can never be armed: what a production build passes around.
    #[must_use]
    pub fn off() -> Self {
        Self::with(Seed::new(0), true)
    }

    /// A disarmed chaos with the seed in `MURPHY_SEED`, or a fresh one.
    ///
    /// # Errors
    ///
    /// [`BadSeed`] if the variable holds no seed.
    pub fn from_env() -> Result<Self, BadSeed> {
        Ok(Self::new(Seed::resolve(None)?))
    }

    fn with(seed: Seed, off: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                seed,
                off,
                explain: AtomicBool::new(false),
                sites: Mutex::default(),
                wires: Arc::default(),
                state: Mutex::default(),
                nodes: Nodes::default(),
            }),
        }
    }

    /// The seed that draws are made from, unless a plan brings its own.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.inner.seed
    }

    /// The site with this name: the same one for the same name.
    ///
    /// A name like `"api->payments"` names the link from api to payments, once one of them is a node of
    /// the [network](Self::network). Past 65,536 sites, a
    /// new one is not known to the chaos and cannot be armed.
    #[must_use]
    pub fn site(&self, name: &str) -> Site {
        let core = {
            let mut sites = lock(&self.inner.sites);
            if let Some(core) = sites.get(name) {
                return Site::of(Arc::clone(core));
            }
            let core = Arc::new(SiteCore::new(name.into()));
            if sites.len() < MOST_SITES {
                sites.insert(Arc::clone(core.name()), Arc::clone(&core));
            } else {
                drop(sites);
                tracing::warn!(target: "murphy::fault", site = name, "chaos.too_many_sites");
                return Site::of(core);
            }
            core
        };
        if self.network().adopt_one(name) {
            // Others may have become links by that.
            self.network().adopt();
            self.inner.seat_links();
        } else {
            self.inner.seat_link(&core);
        }
        Site::of(core)
    }

    /// The network whose links are the sites of this chaos: nodes, partitions, profiles.
    #[must_use]
    pub fn network(&self) -> Network {
        Network::of(self.clone())
    }

    /// The names of all sites so far, sorted.
    #[must_use]
    pub fn sites(&self) -> Vec<Arc<str>> {
        lock(&self.inner.sites).keys().cloned().collect()
    }

    /// Begins a run. The guard ends it when it is dropped.
    ///
    /// Where a site's layer has been built already, what the plan asks of it is checked here;
    /// where it is built later, a fault that it cannot carry out is inert and counted as unable.
    ///
    /// # Errors
    ///
    /// [`ArmError`]: the chaos is off or armed already, the plan is wrong or names an unknown
    /// site, a site lacks an ability, or there is no runtime for the time limit's timer. Nothing
    /// is changed then.
    pub fn arm(&self, plan: &Plan, limit: impl Into<TimeLimit>) -> Result<Armed, ArmError> {
        arm::arm(&self.inner, plan, limit.into())
    }

    /// Begins a run with the plan that `MURPHY_PLAN` names; `None` if the variable is not set.
    ///
    /// # Errors
    ///
    /// As [`arm`](Self::arm), and if the plan cannot be read.
    pub fn arm_from_env(&self, limit: impl Into<TimeLimit>) -> Result<Option<Armed>, ArmError> {
        match Plan::from_env()? {
            Some(plan) => self.arm(&plan, limit).map(Some),
            None => Ok(None),
        }
    }

    /// Ends the run, if there is one: no new fates, what is held is let go, nodes that are paused
    /// resume and those that are down restart. Calls in flight keep their fate.
    pub fn disarm(&self) {
        self.inner.disarm(None, Reason::Told);
    }

    /// Whether a run is on.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        lock(&self.inner.state).current.is_some()
    }

    /// Why the last run ended; `None` before, and while one is on.
    #[must_use]
    pub fn ended(&self) -> Option<Reason> {
        lock(&self.inner.state).ended
    }

    /// The ledger of the run, or of the last one. `None` before the first.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        lock(&self.inner.state).last.clone()
    }

    /// Whether runs from now on write down why faults did *not* strike. Costs a record a rule and
    /// call.
    pub fn explain(&self, on: bool) {
        self.inner.explain.store(on, Relaxed);
    }
}

impl Inner {
    /// Lets a site that is a link take part in the run that is on, if it does not yet.
    pub(crate) fn seat_link(&self, site: &Arc<SiteCore>) {
        let mut state = lock(&self.state);
        if let Some(current) = &mut state.current {
            arm::seat_link(current, site, &self.wires);
        }
    }

    /// As [`seat_link`](Self::seat_link), for all sites: nodes were declared.
    pub(crate) fn seat_links(&self) {
        let mut state = lock(&self.state);
        if let Some(current) = &mut state.current {
            // The locks are taken in the order of arming.
            let sites: Vec<_> = lock(&self.sites).values().cloned().collect();
            for site in &sites {
                arm::seat_link(current, site, &self.wires);
            }
        }
    }

    /// Whether the run with this number is on.
    fn is_on(&self, version: u64) -> bool {
        let state = lock(&self.state);
        state
            .current
            .as_ref()
            .is_some_and(|run| run.version == version)
    }

    /// A task that ends with a run; at once, if that is over.
    fn entrust(&self, version: u64, task: AbortHandle) {
        let mut state = lock(&self.state);
        match state.current.as_mut().filter(|run| run.version == version) {
            Some(current) => current.tasks.push(task),
            None => {
                drop(state);
                task.abort();
            }
        }
    }

    /// Does something to the world and writes it down; refused while no run is on, or another than
    /// the `only` one.
    ///
    /// `change` runs under the lock that disarming takes, so that nothing is disturbed after the
    /// run has been healed. It must wake nobody and ask this chaos nothing.
    pub(crate) fn disturb<T>(
        &self,
        only: Option<u64>,
        verb: Verb,
        whom: &str,
        change: impl FnOnce() -> T,
    ) -> Result<T, NotArmed> {
        match self.disturb_if(only, verb, whom, || Some(change()))? {
            Some(changed) => Ok(changed),
            None => unreachable!("it always changes"),
        }
    }

    /// As [`disturb`](Self::disturb); where nothing changed, nothing is written down.
    pub(crate) fn disturb_if<T>(
        &self,
        only: Option<u64>,
        verb: Verb,
        whom: &str,
        change: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, NotArmed> {
        let state = lock(&self.state);
        let this = |run: &&Current| only.is_none_or(|version| run.version == version);
        let Some(current) = state.current.as_ref().filter(this) else {
            return Err(NotArmed);
        };
        let Some(changed) = change() else {
            return Ok(None);
        };
        current.ledger.run.book.note(Event {
            at: current.ledger.run.started.elapsed(),
            verb,
            whom: whom.to_owned(),
        });
        drop(state);
        tracing::info!(target: "murphy::fault", %verb, whom, "world.changed");
        Ok(Some(changed))
    }

    /// Ends the run; if `only` is given, only that one.
    pub(crate) fn disarm(&self, only: Option<u64>, reason: Reason) {
        let (ended, healed) = {
            let mut state = lock(&self.state);
            let this = |c: &mut Current| only.is_none_or(|version| c.version == version);
            let ended = state.current.take_if(this);
            let mut healed = Healed::default();
            if let Some(current) = &ended {
                // Under the lock, so that no other run can be published in between.
                current.sites.iter().for_each(|site| site.withdraw());
                healed = self.nodes.heal();
                self.wires.heal();
                state.ended = Some(reason);
            }
            (ended, healed)
        };
        healed.wake();
        if let Some(Current { ledger, tasks, .. }) = ended {
            self.wires.wake();
            ledger.sites.all().iter().for_each(|site| site.release());
            tasks.iter().for_each(AbortHandle::abort);
            tracing::info!(target: "murphy::fault", seed = %ledger.seed(), %reason, "chaos.disarmed");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! [`Settings`]: what all leases of one client share.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use murphy_core::clock::{BootClock, Sleep};
use murphy_core::{Clock, Seed};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::lease::rest::{Rest, Rests, Waiting};
use crate::nonce::Nonces;
use crate::pace::Pace;
use crate::validity::Validity;
use crate::{Nonce, Ttl, Watch};

/// Work that runs beside its caller.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where tasks are run, if tokio is not to choose.
pub(crate) type Executor = Arc<dyn Fn(Task) + Send + Sync>;

/// One pointer: each lease keeps them, and each request that it is asked for with.
#[derive(Clone)]
pub(crate) struct Settings(Arc<Set>);

#[derive(Clone)]
pub(crate) struct Set {
    pub(crate) ttl: Ttl,
    pub(crate) validity: Validity,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) executor: Option<Executor>,
    pub(crate) nonces: Arc<Nonces>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) site: Arc<str>,
    seed: Seed,
    pace: Pace,
    /// For releases that have no guard's task to run in.
    pub(crate) room: Arc<Semaphore>,
    /// Where those are for whom nothing is due.
    pub(crate) rests: Arc<Rests>,
}

impl Settings {
    pub(crate) fn new() -> Self {
        let (seed, site) = (Seed::fresh(), Arc::from("lease"));
        let clock: Arc<dyn Clock> = Arc::new(BootClock::new());
        Self(Arc::new(Set {
            ttl: Ttl::default(),
            validity: Validity::default(),
            rests: Rests::new(Arc::clone(&clock)),
            clock,
            executor: None,
            nonces: Arc::new(Nonces::fresh()),
            watch: None,
            pace: Pace::new(seed, &site),
            seed,
            site,
            room: Arc::new(Semaphore::new(Set::ROOM)),
        }))
    }

    /// To be set, without the others that have them.
    pub(crate) fn set(&mut self) -> &mut Set {
        Arc::make_mut(&mut self.0)
    }
}

impl Deref for Settings {
    type Target = Set;

    fn deref(&self) -> &Set {
        &self.0
    }
}

impl Set {
    /// How many releases without a guard are under way at once.
    const ROOM: usize = 1024;

    pub(crate) fn seed(&mut self, seed: Seed) {
        self.seed = seed;
        self.nonces = Arc::new(Nonces::seeded(seed));
        self.pace = Pace::new(seed, &self.site);
    }

    pub(crate) fn site(&mut self, name: Arc<str>) {
        self.pace = Pace::new(self.seed, &name);
        self.site = name;
    }

    pub(crate) fn clock(&mut self, clock: Arc<dyn Clock>) {
        self.rests = Rests::new(Arc::clone(&clock));
        self.clock = clock;
    }

    /// Where those rest that are in this runtime. Somebody else's executor is told of each task when there is a lease.
    pub(crate) fn rest(&self) -> Option<Arc<Rest>> {
        let runtime = Handle::try_current()
            .ok()
            .filter(|_| self.executor.is_none())?;
        Some(self.rests.of(runtime))
    }

    /// A wait until then: with all others that rest here, if they do.
    pub(crate) fn wait_until(&self, until: Instant) -> Wait<'_> {
        match self.rest() {
            Some(rest) => Wait::Shared(Waiting::new(&self.rests, rest, until)),
            None => Wait::Alone(self.clock.sleep_until(until)),
        }
    }

    pub(crate) fn pace(&self, nonce: Nonce) -> Pace {
        self.pace.of(nonce)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match (&self.executor, Handle::try_current()) {
            (Some(executor), _) => executor(Box::pin(task)),
            (None, Ok(runtime)) => drop(runtime.spawn(task)),
            // ## No runtime: the task is dropped, and says so itself.
            (None, Err(_)) => {}
        }
    }
}

/// The wait for a time.
pub(crate) enum Wait<'r> {
    Shared(Waiting<'r>),
    Alone(Sleep),
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Self::Shared(waiting) => Pin::new(waiting).poll(cx),
            Self::Alone(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("site", &self.site)
            .field("ttl", &self.ttl)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

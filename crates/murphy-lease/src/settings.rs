//! [`Settings`]: what all leases of one client share.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use murphy_core::clock::BootClock;
use murphy_core::{Clock, Seed};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::nonce::Nonces;
use crate::pace::Pace;
use crate::validity::Validity;
use crate::{Nonce, Ttl, Watch};

/// Work that runs beside its caller.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) ttl: Ttl,
    pub(crate) validity: Validity,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) executor: Arc<dyn Fn(Task) + Send + Sync>,
    pub(crate) nonces: Arc<Nonces>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) site: Arc<str>,
    seed: Seed,
    pace: Pace,
    /// For releases that have no guard's task to run in.
    pub(crate) room: Arc<Semaphore>,
}

impl Settings {
    /// How many releases without a guard are under way at once.
    const ROOM: usize = 1024;

    pub(crate) fn new() -> Self {
        let (seed, site) = (Seed::fresh(), Arc::from("lease"));
        Self {
            ttl: Ttl::default(),
            validity: Validity::default(),
            clock: Arc::new(BootClock::new()),
            executor: Arc::new(spawn),
            nonces: Arc::new(Nonces::fresh()),
            watch: None,
            pace: Pace::new(seed, &site),
            seed,
            site,
            room: Arc::new(Semaphore::new(Self::ROOM)),
        }
    }

    pub(crate) fn seed(&mut self, seed: Seed) {
        self.seed = seed;
        self.nonces = Arc::new(Nonces::seeded(seed));
        self.pace = Pace::new(seed, &self.site);
    }

    pub(crate) fn site(&mut self, name: Arc<str>) {
        self.pace = Pace::new(self.seed, &name);
        self.site = name;
    }

    pub(crate) fn pace(&self, nonce: Nonce) -> Pace {
        self.pace.of(nonce)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.executor)(Box::pin(task));
    }
}

/// Where there is no runtime the task is dropped, and says so itself.
fn spawn(task: Task) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(task);
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

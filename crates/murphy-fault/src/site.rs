//! [`Site`]: a named place where calls pass.

use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murphy_core::Key;

use crate::layer::FaultLayer;
use crate::ledger::Ledger;
use crate::passage::Passing;
use crate::run::SiteRun;

/// A named place in a program where calls pass. From [`Chaos::site`](crate::Chaos::site).
///
/// All services of one site share its ordinals. A handle: clones are the same site.
#[derive(Clone, Debug)]
pub struct Site {
    pub(crate) core: Arc<SiteCore>,
}

/// What is shared by all who pass a site.
#[derive(Debug)]
pub(crate) struct SiteCore {
    /// The number of the run that is on; 0 is none. The only thing that a disarmed call reads.
    version: AtomicU64,
    name: Arc<str>,
    current: Mutex<Published>,
    /// What the layers built here can do, and the bit that says that there are some.
    offered: AtomicU32,
}

#[derive(Debug, Default)]
struct Published {
    run: Option<Arc<SiteRun>>,
    ledger: Option<Ledger>,
}

const BUILT: u32 = 1 << 31;

impl Site {
    pub(crate) fn of(core: Arc<SiteCore>) -> Self {
        Self { core }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// A layer that lets calls pass this site. It can delay and lose; setters teach it more.
    #[must_use]
    pub fn layer(&self) -> FaultLayer {
        FaultLayer::at(self.clone())
    }

    /// The ledger of the run that is on here, or of the last one.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        self.core.lock().ledger.clone()
    }

    /// Puts this site's fates around any call: a database query, a producer, a client with types
    /// of its own.
    ///
    /// The fate is drawn when the passing is first awaited. `work` is called once for the call and
    /// once more for each copy that arrives. A lost call is silence: have a deadline around it.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use murphy_core::Seed;
    /// use murphy_fault::Chaos;
    ///
    /// let site = Chaos::new(Seed::new(1)).site("api->db");
    /// let rows = site.run("order-17", || async { 3 }).await;
    /// assert_eq!(rows, 3);
    /// # });
    /// ```
    pub fn run<W, F>(&self, key: impl Into<Key>, work: W) -> Passing<W>
    where
        W: FnOnce() -> F,
        F: Future,
    {
        Passing::new(self.clone(), key.into(), work)
    }
}

impl SiteCore {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            version: AtomicU64::new(0),
            name,
            current: Mutex::default(),
            offered: AtomicU32::new(0),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A layer is built here that can do this.
    pub(crate) fn offer(&self, abilities: u32) {
        self.offered.fetch_or(abilities | BUILT, Relaxed);
    }

    /// What the layers here can do; `None` as long as there is none.
    pub(crate) fn offered(&self) -> Option<u32> {
        let offered = self.offered.load(Relaxed);
        (offered & BUILT != 0).then_some(offered & !BUILT)
    }

    pub(crate) fn publish(&self, run: Arc<SiteRun>, ledger: Ledger) {
        let version = run.version;
        let mut current = self.lock();
        current.run = Some(run);
        current.ledger = Some(ledger);
        self.version.store(version, Relaxed);
    }

    pub(crate) fn withdraw(&self) {
        let mut current = self.lock();
        self.version.store(0, Relaxed);
        current.run = None;
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One service's view of its site: a copy of the run, which is looked up again only when the
/// site's version has changed.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    site: Arc<SiteCore>,
    run: Option<Arc<SiteRun>>,
}

impl Seat {
    pub(crate) fn new(site: Arc<SiteCore>) -> Self {
        Self { site, run: None }
    }

    /// The number of the run that is on; 0 is none.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.site.version.load(Relaxed)
    }

    /// The run with this number, if it is the one that was looked up last, and spares nobody.
    #[inline]
    pub(crate) fn quick(&self, version: u64) -> Option<&Arc<SiteRun>> {
        self.run.as_ref().filter(|run| run.quick == version)
    }

    /// The run that was looked up last.
    #[inline]
    pub(crate) fn seated(&self) -> Option<&Arc<SiteRun>> {
        self.run.as_ref()
    }

    /// Looks the run up, if it is not the one with this number. `None` if none is on any more.
    pub(crate) fn look_up(&mut self, version: u64) -> Option<&Arc<SiteRun>> {
        if self.run.as_ref().is_none_or(|run| run.version != version) {
            self.run = self.site.lock().run.clone();
        }
        self.run.as_ref()
    }

    pub(crate) fn name(&self) -> &str {
        self.site.name()
    }
}

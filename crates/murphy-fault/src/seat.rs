//! [`SiteCore`] and [`Seat`]: what those who pass a site share, and each one's view of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ledger::Ledger;
use crate::run::SiteRun;

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

/// In `offered`: some layer was built.
const BUILT: u32 = 1 << 31;

impl SiteCore {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            version: AtomicU64::new(0),
            name,
            current: Mutex::default(),
            offered: AtomicU32::new(0),
        }
    }

    /// The ledger of the run that is on, or of the last one.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        self.lock().ledger.clone()
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

    /// Whether the site takes part in the run with this number.
    pub(crate) fn is_in(&self, version: u64) -> bool {
        self.version.load(Relaxed) == version
    }

    /// The run that is on here.
    pub(crate) fn current(&self) -> Option<Arc<SiteRun>> {
        self.lock().run.clone()
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
        self.run.as_ref().filter(|run| run.is_quick(version))
    }

    /// As [`quick`](Self::quick), where the site is a link.
    #[inline]
    pub(crate) fn linked(&self, version: u64) -> Option<&Arc<SiteRun>> {
        self.run.as_ref().filter(|run| run.is_linked(version))
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

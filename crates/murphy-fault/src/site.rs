//! [`Site`]: a named place where calls pass.

use std::future::Future;
use std::sync::Arc;

use murphy_core::Key;

use crate::layer::FaultLayer;
use crate::ledger::Ledger;
use crate::passage::Passing;
use crate::seat::SiteCore;

/// A named place in a program where calls pass. From [`Chaos::site`](crate::Chaos::site).
///
/// All services of one site share its ordinals. A handle: clones are the same site.
#[derive(Clone, Debug)]
pub struct Site {
    pub(crate) core: Arc<SiteCore>,
}

impl Site {
    pub(crate) fn of(core: Arc<SiteCore>) -> Self {
        Self { core }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// A layer that lets calls pass this site. It can delay and lose; setters teach it more.
    #[must_use]
    pub fn layer(&self) -> FaultLayer {
        FaultLayer::at(self.clone())
    }

    /// The ledger of the run that is on here, or of the last one.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        self.core.ledger()
    }

    /// Puts this site's fates around any call: a database query, a producer, a client with types
    /// of its own.
    ///
    /// The fate is drawn when the passing is first awaited. `work` is called once for the call and
    /// once more for each copy that arrives. A lost call is silence: have a deadline around it.
    ///
    /// What outlives its caller goes to tokio's executor, so the work must be `Send + 'static`;
    /// `.inline()` lifts that: `site.run(key, || db.query(..)).inline().await`. To spawn it, spawn
    /// `site.run(..).into_future()`.
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

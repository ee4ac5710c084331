//! What clients saw in a run, and whether that was legal.

use murphy_check::model::Model;
use murphy_check::{Checker, History, Picture, Verdict};
use murphy_core::Key;
use murphy_fault::Outcome;

use super::World;
use crate::promise::Promise;

/// Steps of one check; a run is short, and there are thousands of them.
const STEPS: u64 = 1_000_000;
/// Steps to make its witness small.
const SHRINKING: u64 = 200_000;

impl World {
    /// A recorder of what clients ask and are told in this run.
    #[must_use]
    pub fn history<I, O>(&self) -> History<I, O> {
        History::new()
    }

    /// SAFETY: what was recorded is linearizable. The detail of a failure is the smallest witness, and its page
    /// shows the illegal window.
    ///
    /// A history that is not decided within 10⁶ steps leaves the run undecided: it is no pass. For other bounds use a
    /// [`Checker`] of your own. Gives back whether it is legal.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_chaos::check::model::register::{Register, Reply, Request};
    /// # use murphy_chaos::{Budget, explore};
    /// # explore("doc-history").budget(Budget::runs(50)).check(|w| async move {
    /// # let _ = tokio::time::timeout(std::time::Duration::from_secs(1), w.site("db").run(1u64, || async {})).await;
    /// let history = w.history();
    /// let write = history.call(1, Request::Write(7)).unwrap();
    /// history.done(write, Reply::Written).unwrap();
    /// w.linearizable("the register", &Register::new(), &history);
    /// # });
    /// ```
    pub fn linearizable<M: Model>(
        &self,
        name: &str,
        model: &M,
        history: &History<M::Request, M::Reply>,
    ) -> bool {
        let checker = Checker::new().steps(STEPS).shrink(SHRINKING);
        let operations = history.operations();
        match checker.check(model, &operations) {
            Verdict::Legal { .. } => true,
            Verdict::Illegal(witness) => {
                let name = format!("{name} is linearizable");
                let detail = format!("\n{}", witness.describe(model));
                let picture = Picture::new(model, &operations, &witness);
                self.scene
                    .broken_as_drawn(Promise::Safety, &name, detail, Some(picture));
                false
            }
            Verdict::Unknown(why) => {
                self.undecided(format!("{name}: {why}"));
                false
            }
        }
    }

    /// Whether this passage of the key never came to the service behind the site, for certain: its request
    /// was lost or refused on the way, as the ledger of this run knows. To a client it was a silence as any other; a
    /// history in which it [`lost_request`](History::lost_request) costs a checker nothing, one that nobody knows
    /// of doubles its work.
    #[must_use]
    pub fn never_ran(&self, site: &str, key: impl Into<Key>, occurrence: u64) -> bool {
        let key = key.into();
        let Some(ledger) = self.chaos().ledger() else {
            return false;
        };
        ledger.records().iter().any(|record| {
            record.site == site
                && (record.key, record.occurrence) == (key, occurrence)
                && (record.outcome == Outcome::NeverRan
                    || (record.outcome == Outcome::Refused && record.fault == "refused"))
        })
    }
}

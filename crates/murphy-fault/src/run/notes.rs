//! What is written down and said of a call.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::book::{Entry, Finding, Outcome, Why};
use crate::marker::Marker;
use crate::run::{Passage, SiteRun};

impl SiteRun {
    /// Counts a call whose header asked for faults in a way that could not be read.
    pub(crate) fn note_malformed(&self, is: bool) {
        if is {
            self.malformed.fetch_add(1, Relaxed);
        }
    }

    /// Writes down what did not happen, which has no outcome to wait for.
    pub(super) fn note(&self, notes: &[Entry]) {
        if notes.is_empty() {
            return;
        }
        let withheld = notes
            .iter()
            .filter(|n| n.finding == Finding::Withheld)
            .count();
        self.withheld.fetch_add(withheld as u64, Relaxed);
        let at = self.elapsed();
        for note in notes {
            let note = Entry { at, ..*note };
            self.run.book.write(&[note]);
        }
    }

    pub(super) fn entry(
        &self,
        rule: u8,
        p: &Passage,
        finding: Finding,
        why: Option<Why>,
        magnitude: Option<Duration>,
    ) -> Entry {
        Entry {
            site: self.index,
            rule,
            keyed: p.keyed,
            finding,
            why,
            outcome: Outcome::Nothing,
            key: p.key,
            occurrence: p.occurrence,
            ordinal: p.ordinal,
            magnitude,
            at: Duration::ZERO,
        }
    }

    pub(super) fn say(&self, rule: u8, p: &Passage, masked: bool) {
        let Some((fault, kind, leg)) = self.called(rule) else {
            return;
        };
        tracing::debug!(
            target: "murphy::fault",
            site = &**self.name(),
            fault,
            kind,
            %leg,
            ordinal = p.ordinal,
            key = p.key.bits(),
            occurrence = p.occurrence,
            masked,
            "fault.injected"
        );
        #[cfg(feature = "metrics")]
        crate::metered::injected(self.name(), fault, kind, leg, masked);
    }

    /// The marker of the refusal that a fate holds.
    pub(crate) fn marker(&self, rule: u8, p: &Passage) -> Marker {
        let fault = &self.rules[rule as usize].fault;
        Marker {
            site: Arc::clone(self.name()),
            fault: Arc::clone(&fault.name),
            leg: fault.effect.leg(),
            ordinal: p.ordinal,
            key: p.key,
            occurrence: p.occurrence,
            seed: self.run.seed,
        }
    }
}

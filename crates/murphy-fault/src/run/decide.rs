//! The decision about one call, off the fast path: which rules strike, within the limits.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::Leg;
use crate::book::{Entry, Finding, Why};
use crate::fate::{Fate, Strike};
use crate::network::{OnHold, Verdict};
use crate::requested::Wanted;
use crate::run::{Passage, Receipt, SiteRun, Watch};
use crate::struck::Struck;

/// What the decision asks about a request and its layer.
pub(crate) struct Asked<'a> {
    /// The abilities of the layer.
    pub(crate) able: u32,
    /// Whether the call was made inside a runtime, without which nothing can wait.
    pub(crate) in_runtime: bool,
    /// Whether the request is what a word says.
    pub(crate) is: &'a dyn Fn(&str) -> bool,
    /// How large the request is, if the layer can tell.
    pub(crate) size: &'a dyn Fn() -> u64,
    /// How the request asks for a fault, by its name, if it does.
    pub(crate) wants: &'a dyn Fn(&str) -> Option<Wanted>,
}

/// A call with a fate.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) fate: Fate,
    pub(crate) site: Arc<SiteRun>,
    pub(crate) passage: Passage,
    pub(crate) receipt: Receipt,
    /// One receipt a copy: what comes of a copy is its own affair.
    pub(crate) copies: Vec<Receipt>,
    /// What strikes the bodies, in the order of the rules.
    pub(crate) bodies: Vec<Struck>,
    pub(crate) watch: Option<Watch>,
    /// The message's place in a line of messages that wait for their link.
    pub(crate) hold: Option<OnHold>,
}

impl SiteRun {
    /// Decides what happens to a call that some gate let in.
    #[cold]
    #[inline(never)]
    pub(crate) fn decide(
        self: &Arc<Self>,
        passage: Passage,
        asked: &Asked<'_>,
    ) -> Option<Box<Judged>> {
        let point = passage.point();
        // Its place in a line is that of the call, whenever it is polled.
        let (way, hold) = match self.link().map(|link| link.depart(Leg::Request)) {
            None => (Verdict::Carries, None),
            Some(Ok(verdict)) => (verdict, None),
            Some(Err(hold)) => (Verdict::Holds, Some(hold)),
        };
        let mut strikes: Vec<Strike> = Vec::new();
        let mut notes: Vec<Entry> = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let index = index as u8;
            let note = |finding, why| self.entry(index, &passage, finding, Some(why), None);
            let able = rule.needs & !asked.able == 0;
            let struck = match rule.strikes(&passage, asked, || self.elapsed()) {
                Ok(_) if !able => Err(Why::Unable),
                Ok(_) if !asked.in_runtime => Err(Why::NoRuntime),
                struck => struck,
            };
            match struck {
                Ok(_) if !rule.take_turn() => notes.push(note(Finding::Withheld, Why::AtMost)),
                Ok(magnitude) => {
                    strikes.push(Strike {
                        rule: index,
                        magnitude,
                        draw: rule.alter_draw(point),
                        give_up: rule.fault.give_up,
                    });
                }
                Err(why) => {
                    if matches!(why, Why::Unable | Why::NoRuntime) {
                        self.unable.fetch_add(1, Relaxed);
                    }
                    if self.run.explain {
                        notes.push(note(Finding::Missed, why));
                    }
                }
            }
        }
        if let Some(why) = self.over_the_limit(&strikes) {
            strikes.retain(|Strike { rule, .. }| {
                let rule_is_derived = self.rules[*rule as usize].derived;
                if !rule_is_derived {
                    self.rules[*rule as usize].give_turn_back();
                    notes.push(self.entry(*rule, &passage, Finding::Withheld, Some(why), None));
                }
                rule_is_derived
            });
        }
        self.note(&notes);
        let watched = self.run.plan.halt != Default::default()
            || self.requests.is_some()
            || self.replies.is_some();
        if strikes.is_empty() && !watched && way == Verdict::Carries {
            return None;
        }
        let judged = self.judge(passage, &mut strikes, asked.size, way, hold);
        Some(Box::new(judged))
    }

    /// Faults that may not happen now, all or none of a call's.
    pub(super) fn over_the_limit(&self, strikes: &[Strike]) -> Option<Why> {
        if !self.counts(strikes) {
            return None;
        }
        let limits = self.limits();
        let calls = self.calls() as f64;
        // Counted as taken before it is looked at, so that two threads cannot both be the last.
        let faulted = self.faulted.fetch_add(1, Relaxed) + 1;
        if faulted as f64 > limits.ratio.get() * calls {
            self.faulted.fetch_sub(1, Relaxed);
            return Some(Why::Ratio);
        }
        if self.run.in_flight.fetch_add(1, Relaxed) >= limits.in_flight {
            self.run.in_flight.fetch_sub(1, Relaxed);
            self.faulted.fetch_sub(1, Relaxed);
            return Some(Why::InFlight);
        }
        None
    }

    /// Whether the plan struck: what a link is like is no fault.
    pub(super) fn counts(&self, strikes: &[Strike]) -> bool {
        strikes
            .iter()
            .any(|strike| !self.rules[strike.rule as usize].derived)
    }
}

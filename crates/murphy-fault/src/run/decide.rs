//! The decision about one call, off the fast path, and the receipt for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::book::{Entry, Finding, Outcome, Why};
use crate::effect::Effect;
use crate::fate::{End, Fate, Strike};
use crate::marker::Marker;
use crate::plan::MOST_FAULTS;
use crate::requested::Wanted;
use crate::run::{Passage, SiteRun, Watch};
use crate::struck::{How, Struck};

/// What the decision asks about a request and its layer.
pub(crate) struct Asked<'a> {
    /// The abilities of the layer.
    pub(crate) able: u32,
    /// Whether the call was made inside a runtime, without which nothing can wait.
    pub(crate) in_runtime: bool,
    /// Whether the request is what a word says.
    pub(crate) is: &'a dyn Fn(&str) -> bool,
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
            for Strike { rule, .. } in strikes.drain(..) {
                self.rules[rule as usize].give_turn_back();
                notes.push(self.entry(rule, &passage, Finding::Withheld, Some(why), None));
            }
        }
        self.note(&notes);
        let watched = self.run.plan.halt != Default::default()
            || self.requests.is_some()
            || self.replies.is_some();
        if strikes.is_empty() && !watched {
            return None;
        }
        Some(Box::new(self.judge(passage, &strikes)))
    }

    /// Faults that may not happen now, all or none of a call's.
    fn over_the_limit(&self, strikes: &[Strike]) -> Option<Why> {
        if strikes.is_empty() {
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

    fn judge(self: &Arc<Self>, passage: Passage, strikes: &[Strike]) -> Judged {
        let mut fate = Fate::default();
        for strike in strikes {
            fate.add(&self.rules[strike.rule as usize].fault.effect, strike);
        }
        let at = self.elapsed();
        let mut entries: Vec<Entry> = Vec::with_capacity(strikes.len());
        let (mut own, mut copies, mut bodies) = (0u64, Vec::new(), Vec::new());
        let (mut lost, mut refused) = ([false; 2], [false; 2]);
        for (bit, strike) in strikes.iter().enumerate() {
            let rule = &self.rules[strike.rule as usize];
            let effect = &rule.fault.effect;
            // Of two losses or two refusals of one leg, the second finds nothing left to end.
            let again = match effect {
                Effect::Lose(leg) => std::mem::replace(&mut lost[*leg as usize], true),
                Effect::Refuse(leg) => std::mem::replace(&mut refused[*leg as usize], true),
                _ => false,
            };
            let masked = again || fate.masks(effect);
            let finding = if masked {
                Finding::Masked
            } else {
                Finding::Injected
            };
            let magnitude = rule.has_magnitude().then_some(strike.magnitude);
            let mut entry = self.entry(strike.rule, &passage, finding, None, magnitude);
            entry.at = at;
            entry.outcome = if masked {
                Outcome::Nothing
            } else {
                Outcome::UnderWay
            };
            if matches!(effect, Effect::Duplicate { .. }) && !masked {
                copies.push(1u64 << bit);
            } else if let Some(how) = How::of(effect).filter(|_| !masked) {
                bodies.push((1u64 << bit, strike, how));
            } else if !masked {
                own |= 1 << bit;
            }
            self.say(strike.rule, &passage, masked);
            entries.push(entry);
        }
        debug_assert!(entries.len() <= MOST_FAULTS);
        let first = if entries.is_empty() {
            None
        } else {
            self.run.book.write(&entries)
        };
        if fate.request != End::Carried {
            fate.copies.clear();
        }
        let receipt = |which, counted| Receipt {
            site: Arc::clone(self),
            first,
            which,
            unsettled: Outcome::CallerLeft,
            counted,
        };
        let counted = !strikes.is_empty();
        Judged {
            copies: copies
                .into_iter()
                .map(|which| receipt(which, false))
                .collect(),
            bodies: bodies
                .into_iter()
                .map(|(which, strike, how)| {
                    self.struck(strike, how, &passage, receipt(which, false))
                })
                .collect(),
            receipt: receipt(own, counted),
            watch: self.run.halting.watch(self, &self.run.plan.halt),
            fate,
            passage,
            site: Arc::clone(self),
        }
    }

    fn struck(&self, strike: &Strike, how: How, passage: &Passage, receipt: Receipt) -> Struck {
        Struck {
            leg: self.rules[strike.rule as usize].fault.effect.leg(),
            how,
            give_up: strike.give_up,
            marker: self.marker(strike.rule, passage),
            receipt,
        }
    }

    /// Counts a call whose header asked for faults in a way that could not be read.
    pub(crate) fn note_malformed(&self, is: bool) {
        if is {
            self.malformed.fetch_add(1, Relaxed);
        }
    }

    /// Writes down what did not happen, which has no outcome to wait for.
    fn note(&self, notes: &[Entry]) {
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

    fn entry(
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

    fn say(&self, rule: u8, p: &Passage, masked: bool) {
        let fault = &self.rules[rule as usize].fault;
        tracing::debug!(
            target: "murphy::fault",
            site = &**self.name(),
            fault = &*fault.name,
            kind = fault.effect.kind(),
            ordinal = p.ordinal,
            key = p.key.bits(),
            occurrence = p.occurrence,
            masked,
            "fault.injected"
        );
        #[cfg(feature = "metrics")]
        crate::metered::injected(self.name(), fault, masked);
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

/// What came of a fate is noted here. Dropped unsettled, it notes that the caller left, or that
/// the runtime did.
#[derive(Debug)]
pub(crate) struct Receipt {
    site: Arc<SiteRun>,
    first: Option<usize>,
    which: u64,
    unsettled: Outcome,
    counted: bool,
}

impl Receipt {
    /// Notes the end of it. The first note stands.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        if let Some(first) = self.first.take().filter(|_| self.which != 0) {
            self.site.run.book.settle(first, self.which, outcome);
        }
        if std::mem::take(&mut self.counted) {
            self.site.run.in_flight.fetch_sub(1, Relaxed);
        }
    }

    /// Whether the clock of the run stands still.
    #[cfg(feature = "http")]
    pub(crate) fn is_paused(&self) -> bool {
        self.site.run.paused
    }

    /// Dropped unsettled, it notes that nothing came of it.
    #[cfg(feature = "http")]
    pub(crate) fn or_nothing(&mut self) {
        self.unsettled = Outcome::Nothing;
    }

    /// From now on only the end of the runtime can stop it.
    pub(crate) fn outlive(&mut self) {
        self.unsettled = Outcome::Cut;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.settle(self.unsettled);
    }
}

//! The decision about one call, off the fast path, and the receipt for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::Leg;
use crate::book::{Entry, Finding, Outcome, Why};
use crate::effect::Effect;
use crate::fate::{End, Fate, Strike};
use crate::link;
use crate::marker::Marker;
use crate::network::{OnHold, Verdict};
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
    fn over_the_limit(&self, strikes: &[Strike]) -> Option<Why> {
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
    fn counts(&self, strikes: &[Strike]) -> bool {
        strikes
            .iter()
            .any(|strike| !self.rules[strike.rule as usize].derived)
    }

    fn judge(
        self: &Arc<Self>,
        passage: Passage,
        strikes: &mut [Strike],
        size: &dyn Fn() -> u64,
        way: Verdict,
        hold: Option<OnHold>,
    ) -> Judged {
        let mut fate = Fate::default();
        let mut queued = false;
        for strike in strikes.iter() {
            let effect = &self.rules[strike.rule as usize].fault.effect;
            fate.add(effect, strike);
            queued |= matches!(effect, Effect::Queue { .. });
        }
        let at = self.elapsed();
        let mut overflow = None;
        if matches!(way, Verdict::Loses | Verdict::Overflows) {
            fate.request = End::Lost;
        } else if queued {
            overflow = self.queue(strikes, &mut fate, at, size, hold.is_some());
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(strikes.len());
        let (mut own, mut copies, mut bodies) = (0u128, Vec::new(), Vec::new());
        let (mut lost, mut refused) = ([false; 2], [false; 2]);
        if way != Verdict::Carries {
            // What the link does comes first: a message that departs into a cut meets no fault.
            lost[Leg::Request as usize] = way != Verdict::Holds;
            let (state, outcome) = link::met(way, Leg::Request);
            own |= u128::from(outcome == Outcome::UnderWay);
            entries.push(Entry {
                at,
                ..self.state(state, &passage, outcome)
            });
        }
        for strike in strikes.iter() {
            let bit = entries.len();
            let rule = &self.rules[strike.rule as usize];
            let effect = &rule.fault.effect;
            // Of two losses or two refusals of one leg, the second finds nothing left to end.
            let again = match effect {
                Effect::Lose(leg) => std::mem::replace(&mut lost[*leg as usize], true),
                Effect::Refuse(leg) => std::mem::replace(&mut refused[*leg as usize], true),
                _ => false,
            };
            let overflows = overflow == Some(strike.rule);
            if !overflows && !rule.is_written(hold.is_some()) {
                continue;
            }
            let masked = !overflows && (again || fate.masks(effect));
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
            } else if overflows {
                Outcome::Overflow
            } else {
                Outcome::UnderWay
            };
            if overflows {
                entry.magnitude = None;
            } else if matches!(effect, Effect::Duplicate { .. }) && !masked {
                copies.push(1u128 << bit);
            } else if let Some(how) = How::of(effect).filter(|_| !masked) {
                bodies.push((1u128 << bit, *strike, how));
            } else if !masked {
                own |= 1 << bit;
            }
            self.say(strike.rule, &passage, masked);
            entries.push(entry);
        }
        debug_assert!(entries.len() <= MOST_FAULTS + 8);
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
            more: Vec::new(),
            unsettled: Outcome::CallerLeft,
            counted,
        };
        let counted = self.counts(strikes);
        Judged {
            copies: copies
                .into_iter()
                .map(|which| receipt(which, false))
                .collect(),
            bodies: bodies
                .into_iter()
                .map(|(which, strike, how)| {
                    self.struck(&strike, how, &passage, receipt(which, false))
                })
                .collect(),
            receipt: receipt(own, counted),
            watch: self.run.halting.watch(self, &self.run.plan.halt),
            fate,
            hold,
            passage,
            site: Arc::clone(self),
        }
    }

    /// The request enters the queues in its way, or notes them for when it departs. The rule whose
    /// queue was full, if one was.
    fn queue(
        &self,
        strikes: &mut [Strike],
        fate: &mut Fate,
        now: Duration,
        size: &dyn Fn() -> u64,
        on_hold: bool,
    ) -> Option<u8> {
        // A request that departs later enters later, and so does its copy.
        let at_once = !on_hold && fate.request != End::Lost;
        let (now, mut queued) = (now.as_nanos() as u64, 0u64);
        for strike in strikes {
            let rule = &self.rules[strike.rule as usize];
            let Effect::Queue { leg, .. } = rule.fault.effect else {
                continue;
            };
            if leg == Leg::Reply || on_hold || !fate.copies.is_empty() {
                fate.queues[leg as usize].push(strike.rule);
            }
            if leg == Leg::Request && at_once {
                let Some(left) = rule.enter(now.saturating_add(queued), size) else {
                    fate.request = End::Lost;
                    return Some(strike.rule);
                };
                strike.magnitude = Duration::from_nanos(left);
                queued = queued.saturating_add(left);
            }
        }
        fate.queued = Duration::from_nanos(queued);
        fate.wire = fate.wire.saturating_add(fate.queued);
        None
    }

    /// A message that departs later than its call enters the queues of its leg, one after the other:
    /// how long until it has left the last, or nothing if one was full.
    pub(crate) fn enter_queues(
        &self,
        rules: &[u8],
        passage: &Passage,
        size: u64,
        receipt: &mut Receipt,
    ) -> Option<Duration> {
        let now = self.elapsed();
        let mut total = Duration::ZERO;
        for index in rules {
            let rule = &self.rules[*index as usize];
            let then = now.saturating_add(total).as_nanos() as u64;
            let entered = rule.enter(then, || size).map(Duration::from_nanos);
            if entered.is_some() && rule.derived {
                total = total.saturating_add(entered.unwrap_or_default());
                continue;
            }
            let outcome = match entered {
                Some(_) => Outcome::UnderWay,
                None => Outcome::Overflow,
            };
            let entry = Entry {
                at: now,
                outcome,
                ..self.entry(*index, passage, Finding::Injected, None, entered)
            };
            let written = self.run.book.write(&[entry]);
            self.say(*index, passage, false);
            total = total.saturating_add(entered?);
            receipt.more.extend(written);
        }
        Some(total)
    }

    /// Writes down what the state of the link did to a message that departed later than its call.
    pub(crate) fn note_state(
        &self,
        state: u8,
        passage: &Passage,
        outcome: Outcome,
    ) -> Option<usize> {
        let entry = Entry {
            at: self.elapsed(),
            ..self.state(state, passage, outcome)
        };
        self.run.book.write(&[entry])
    }

    /// A receipt for a call that had no fate until its reply departed.
    pub(crate) fn late_receipt(self: &Arc<Self>, first: Option<usize>) -> Receipt {
        Receipt {
            site: Arc::clone(self),
            first,
            which: 1,
            more: Vec::new(),
            unsettled: Outcome::Ran,
            counted: false,
        }
    }

    fn state(&self, state: u8, passage: &Passage, outcome: Outcome) -> Entry {
        self.disturbed.store(true, Relaxed);
        self.say(state, passage, false);
        Entry {
            outcome,
            ..self.entry(state, passage, Finding::Injected, None, None)
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

/// What came of a fate is noted here. Dropped unsettled, it notes that the caller left, or that
/// the runtime did.
#[derive(Debug)]
pub(crate) struct Receipt {
    site: Arc<SiteRun>,
    first: Option<usize>,
    which: u128,
    /// Records that came later.
    more: Vec<usize>,
    unsettled: Outcome,
    counted: bool,
}

impl Receipt {
    /// Notes the end of it. The first note stands.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        if let Some(first) = self.first.take().filter(|_| self.which != 0) {
            self.site.run.book.settle(first, self.which, outcome);
        }
        for later in std::mem::take(&mut self.more) {
            self.site.run.book.settle(later, 1, outcome);
        }
        if std::mem::take(&mut self.counted) {
            self.site.run.in_flight.fetch_sub(1, Relaxed);
        }
    }

    /// One more record has this end.
    pub(crate) fn add(&mut self, later: Option<usize>) {
        self.more.extend(later);
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

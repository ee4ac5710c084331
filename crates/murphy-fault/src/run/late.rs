//! What is known of a message only when it departs: the queues in its way, the state of its link.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::Leg;
use crate::book::{Entry, Finding, Outcome};
use crate::fate::{End, Fate, Strike};
use crate::run::{Passage, Receipt, SiteRun};

impl SiteRun {
    /// The request enters the queues in its way, or notes them for when it departs. The rule whose
    /// queue was full, if one was.
    pub(super) fn queue(
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
            let Some((leg, queue)) = &rule.queue else {
                continue;
            };
            if *leg == Leg::Reply || on_hold || !fate.copies.is_empty() {
                fate.queues[*leg as usize].push(strike.rule);
            }
            if *leg == Leg::Request && at_once {
                let Some(left) = queue.enter(now.saturating_add(queued), size) else {
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
            let Some((_, queue)) = &rule.queue else {
                continue;
            };
            let entered = queue.enter(then, || size).map(Duration::from_nanos);
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

    pub(super) fn state(&self, state: u8, passage: &Passage, outcome: Outcome) -> Entry {
        self.disturbed.store(true, Relaxed);
        self.say(state, passage, false);
        Entry {
            outcome,
            ..self.entry(state, passage, Finding::Injected, None, None)
        }
    }
}

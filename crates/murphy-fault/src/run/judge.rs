//! The judgement: the sum of what strikes a call, written down, with a receipt for each part of it.

use std::sync::Arc;

use crate::Leg;
use crate::book::{Entry, Finding, Outcome};
use crate::effect::Effect;
use crate::fate::{End, Fate, Strike};
use crate::link;
use crate::network::{OnHold, Verdict};
use crate::plan::MOST_FAULTS;
use crate::run::{Judged, Passage, Receipt, SiteRun};
use crate::struck::{How, Struck};

impl SiteRun {
    pub(super) fn judge(
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
            let rule = &self.rules[strike.rule as usize];
            fate.add(&rule.fault.effect, strike);
            queued |= rule.queue.is_some();
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

    fn struck(&self, strike: &Strike, how: How, passage: &Passage, receipt: Receipt) -> Struck {
        Struck {
            leg: self.rules[strike.rule as usize].fault.effect.leg(),
            how,
            give_up: strike.give_up,
            marker: self.marker(strike.rule, passage),
            receipt,
        }
    }
}

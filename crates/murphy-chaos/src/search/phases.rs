//! The parts of an exploration, one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::ReplayCode;
use crate::enumerate::{Pairs, at_call, singles};
use crate::files::Codes;
use crate::injection::{CallId, Injection};
use crate::once::Ended;
use crate::order::{Order, Trouble};
use crate::outcome::{Phase, Stage};
use crate::repeat::divergence;
use crate::storm::{perturbation, storm};

use super::{LEAST_KEYS, MOST_KEYS, MOST_REASONS, Search, seed_of};

/// How often the run without faults is made, until it shows no new site and has been compared.
const LESSONS: usize = 6;
/// Runs in which only the order changes: one in so many of those that are left, and no more than that.
const ORDERS_SHARE: u64 = 20;
const MOST_ORDERS: u64 = 1000;
/// Calls that were only made because of a fault, and are combined with it.
const MOST_REVEALED: usize = 16_384;

impl Search<'_, '_> {
    /// Failures of old: they must not fail again.
    pub(super) fn corpus(&mut self) {
        if self.explore.fresh {
            return;
        }
        let Codes {
            codes,
            notes,
            broken,
        } = self.explore.files.codes(&self.explore.name);
        self.notes.extend(notes.into_iter().take(MOST_REASONS));
        broken.into_iter().for_each(|why| self.doubt(why));
        let orders: Vec<Order> = codes
            .iter()
            .map(|code| Order::script(code.seed, &code.injections))
            .collect();
        let (of, mut stale) = (orders.len() as u64, 0);
        self.tries(Stage::Corpus, Some(of), of, orders, |_, _, ended| {
            stale += usize::from(ended.unreached > 0 && ended.injected.is_empty());
        });
        if stale > 0 {
            self.notes.push(format!(
                "{stale} codes of the corpus name only calls that are not made any more: take them out"
            ));
        }
    }

    /// Learns sites and calls, and whether a run repeats itself.
    pub(super) fn fault_free(&mut self) {
        self.phases.push(Phase {
            stage: Stage::FaultFree,
            tried: 0,
            of: None,
            failed: 0,
        });
        let order = Order::script(self.seed, &[]).watched().kept().asked();
        let mut learned: Option<Ended> = None;
        for _ in 0..LESSONS {
            let known = (self.setting.sites.len(), self.setting.nodes.len());
            let this = self.crew.make_one(&order, &self.setting);
            self.account(Stage::FaultFree, &order, &this);
            if this.violation.is_some() {
                if !self.failures.is_empty() {
                    return;
                }
                // It was not confirmed: the next one may show the calls.
                continue;
            }
            // One that shows new sites was not watched there.
            if known != (self.setting.sites.len(), self.setting.nodes.len()) {
                learned = None;
            } else if self.explore.real.is_some() {
                learned = Some(this);
                break;
            } else if let Some(before) = learned.replace(this) {
                if let Some(this) = &learned {
                    self.compare(&before, this);
                }
                break;
            }
        }
        for passed in learned.iter().flat_map(|run| &run.passed) {
            self.catalogue.call(passed);
        }
        // Room for eight times the keys: retries share them, and storms may bring others.
        let room = self.catalogue.calls().len() * 8;
        self.setting.keys = room.next_power_of_two().clamp(LEAST_KEYS, MOST_KEYS);
        if learned.is_none() && self.unconfirmed.is_empty() {
            self.doubt("every run without faults shows new sites: name them by what they are, not by a number that grows".into());
        } else if self.catalogue.calls().is_empty() {
            self.doubt("no call passed a site, so nothing was explored: put `w.site(..)` in front of a service, or call through `w.client(..)`".into());
        }
    }

    /// Two runs of one seed must be one and the same.
    fn compare(&mut self, one: &Ended, other: &Ended) {
        if let Some(parted) = divergence(one, other) {
            self.diverged = true;
            self.doubt(parted.to_string());
        }
    }

    /// Every single fault on every call, every upset of every node.
    pub(super) fn singles(&mut self) {
        let all = singles(&self.catalogue, &self.menu);
        let of = all.len() as u64;
        for single in &all {
            self.coverage.planned(single);
        }
        let seed = self.seed;
        let orders = all
            .iter()
            .map(|single| Order::script(seed, std::slice::from_ref(single)).watched());
        let known: BTreeSet<_> = (self.catalogue.calls().iter())
            .map(|passed| passed.call.clone())
            .collect();
        let tried = self.tries(
            Stage::Singles,
            Some(of),
            self.left(),
            orders,
            |this, order, ended| {
                let Trouble::Script(injections) = &order.trouble else {
                    return;
                };
                let Some(single) = injections.first() else {
                    return;
                };
                this.note_single(single, ended, &known);
            },
        );
        self.singles_done = tried == of;
        if !self.singles_done && self.failures.is_empty() {
            self.doubt(format!(
                "the budget ended among the single faults: {tried} of {of} were tried"
            ));
        }
    }

    /// What one single fault has shown.
    fn note_single(&mut self, single: &Injection, ended: &Ended, known: &BTreeSet<CallId>) {
        if ended.injected.is_empty() {
            if let (Injection::Call { call, kind, .. }, true) = (single, ended.unable > 0) {
                self.catalogue.unable(&call.site, *kind);
                self.coverage.unable(&call.site, kind.name());
            } else {
                self.coverage.never_reached(single);
            }
            return;
        }
        if ended.violation.is_some() {
            return;
        }
        self.survived.push(single.clone());
        let room = MOST_REVEALED.saturating_sub(self.revealed.len());
        let new = ended.passed.iter().filter(|p| !known.contains(&p.call));
        let new = new.take(room).map(|p| (single.clone(), p.clone()));
        self.revealed.extend(new);
    }

    /// No faults, another order: requests and replies let others go first, or are a few milliseconds late.
    pub(super) fn orders(&mut self) {
        if self.explore.real.is_some() {
            return; // every run is in an order of its own
        }
        let most = (self.left() / ORDERS_SHARE).min(MOST_ORDERS);
        let (catalogue, until) = (self.catalogue.clone(), self.setting.storm);
        let seeds: Vec<_> = (0..most)
            .map(|n| seed_of(self.seed, Stage::Orders, n))
            .collect();
        // The workload is that of the run without faults: only the order is another one.
        let seed = self.seed;
        let orders = seeds.into_iter().map(|nudges| {
            let plan = perturbation(nudges, &catalogue, until);
            Order::storm(seed, plan)
        });
        self.within_share(ORDERS_SHARE as u32, |this| {
            this.tries(Stage::Orders, None, most, orders, |_, _, _| {});
        });
    }

    /// Two faults: first those at calls that only a fault has brought about, with it; then any two
    /// that were survived one by one.
    pub(super) fn pairs(&mut self) {
        let (catalogue, menu) = (self.catalogue.clone(), self.menu.clone());
        let (revealed, survived) = (
            std::mem::take(&mut self.revealed),
            std::mem::take(&mut self.survived),
        );
        let after = |(first, passed): &(Injection, _)| -> Vec<[Injection; 2]> {
            let second = at_call(passed, &catalogue, &menu).into_iter();
            second.map(|second| [first.clone(), second]).collect()
        };
        let all = Pairs::new(survived.len(), self.seed);
        let shown: u64 = revealed.iter().map(|r| after(r).len() as u64).sum();
        // What cannot be told from one fault alone is no pair, and is not missed.
        let of = all.total() + shown - hidden(&survived);
        let any = all.map(|(i, j)| [survived[i].clone(), survived[j].clone()]);
        let seed = self.seed;
        let orders = (revealed.iter().flat_map(after).chain(any))
            .filter(|[one, other]| !one.hides(other))
            .map(|pair| Order::script(seed, &pair));
        let most = self.left() / 2;
        self.within_share(2, |this| {
            this.tries(Stage::Pairs, Some(of), most, orders, |_, _, _| {});
        });
    }

    /// Chance: as long as the budget lasts.
    pub(super) fn storms(&mut self) {
        let (catalogue, menu) = (self.catalogue.clone(), self.menu.clone());
        let until = self.setting.storm;
        let most = self.left();
        let (base, stage) = (self.seed, Stage::Storms);
        let of = move |nth| {
            let seed = seed_of(base, stage, nth);
            Order::storm(seed, storm(seed, &catalogue, &menu, until))
        };
        let repeats = self.explore.real.is_none();
        if most > 0 && repeats && !self.crew.is_over() {
            let twice = of(0).watched().kept();
            let runs = [0, 1].map(|_| self.crew.make_one(&twice, &self.setting));
            self.runs += 2;
            self.compare(&runs[0], &runs[1]);
        }
        self.tries(stage, None, most, (0..most).map(of), |_, _, _| {});
    }

    /// One code, and nothing else.
    pub(super) fn replay(&mut self, code: &ReplayCode) {
        if code.name != self.explore.name {
            self.notes
                .push(format!("skipped: the replay code is of `{}`", code.name));
            return;
        }
        self.seed = code.seed;
        let order = Order::script(code.seed, &code.injections).kept();
        let (mut left, mut late) = (0, 0);
        self.tries(Stage::Replay, Some(1), 1, [order], |_, order, ended| {
            left = ended.unreached;
            late = order
                .upsets()
                .filter(|u| !ended.injected.contains(u))
                .count();
        });
        if self.failures.is_empty() && late > 0 {
            self.doubt(format!(
                "{late} of the code's upsets would have come after the run was over: it is of another program"
            ));
        }
        if self.failures.is_empty() && left > 0 {
            let all = code.injections.len();
            self.doubt(format!(
                "{left} of the code's {all} calls were not made: it is of another program"
            ));
        }
    }
}

/// How many pairs of these leave nothing of one of them: both strike one call.
fn hidden(singles: &[Injection]) -> u64 {
    let mut calls: BTreeMap<&CallId, Vec<&Injection>> = BTreeMap::new();
    for single in singles {
        if let Injection::Call { call, .. } = single {
            calls.entry(call).or_default().push(single);
        }
    }
    let mut hidden = 0;
    for at in calls.values() {
        for (i, one) in at.iter().enumerate() {
            let rest = at[i + 1..].iter();
            hidden += rest.filter(|other| one.hides(other)).count() as u64;
        }
    }
    hidden
}

//! [`Search`]: the order in which an exploration tries things, and its books.

mod confirm;
mod found;
mod gaps;
mod phases;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use murphy_core::{Seed, mix};
use murphy_fault::Grade;
use tokio::time::Instant;

use crate::catalogue::{Catalogue, Passed};
use crate::coverage::Coverage;
use crate::crew::{Crew, now};
use crate::explore::Explore;
use crate::injection::Injection;
use crate::kind::Kind;
use crate::menu::Menu;
use crate::once::{Check, Ended, Setting};
use crate::order::Order;
use crate::outcome::{Failure, Outcome, Phase, Stage, Verdict};
use crate::progress::Progress;
use crate::scene::Mark;

/// Runs that are handed to the crew at once.
const BATCH: usize = 256;
/// Keys that a site has room for, before it is known how many there are; and at least.
const MOST_KEYS: usize = 1 << 16;
const LEAST_KEYS: usize = 1 << 8;
/// Reasons and notes that are kept.
const MOST_REASONS: usize = 8;

pub(crate) struct Search<'a, 'f> {
    explore: &'a Explore,
    menu: Menu,
    crew: Crew<'a, 'f>,
    seed: Seed,
    setting: Setting,
    catalogue: Catalogue,
    coverage: Coverage,
    marks: BTreeMap<String, Mark>,
    /// The lowest of all runs.
    grade: Grade,
    failures: Vec<Failure>,
    unconfirmed: Vec<Failure>,
    undecided: Vec<String>,
    notes: Vec<String>,
    phases: Vec<Phase>,
    /// All runs, and those that the budget pays for.
    runs: u64,
    spent: u64,
    began: Instant,
    /// Calls that were made only because something went wrong: after what, and which.
    revealed: Vec<(Injection, Passed)>,
    /// Singles that struck and were survived: what pairs are made of.
    survived: Vec<Injection>,
    singles_done: bool,
    /// The same seed was two runs: what else is missing may be missing for that.
    diverged: bool,
    /// A run was cut: others like it would take as long.
    cut: bool,
    progress: Progress,
}

impl<'a, 'f> Search<'a, 'f> {
    pub(crate) fn new(explore: &'a Explore, check: &'a Check<'f>) -> Self {
        // Real servers would take each other's time.
        let cores = match explore.real {
            None => available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Some(_) => NonZeroUsize::MIN,
        };
        let began = now();
        Self {
            crew: Crew {
                jobs: explore.jobs.unwrap_or(cores),
                check,
                patience: explore.most_patience(),
                deadline: explore
                    .budget
                    .most_time()
                    .and_then(|time| began.checked_add(time)),
            },
            seed: explore.chosen_seed(),
            setting: Setting {
                sites: Vec::new(),
                nodes: Vec::new(),
                keys: MOST_KEYS,
                storm: explore.storm_ends(),
                horizon: explore.run_ends(),
                tolerant: explore.tolerant,
                real: explore.real,
            },
            explore,
            catalogue: Catalogue::default(),
            coverage: Coverage::default(),
            marks: BTreeMap::new(),
            failures: Vec::new(),
            unconfirmed: Vec::new(),
            grade: Grade::Paused,
            menu: explore.chosen_menu(),
            undecided: Vec::new(),
            notes: Vec::new(),
            phases: Vec::new(),
            runs: 0,
            spent: 0,
            began,
            revealed: Vec::new(),
            survived: Vec::new(),
            singles_done: false,
            diverged: false,
            cut: false,
            progress: Progress::new(&explore.name, explore.progress),
        }
    }

    /// Tries everything, in order; stops after the part in which something failed.
    pub(crate) fn run(mut self) -> Outcome {
        if let Some(code) = &self.explore.replay {
            self.replay(code);
            return self.outcome();
        }
        let parts: [fn(&mut Self); 6] = [
            Self::corpus,
            Self::fault_free,
            Self::singles,
            Self::orders,
            Self::pairs,
            Self::storms,
        ];
        for part in parts {
            part(&mut self);
            let failed = !self.failures.is_empty() && !self.explore.going_on;
            if failed || self.is_enough() || self.is_hopeless() {
                break;
            }
        }
        self.outcome()
    }

    /// Whether nothing that comes can be judged.
    fn is_hopeless(&self) -> bool {
        let learned = self.phases.iter().any(|p| p.stage == Stage::FaultFree);
        self.cut || learned && self.catalogue.calls().is_empty()
    }

    /// Makes the runs of one part, at most `most` of them; `then` looks at each, in order. Gives back how many
    /// were made.
    fn tries(
        &mut self,
        stage: Stage,
        of: Option<u64>,
        most: u64,
        orders: impl IntoIterator<Item = Order>,
        mut then: impl FnMut(&mut Self, &Order, &Ended),
    ) -> u64 {
        self.phases.push(Phase {
            stage,
            tried: 0,
            of,
            failed: 0,
        });
        let mut orders = orders.into_iter();
        let mut tried = 0;
        while tried < most && !self.is_enough() && !self.crew.is_over() {
            let room = (most - tried).min(BATCH as u64) as usize;
            let batch: Vec<Order> = orders.by_ref().take(room).collect();
            if batch.is_empty() {
                break;
            }
            let ended = self.crew.make(&batch, &self.setting);
            for (order, ended) in batch.iter().zip(&ended) {
                tried += 1;
                self.account(stage, order, ended);
                then(self, order, ended);
                // What was made beyond is as if it had not been: how much it is depends on the batch.
                if self.is_enough() {
                    break;
                }
            }
        }
        tried
    }

    fn is_enough(&self) -> bool {
        self.failures.len() >= self.explore.limit || self.cut
    }

    /// Writes down what a run came to.
    fn account(&mut self, stage: Stage, order: &Order, ended: &Ended) {
        self.runs += 1;
        self.spent += 1;
        for (name, mark) in &ended.marks {
            let all = self.marks.entry(name.clone()).or_default();
            all.met += mark.met;
            all.held += mark.held;
        }
        self.learn(ended);
        self.grade = ended
            .grade
            .map_or(self.grade, |grade| grade.min(self.grade));
        self.coverage
            .struck(&ended.injected, ended.violation.is_none());
        if let Some(why) = &ended.undecided {
            self.doubt(why.clone());
        }
        if ended.cut {
            self.cut = true;
            self.spun(order);
        }
        let Some(phase) = self.phases.last_mut() else {
            return;
        };
        phase.tried += 1;
        if let Some(violation) = &ended.violation {
            phase.failed += 1;
            self.found(stage, order, ended, violation);
        }
        if let Some(phase) = self.phases.last() {
            self.progress.tell(phase, self.failures.len());
        }
    }

    /// Sites and nodes that were not known. True if there were any.
    fn learn(&mut self, ended: &Ended) -> bool {
        let mut new = false;
        for site in &ended.sites {
            new |= self.catalogue.site(site);
        }
        for node in &ended.nodes {
            new |= self.catalogue.node(node);
        }
        ended
            .placed
            .iter()
            .for_each(|node| self.catalogue.placed(node));
        if new {
            self.setting.sites = self.catalogue.sites().map(Arc::clone).collect();
            self.setting.nodes = self.catalogue.nodes();
        }
        for step in &ended.steps {
            for kind in Kind::FAULTS {
                self.catalogue.unable(step, kind);
            }
        }
        for (site, kind) in &ended.cannot {
            self.catalogue.unable(site, *kind);
            if self.menu.kinds.contains(kind) {
                self.coverage.unable(site, kind.name());
            }
        }
        new
    }

    fn doubt(&mut self, why: String) {
        if self.undecided.len() < MOST_REASONS && !self.undecided.contains(&why) {
            self.undecided.push(why);
        }
    }

    /// Runs that the budget has left.
    fn left(&self) -> u64 {
        self.explore.budget.most_runs().saturating_sub(self.spent)
    }

    /// Does something within a share of the time that is left.
    fn within_share(&mut self, share: u32, part: impl FnOnce(&mut Self)) {
        let whole = self.crew.deadline;
        self.crew.deadline = whole.map(|end| {
            let now = now();
            now + end.saturating_duration_since(now) / share
        });
        part(self);
        self.crew.deadline = whole;
    }

    fn outcome(mut self) -> Outcome {
        let gaps = self.gaps();
        if self.catalogue.overflowed {
            self.notes.push(format!(
                "more than {} calls: the rest is left to chance",
                crate::catalogue::MOST_CALLS
            ));
        }
        self.phases.retain(|phase| phase.tried > 0);
        let mut outcome = Outcome {
            name: self.explore.name.clone(),
            called_at: self.explore.called_at,
            seed: self.seed,
            verdict: Verdict::Passed,
            grade: self.grade,
            failures: self.failures,
            unconfirmed: self.unconfirmed,
            gaps,
            undecided: self.undecided,
            phases: self.phases,
            calls: self.catalogue.calls().len(),
            coverage: self.coverage,
            marks: self.marks,
            notes: self.notes,
            runs: self.runs,
            took: now().saturating_duration_since(self.began),
        };
        outcome.judge();
        outcome
    }
}

/// The seed of the n-th run of a part.
fn seed_of(base: Seed, stage: Stage, nth: u64) -> Seed {
    Seed::new(mix(mix(base.bits() ^ ((stage as u64) << 56)) ^ nth))
}

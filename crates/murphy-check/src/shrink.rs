//! [`shrink`]: from an illegal part of a history to the few operations that show it.

use std::collections::BTreeSet;

use crate::model::Model;
use crate::problem::{NEVER, Op, Problem};
use crate::search::{Progress, Search};

/// What is left.
pub(crate) struct Shrunk {
    /// Places in the history, by call.
    pub(crate) ops: Vec<usize>,
    pub(crate) stuck: usize,
    pub(crate) is_smallest: bool,
}

/// At most so many steps for one smaller history: those that matter are decided in far fewer.
const STEPS_A_TRY: u64 = 1_000_000;

/// Shrinks an illegal part, in steps that keep it illegal for the reason that it was:
///
/// 1. what was called after `frontier` is left out, and what had not returned by then need not have happened: an
///    order of the whole would have begun with one of this;
/// 2. groups of operations that the model says can be left out together are left out;
/// 3. reads are left out, and other operations need not have happened: any order of the whole is one of this too. First they
///    may also happen more than once (*noise*), which is quicker to decide; then once at most.
pub(crate) fn shrink<M: Model>(
    model: &M,
    problem: &Problem<'_, M>,
    frontier: u64,
    (steps, bytes): (u64, usize),
    stop: &impl Fn() -> bool,
) -> Shrunk {
    let mut tries = Tries {
        model,
        problem,
        steps,
        bytes,
        stop,
        undecided: false,
    };
    let begun = |op: &&Op| op.called <= frontier;
    let cut = |op: &Op| match op.returned <= frontier {
        true => *op,
        false => Op {
            returned: NEVER,
            is_required: false,
            ..*op
        },
    };
    let whole = problem.ops.clone();
    let prefix: Vec<Op> = problem.ops.iter().filter(begun).map(cut).collect();
    let is_stuck = |op: &&Op| op.returned == frontier;
    let stuck = prefix.iter().find(is_stuck).map_or(usize::MAX, |op| op.at);
    // It is illegal; that it is seen to be so is cheap, once what follows is out of the way.
    let mut kept = match tries.are_illegal(&prefix, &[]) {
        true => prefix,
        false => whole,
    };
    tries.drop_groups(&mut kept);
    tries.grow(&mut kept, frontier);
    kept.sort_by_key(|op| (op.called, op.at));
    Shrunk {
        ops: kept.iter().map(|op| op.at).collect(),
        stuck,
        is_smallest: !tries.undecided,
    }
}

struct Tries<'t, 'a, M: Model, F> {
    model: &'t M,
    problem: &'t Problem<'a, M>,
    steps: u64,
    bytes: usize,
    stop: &'t F,
    undecided: bool,
}

impl<M: Model, F: Fn() -> bool> Tries<'_, '_, M, F> {
    /// Whether these are still illegal, whatever those did in their time. Undecided is no.
    fn are_illegal(&mut self, kept: &[Op], others: &[Op]) -> bool {
        let changes = |op: &&Op| !self.problem.classes[op.class as usize].is_read;
        let others: Vec<Op> = others.iter().filter(changes).copied().collect();
        // Any number of times needs no memory of which were done: it is quick where there are few states, and without end
        // where there is no end of them.
        let most = 64 + 4 * self.problem.ops.len();
        let noisy = self.problem.of(kept.to_vec(), others.clone());
        let first = self.progress(noisy, if others.is_empty() { usize::MAX } else { most });
        if others.is_empty() || first == Progress::Illegal {
            self.undecided |= is_undecided(&first);
            return first == Progress::Illegal;
        }
        let once = |op: &Op| Op {
            is_required: false,
            ..*op
        };
        let mut ops: Vec<Op> = kept
            .iter()
            .copied()
            .chain(others.iter().map(once))
            .collect();
        ops.sort_by_key(|op| (op.called, op.at));
        let second = self.progress(self.problem.of(ops, Vec::new()), usize::MAX);
        self.undecided |= is_undecided(&first) && is_undecided(&second);
        second == Progress::Illegal
    }

    fn progress(&mut self, problem: Problem<'_, M>, most: usize) -> Progress {
        let steps = self.steps.min(STEPS_A_TRY);
        if steps == 0 || (self.stop)() {
            return Progress::OutOfSteps;
        }
        let weight = problem.ops.len() as u64;
        let mut search = Search::new(self.model, problem, most);
        let (progress, taken) = search.run(self.model, steps, self.bytes);
        self.steps = self.steps.saturating_sub(taken + weight);
        progress
    }

    /// Leaves out groups, many at once and then fewer.
    fn drop_groups(&mut self, kept: &mut Vec<Op>) {
        let group = |op: &Op| {
            let class = &self.problem.classes[op.class as usize];
            self.model.group(class.request, class.reply)
        };
        let groups: Vec<Option<u64>> = kept.iter().map(group).collect();
        let names: BTreeSet<u64> = groups.iter().flatten().copied().collect();
        let mut grouped: Vec<(Option<u64>, Op)> = groups.into_iter().zip(kept.drain(..)).collect();
        self.minimise(names.into_iter().collect(), |tries, names| {
            let is_kept = |(name, _): &&(Option<u64>, Op)| name.is_none_or(|n| names.contains(&n));
            let fewer: Vec<(Option<u64>, Op)> = grouped.iter().filter(is_kept).copied().collect();
            let ops: Vec<Op> = fewer.iter().map(|(_, op)| *op).collect();
            let is_illegal = tries.are_illegal(&ops, &[]);
            if is_illegal {
                grouped = fewer;
            }
            is_illegal
        });
        *kept = grouped.into_iter().map(|(_, op)| op).collect();
    }

    /// Looks at what returned last, more and more of it, until that is illegal; of it leaves out operations, many at once and then
    /// fewer.
    fn grow(&mut self, kept: &mut Vec<Op>, frontier: u64) {
        let all = kept.clone();
        let without = |tries: &mut Self, kept: &[Op]| {
            let places: BTreeSet<usize> = kept.iter().map(|op| op.at).collect();
            let is_left_out = |op: &&Op| !places.contains(&op.at);
            let others: Vec<Op> = all.iter().filter(is_left_out).copied().collect();
            tries.are_illegal(kept, &others)
        };
        let mut nearest = all.clone();
        nearest.retain(|op| op.returned <= frontier);
        nearest.sort_by_key(|op| (u64::MAX - op.returned, op.at));
        let mut count = 1;
        while count < nearest.len() {
            let mut last = nearest[..count].to_vec();
            last.sort_by_key(|op| (op.called, op.at));
            if without(self, &last) {
                *kept = last;
                break;
            }
            count *= 2;
        }
        // What was not decided on the way is no loss.
        self.undecided = false;
        *kept = self.minimise(kept.clone(), without);
    }

    /// Delta debugging (Zeller and Hildebrandt, 2002), by complements: leaves out runs of half, a quarter, … and at last one by
    /// one, until none can be.
    fn minimise<T: Clone>(
        &mut self,
        mut kept: Vec<T>,
        mut holds: impl FnMut(&mut Self, &[T]) -> bool,
    ) -> Vec<T> {
        let mut run = kept.len().div_ceil(2).max(1);
        loop {
            let before = kept.len();
            let mut from = 0;
            while from < kept.len() {
                let mut fewer = kept.clone();
                fewer.drain(from..kept.len().min(from + run));
                if holds(self, &fewer) {
                    kept = fewer;
                } else {
                    from += run;
                }
                if self.steps == 0 {
                    return kept;
                }
            }
            match run {
                1 if kept.len() == before => return kept,
                _ => run = run.div_ceil(2),
            }
        }
    }
}

fn is_undecided(progress: &Progress) -> bool {
    matches!(progress, Progress::OutOfSteps | Progress::OutOfBytes)
}

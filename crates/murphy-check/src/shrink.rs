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
const STEPS_A_TRY: u64 = 200_000;

/// Shrinks an illegal part, in steps that keep it illegal for the reason that it was:
///
/// 1. what was called after `frontier` is left out, and what had not returned by then need not have happened: an
///    order of the whole would have begun with one of this;
/// 2. groups of operations that the model says can be left out together are left out;
/// 3. reads are left out, and other operations become *noise*, which may happen at any time and any number of times: any order
///    of the whole is one of this too.
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
    let cut = |op: &Op| Op {
        returned: if op.returned <= frontier {
            op.returned
        } else {
            NEVER
        },
        ..*op
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
    tries.drop_ops(&mut kept);
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
    /// Whether these are still illegal, with the classes of those as noise. Undecided is no.
    fn are_illegal(&mut self, kept: &[Op], noisy: &[Op]) -> bool {
        let steps = self.steps.min(STEPS_A_TRY);
        if steps == 0 || (self.stop)() {
            self.undecided = true;
            return false;
        }
        let changes = |op: &&Op| !self.problem.classes[op.class as usize].is_read;
        let noise: BTreeSet<u32> = noisy.iter().filter(changes).map(|op| op.class).collect();
        let noise: Vec<u32> = noise.into_iter().collect();
        // Noise that leads to ever new states is soon seen to.
        let most = if noise.is_empty() {
            u32::MAX as usize - 1
        } else {
            64 + 4 * self.problem.ops.len()
        };
        let problem = self.problem.of(kept.to_vec(), noise);
        let mut search = Search::new(self.model, problem, most);
        let (progress, taken) = search.run(self.model, steps, self.bytes);
        self.steps = self.steps.saturating_sub(taken.max(kept.len() as u64));
        self.undecided |= progress == Progress::OutOfSteps;
        progress == Progress::Illegal
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
            let fewer: Vec<_> = grouped.iter().filter(is_kept).copied().collect();
            let ops: Vec<Op> = fewer.iter().map(|(_, op)| *op).collect();
            let is_illegal = tries.are_illegal(&ops, &[]);
            if is_illegal {
                grouped = fewer;
            }
            is_illegal
        });
        *kept = grouped.into_iter().map(|(_, op)| op).collect();
    }

    /// Leaves out operations, many at once and then fewer.
    fn drop_ops(&mut self, kept: &mut Vec<Op>) {
        let all = kept.clone();
        *kept = self.minimise(all.clone(), |tries, kept| {
            let places: BTreeSet<usize> = kept.iter().map(|op| op.at).collect();
            let is_left_out = |op: &&Op| !places.contains(&op.at);
            let noisy: Vec<Op> = all.iter().filter(is_left_out).copied().collect();
            tries.are_illegal(kept, &noisy)
        });
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

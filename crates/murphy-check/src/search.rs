//! [`Search`]: looks for an order of operations that the model would have answered like that.

mod links;
mod states;
mod taken;

use links::{END, Links};
use states::{NONE, States};
use taken::{Cache, Taken};

use crate::model::Model;
use crate::problem::{NEVER, Problem, index};

/// Wing and Gong's search (*Testing and verifying concurrent objects*, 1993) with Lowe's memory of what was tried (*Testing for
/// linearizability*, 2017): it takes operations one by one, each of those that nothing unordered
/// precedes, and turns back where the model does not answer like that or the same set of operations has led to the same state
/// before.
///
/// Three things keep it small, and none of them changes a verdict:
///
/// * a read that fits, and changes nothing, is taken at once: it fits nowhere better;
/// * of operations that are alike the one that returns first is taken first;
/// * one that may be left out, and changes nothing, is left out.
///
/// It can be stopped after any number of steps, and goes on from there.
#[derive(Debug)]
pub(crate) struct Search<'a, M: Model> {
    problem: Problem<'a, M>,
    twins: Vec<u32>,
    states: States<M::State>,
    calls: Links,
    returns: Links,
    taken: Taken,
    cache: Cache,
    path: Vec<Frame>,
    set: u32,
    cursor: u32,
    frontier: u64,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    op: u32,
    // The set of states before it.
    set: u32,
    // Taken at once: there is nothing else to try here.
    forced: bool,
}

/// What became of some steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// An order, as places in the history. What is not in it did not happen.
    Legal(Vec<usize>),
    /// There is none.
    Illegal,
    /// Not decided in these steps.
    OutOfSteps,
    /// Not decided in these bytes, or states.
    OutOfBytes,
}

impl<'a, M: Model> Search<'a, M> {
    /// `most`: with more states than that it is out of bytes.
    pub(crate) fn new(model: &M, problem: Problem<'a, M>, most: usize) -> Self {
        let ops = &problem.ops;
        let n = ops.len();
        let required = ops.iter().map(|op| op.returned != NEVER);
        let mut by_return: Vec<u32> = (0..index(n)).collect();
        by_return.retain(|&op| ops[op as usize].returned != NEVER);
        by_return.sort_by_key(|&op| ops[op as usize].returned);
        let mut states = States::new(most);
        let set = states.initial(model, &problem.classes, &problem.noise);
        let calls = Links::new(n, 0..index(n));
        let mut search = Self {
            twins: problem.twins(),
            states,
            cursor: calls.first(),
            calls,
            returns: Links::new(n, by_return.into_iter()),
            taken: Taken::new(required),
            cache: Cache::new(),
            path: Vec::new(),
            set,
            frontier: 0,
            problem,
        };
        // The reads at the beginning.
        let mut free = 0;
        search.arrive(model, &mut free);
        search
    }

    /// So many steps more, as long as it holds no more than so many bytes. Also how many steps it took: a few more
    /// than allowed, at most as many as operations.
    pub(crate) fn run(&mut self, model: &M, steps: u64, bytes: usize) -> (Progress, u64) {
        let mut taken = 0;
        let progress = loop {
            if self.returns.first() == END {
                break Progress::Legal(self.order());
            }
            if self.states.overflowed() || self.bytes() > bytes {
                break Progress::OutOfBytes;
            }
            if taken >= steps {
                break Progress::OutOfSteps;
            }
            if !self.advance(model, &mut taken) && !self.turn_back() {
                break Progress::Illegal;
            }
        };
        (progress, taken)
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.bytes() + self.states.bytes()
    }

    /// Of every order that was tried, the first return that it did not reach: the latest of those. In an illegal history the
    /// operation whose return cannot be explained.
    pub(crate) fn frontier(&self) -> u64 {
        self.frontier
    }

    pub(crate) fn problem(&self) -> &Problem<'a, M> {
        &self.problem
    }

    /// Takes the next operation that leads to something new. `false`: there is none.
    fn advance(&mut self, model: &M, steps: &mut u64) -> bool {
        let bound = self.bound();
        while self.cursor != END {
            let op = self.cursor;
            let of = self.problem.ops[op as usize];
            if of.called > bound {
                return false;
            }
            *steps += 1;
            self.cursor = self.calls.after(op);
            if self.twin_is_first(op, bound) {
                continue;
            }
            let to = self.step(model, of.class);
            if to == NONE || (of.returned == NEVER && to == self.set) {
                continue;
            }
            self.take(op, to, false);
            self.arrive(model, steps);
            if self.cache.insert(&self.taken, self.set) {
                self.cursor = self.calls.first();
                return true;
            }
            self.turn_back();
        }
        false
    }

    /// Takes the reads that fit here, and looks how far this is.
    fn arrive(&mut self, model: &M, steps: &mut u64) {
        let mut op = self.calls.first();
        let mut bound = self.bound();
        while op != END {
            let of = self.problem.ops[op as usize];
            if of.called > bound {
                break;
            }
            let next = self.calls.after(op);
            if self.problem.classes[of.class as usize].is_read {
                *steps += 1;
                if self.step(model, of.class) == self.set {
                    self.take(op, self.set, true);
                    bound = self.bound();
                }
            }
            op = next;
        }
        self.cursor = self.calls.first();
        if bound != NEVER {
            self.frontier = self.frontier.max(bound);
        }
    }

    /// Gives back the last operation that was chosen, and what was taken at once after it. `false`: nothing was chosen.
    fn turn_back(&mut self) -> bool {
        while let Some(Frame { op, set, forced }) = self.path.pop() {
            self.taken.flip(op);
            self.calls.put_back(op);
            if self.problem.ops[op as usize].returned != NEVER {
                self.returns.put_back(op);
            }
            self.set = set;
            if !forced {
                self.cursor = self.calls.after(op);
                return true;
            }
        }
        false
    }

    fn take(&mut self, op: u32, to: u32, forced: bool) {
        let set = self.set;
        self.path.push(Frame { op, set, forced });
        self.taken.flip(op);
        self.calls.take(op);
        if self.problem.ops[op as usize].returned != NEVER {
            self.returns.take(op);
        }
        self.set = to;
    }

    /// What is called later has to wait for what returned before.
    fn bound(&self) -> u64 {
        match self.returns.first() {
            END => NEVER,
            op => self.problem.ops[op as usize].returned,
        }
    }

    fn twin_is_first(&self, op: u32, bound: u64) -> bool {
        let twin = self.twins[op as usize];
        twin != u32::MAX && self.problem.ops[twin as usize].called <= bound && !self.taken.has(twin)
    }

    fn step(&mut self, model: &M, class: u32) -> u32 {
        let Problem { classes, noise, .. } = &self.problem;
        self.states.step(model, classes, noise, (self.set, class))
    }

    fn order(&self) -> Vec<usize> {
        let at = |frame: &Frame| self.problem.ops[frame.op as usize].at;
        self.path.iter().map(at).collect()
    }
}

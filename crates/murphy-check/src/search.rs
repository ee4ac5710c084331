//! [`Search`]: looks for an order of operations that the model would have answered like that.

mod links;
mod next;
mod states;
mod taken;

use links::{END, Links};
use states::{NONE, States};
use taken::{Cache, Taken};

use crate::model::Model;
use crate::problem::{NEVER, Op, Problem, index};

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
/// And of all that can be taken it first tries what is due, or what makes that possible: most legal histories need no turning back
/// then.
///
/// It can be stopped after any number of steps, and goes on from there.
#[derive(Debug)]
pub(crate) struct Search<'a, M: Model> {
    problem: Problem<'a, M>,
    twins: Vec<u32>,
    states: States<M::State>,
    // By call: what has to be taken, and what may be left out, which is tried last.
    calls: Links,
    maybes: Links,
    returns: Links,
    taken: Taken,
    cache: Cache,
    path: Vec<Frame>,
    set: u32,
    cursor: u32,
    // Tried before all others, if it is one.
    hint: u32,
    // The latest call among what was taken: what returned before it comes too late.
    latest: u64,
    is_loose: bool,
    frontier: u64,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    op: u32,
    // The set of states before it, and the latest call.
    set: u32,
    latest: u64,
    // Taken at once: there is nothing else to try here.
    forced: bool,
    // Taken before its turn: all others are still to be tried.
    is_hint: bool,
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
        let required = ops.iter().map(|op| op.is_required);
        let mut by_return: Vec<u32> = (0..index(n)).collect();
        by_return.retain(|&op| ops[op as usize].is_required);
        by_return.sort_by_key(|&op| ops[op as usize].returned);
        let mut states = States::new(most);
        let set = states.initial(model);
        let by_call = |is_required| {
            (0..index(n)).filter(move |&op| ops[op as usize].is_required == is_required)
        };
        let calls = Links::new(n, by_call(true));
        let maybes = Links::new(n, by_call(false));
        let mut search = Self {
            twins: problem.twins(),
            states,
            cursor: END,
            hint: END,
            calls,
            maybes,
            returns: Links::new(n, by_return.into_iter()),
            taken: Taken::new(required),
            cache: Cache::new(),
            path: Vec::new(),
            set,
            latest: 0,
            is_loose: problem.is_loose(),
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
        let (mut taken, before) = (0, self.states.work());
        let progress = loop {
            if self.returns.first() == END {
                break Progress::Legal(self.order());
            }
            if self.states.overflowed() || self.bytes() > bytes {
                break Progress::OutOfBytes;
            }
            if taken.max(self.states.work() - before) >= steps {
                break Progress::OutOfSteps;
            }
            if !self.advance(model, &mut taken) && !self.turn_back() {
                break Progress::Illegal;
            }
        };
        (progress, taken.max(self.states.work() - before))
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
        while self.hint != END || self.cursor != END {
            let hint = std::mem::replace(&mut self.hint, END);
            let is_hint = hint != END;
            let op = if is_hint { hint } else { self.cursor };
            let of = self.problem.ops[op as usize];
            *steps += 1;
            if !is_hint {
                self.cursor = self.after(op);
            }
            if of.returned < self.latest || self.twin_is_first(op, bound) {
                continue;
            }
            let to = self.step(model, of.class);
            if to == NONE || (!of.is_required && to == self.set) {
                continue;
            }
            self.take(op, to, false);
            if let Some(frame) = self.path.last_mut() {
                frame.is_hint = is_hint;
            }
            self.arrive(model, steps);
            if self.cache.insert(&self.taken, self.set) {
                self.cursor = self.first();
                self.hint = self.hinted(model, steps);
                return true;
            }
            self.turn_back();
        }
        false
    }

    /// Takes the reads that fit here, or what noise there is, and looks how far this is.
    fn arrive(&mut self, model: &M, steps: &mut u64) {
        if self.is_loose {
            self.hear(model);
        } else {
            self.take_reads(model, steps);
        }
        self.cursor = self.first();
        let bound = self.bound();
        if bound != NEVER {
            self.frontier = self.frontier.max(bound);
        }
    }

    fn hear(&mut self, model: &M) {
        let (bound, latest) = (self.bound(), self.latest);
        let Problem { classes, noise, .. } = &self.problem;
        let is_on = |op: &&Op| op.called <= bound && op.returned >= latest;
        let mut on: Vec<u32> = noise.iter().filter(is_on).map(|op| op.class).collect();
        on.sort_unstable();
        on.dedup();
        self.set = self.states.closed(model, classes, self.set, on);
    }

    fn take_reads(&mut self, model: &M, steps: &mut u64) {
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
    }

    /// Gives back the last operation that was chosen, and what was taken at once after it. `false`: nothing was chosen.
    fn turn_back(&mut self) -> bool {
        while let Some(frame) = self.path.pop() {
            let Frame {
                op,
                set,
                latest,
                forced,
                is_hint,
            } = frame;
            self.taken.flip(op);
            if self.problem.ops[op as usize].is_required {
                self.calls.put_back(op);
                self.returns.put_back(op);
            } else {
                self.maybes.put_back(op);
            }
            (self.set, self.latest) = (set, latest);
            if !forced {
                self.cursor = if is_hint {
                    self.first()
                } else {
                    self.after(op)
                };
                return true;
            }
        }
        false
    }

    fn take(&mut self, op: u32, to: u32, forced: bool) {
        let Op {
            called,
            is_required,
            ..
        } = self.problem.ops[op as usize];
        self.path.push(Frame {
            op,
            set: self.set,
            latest: self.latest,
            forced,
            is_hint: false,
        });
        self.taken.flip(op);
        if is_required {
            self.calls.take(op);
            self.returns.take(op);
        } else {
            self.maybes.take(op);
        }
        self.set = to;
        self.latest = self.latest.max(called);
    }

    fn step(&mut self, model: &M, class: u32) -> u32 {
        let classes = &self.problem.classes;
        self.states.step(model, classes, (self.set, class))
    }

    fn order(&self) -> Vec<usize> {
        let at = |frame: &Frame| self.problem.ops[frame.op as usize].at;
        self.path.iter().map(at).collect()
    }
}

//! [`Checker`]: decides whether a history is legal, within bounds.

use crate::model::{Model, OperationOf};
use crate::problem::{NEVER, Problem, parts};
use crate::search::{Progress, Search};
use crate::shrink::{Shrunk, shrink};
use crate::{Verdict, VerdictOf, Why, Witness};

/// Decides whether a history is linearizable: whether there is one order of its operations that respects which
/// preceded which, and in which each is a step of the model (Herlihy and Wing, 1990).
///
/// Each key of the model is a part by itself, and parts take turns, in slices that grow: a part that
/// explodes does not keep an illegal neighbour from being found. The same history, model and bounds give the same
/// verdict, witness and order: no clock is read, and no chance is drawn.
///
/// # Limits
///
/// The problem is NP-complete. What costs is not length but what overlaps: above all, writes of unknown
/// outcome, which overlap with all that follows. Beyond its bounds the verdict is [`Unknown`](Verdict::Unknown).
///
/// # Examples
///
/// ```
/// use murphy_check::model::register::{Register, Reply, Request};
/// use murphy_check::{Checker, History};
///
/// let history = History::new();
/// for value in 0..100 {
///     let write = history.call(1, Request::Write(value))?;
///     history.done(write, Reply::Written)?;
/// }
/// let read = history.call(2, Request::Read)?;
/// history.done(read, Reply::Value(Some(98)))?; // stale
/// let verdict = Checker::new().check(&Register::new(), &history.operations());
/// let witness = verdict.witness().expect("illegal");
/// // write 99, and then a read of 98: whatever the other 99 did in their time
/// assert_eq!(witness.operations.len(), 2);
/// # Ok::<(), murphy_check::Misuse>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    steps: u64,
    bytes: usize,
    shrink: u64,
}

/// The first slice of each part, in steps; each round's is twice the one's before, up to the last.
const FIRST_SLICE: u64 = 1 << 10;
const LAST_SLICE: u64 = 1 << 20;

/// With the bounds of [`Checker::new`].
pub fn check<M: Model>(model: &M, history: &[OperationOf<M>]) -> VerdictOf<M> {
    Checker::new().check(model, history)
}

impl Checker {
    /// How many operations a history has at most: 2²⁴.
    pub const MOST: usize = 1 << 24;

    /// 10⁸ steps (some ten seconds), 256 MiB, and 16 · 10⁶ steps to make a witness small.
    pub const fn new() -> Self {
        Self {
            steps: 100_000_000,
            bytes: 256 << 20,
            shrink: 16_000_000,
        }
    }

    /// At most so many steps. A step tries one operation at one place of one order.
    #[must_use]
    pub const fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// At most so many bytes for what was tried, of all parts together. While a table grows there is its old copy
    /// too, so reckon with twice as many.
    ///
    /// The part that holds most is given up first; the others go on.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// At most so many steps to make a witness small; with 0 it is the whole part up to where it went
    /// wrong.
    #[must_use]
    pub const fn shrink(mut self, steps: u64) -> Self {
        self.shrink = steps;
        self
    }

    /// Is it legal?
    pub fn check<M: Model>(&self, model: &M, history: &[OperationOf<M>]) -> VerdictOf<M> {
        self.check_until(model, history, || false)
    }

    /// Is it legal? `stop` is asked between slices (at most about a million steps): for a bound on time, which is
    /// the caller's to read. Stopped, it is unknown; an illegal part that was found is still reported, as it is.
    pub fn check_until<M: Model>(
        &self,
        model: &M,
        history: &[OperationOf<M>],
        stop: impl Fn() -> bool,
    ) -> VerdictOf<M> {
        if history.len() > Self::MOST {
            return Verdict::Unknown(Why::TooLong {
                operations: history.len(),
                most: Self::MOST,
            });
        }
        let mut round = Round::new(model, history);
        let mut left = self.steps;
        let mut slice = FIRST_SLICE;
        while !round.running.is_empty() {
            for at in 0..round.running.len() {
                if stop() {
                    let left = round.left();
                    return Verdict::Unknown(Why::Stopped { left });
                }
                if left == 0 {
                    let (steps, left) = (self.steps, round.left());
                    return Verdict::Unknown(Why::Steps { steps, left });
                }
                let (progress, taken) = round.run(model, at, slice.min(left), self.bytes);
                left = left.saturating_sub(taken);
                if progress == Progress::Illegal {
                    let (key, search) = round.take(at);
                    let witness = self.witness(model, history, key, &search, &stop);
                    return Verdict::Illegal(Box::new(witness));
                }
            }
            round.retire();
            slice = (slice * 2).min(LAST_SLICE);
        }
        match round.given_up {
            0 => Verdict::Legal {
                order: merged(history, &round.orders),
            },
            left => Verdict::Unknown(Why::Bytes {
                bytes: self.bytes,
                left,
            }),
        }
    }

    fn witness<M: Model>(
        &self,
        model: &M,
        history: &[OperationOf<M>],
        key: Option<M::Key>,
        search: &Search<'_, M>,
        stop: &impl Fn() -> bool,
    ) -> Witness<M::Key, M::Request, M::Reply> {
        let (problem, frontier) = (search.problem(), search.frontier());
        let Shrunk {
            ops,
            stuck,
            is_smallest,
        } = shrink(model, problem, frontier, (self.shrink, self.bytes), stop);
        Witness {
            key,
            operations: ops.iter().map(|&at| history[at].clone()).collect(),
            places: ops,
            stuck,
            is_smallest,
        }
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

/// The parts of a history, taking turns.
struct Round<'a, M: Model> {
    history: &'a [OperationOf<M>],
    running: Vec<Option<Part<'a, M>>>,
    orders: Vec<Vec<usize>>,
    given_up: usize,
    /// What all parts hold, in bytes. It is kept and not added up: there may be as many parts as operations.
    held: usize,
}

/// One part: it holds next to nothing before its first turn, so that those which are quickly decided are never there together.
struct Part<'a, M: Model> {
    key: Option<M::Key>,
    places: Vec<usize>,
    search: Option<Search<'a, M>>,
    held: usize,
}

impl<'a, M: Model> Round<'a, M> {
    fn new(model: &M, history: &'a [OperationOf<M>]) -> Self {
        let part = |(key, places): (_, Vec<usize>)| {
            Some(Part {
                key,
                places,
                search: None,
                held: 0,
            })
        };
        Self {
            history,
            running: parts(model, history).into_iter().map(part).collect(),
            orders: Vec::new(),
            given_up: 0,
            held: 0,
        }
    }

    /// One slice of one part.
    fn run(&mut self, model: &M, at: usize, slice: u64, bytes: usize) -> (Progress, u64) {
        let history = self.history;
        let Some(part) = &mut self.running[at] else {
            return (Progress::OutOfSteps, 0);
        };
        let places = &part.places;
        let search = part.search.get_or_insert_with(|| {
            let problem = Problem::new(model, history, places);
            Search::new(model, problem, u32::MAX as usize - 1)
        });
        let others = self.held - part.held;
        let (progress, taken) = search.run(model, slice, bytes.saturating_sub(others));
        part.held = search.bytes();
        self.held = others + part.held;
        match &progress {
            Progress::Legal(order) => {
                self.orders.push(order.clone());
                self.let_go(at);
            }
            Progress::OutOfBytes => {
                // The one that holds most: of two, the first.
                let held = |i: &usize| self.running[*i].as_ref().map_or(0, |part| part.held);
                let most = (0..self.running.len()).rev().max_by_key(held);
                self.let_go(most.unwrap_or(at));
                self.given_up += 1;
            }
            Progress::Illegal | Progress::OutOfSteps => {}
        }
        (progress, taken)
    }

    fn let_go(&mut self, at: usize) {
        let part = self.running[at].take();
        self.held -= part.map_or(0, |part| part.held);
    }

    fn take(&mut self, at: usize) -> (Option<M::Key>, Search<'a, M>) {
        let part = self.running[at].take();
        let ran = part.and_then(|part| Some((part.key, part.search?)));
        ran.expect("it has just run")
    }

    fn retire(&mut self) {
        self.running.retain(Option::is_some);
    }

    /// How many parts are not decided.
    fn left(&self) -> usize {
        self.running.iter().flatten().count() + self.given_up
    }
}

/// One order of all parts: each operation as early as the order of its part, and its call, allow. (Herlihy and Wing: what is
/// linearizable part by part is so as a whole.)
fn merged<I, O>(history: &[crate::Operation<I, O>], orders: &[Vec<usize>]) -> Vec<usize> {
    let mut all = Vec::new();
    for (part, order) in orders.iter().enumerate() {
        let mut earliest = 0;
        for (position, &at) in order.iter().enumerate() {
            earliest = history[at].called().max(earliest);
            debug_assert!(earliest <= history[at].returned().unwrap_or(NEVER));
            all.push((earliest, part, position, at));
        }
    }
    all.sort_unstable();
    all.into_iter().map(|(.., at)| at).collect()
}

//! The third hook: how long until the next attempt?

use std::time::Duration;

use murphy_core::Draw;

#[cfg(doc)]
use super::Hints;
use super::Kind;

/// Says how long to wait before a retry: a pure function, without a clock or a generator.
///
/// A closure `Fn(Step) -> Duration` is one.
pub trait Pace {
    /// The wait before the retry that `step` describes.
    fn wait(&self, step: Step) -> Duration;

    /// The longest wait that it can ask for before retry `n` (0 is the first), if it knows: what a
    /// stack's worst case is reckoned from. `None` unless overridden.
    fn longest_before(&self, n: u32) -> Option<Duration> {
        _ = n;
        None
    }
}

impl<F: Fn(Step) -> Duration> Pace for F {
    fn wait(&self, step: Step) -> Duration {
        self(step)
    }
}

/// All that a wait may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which retry: 0 before the second attempt. Where a peer's hint was the whole wait, that wait is
    /// none of the pace's, and after one that was obeyed to the letter the pace begins anew
    /// ([`Hints`]).
    pub n: u32,
    /// What the pace asked for before, a peer's hint left out; zero for the first.
    pub previous: Duration,
    /// Chance: the same for the same seed, site, key and attempt.
    pub draw: Draw,
    /// The draw of the retry before; this one's own for the first.
    pub earlier: Draw,
    /// Why the attempt before failed.
    pub kind: Kind,
}

impl Step {
    /// The first retry after a transient failure, for tests of a pace; set the fields from there.
    #[must_use]
    pub const fn first(draw: Draw) -> Self {
        Self {
            n: 0,
            previous: Duration::ZERO,
            draw,
            earlier: draw,
            kind: Kind::Transient,
        }
    }
}

/// How far the pace of one call has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    n: u32,
    previous: Duration,
    earlier: Option<Draw>,
}

/// What a wait means for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It asked for it, or for a part.
    Took,
    /// It played no part, and goes on from where it was.
    Stood,
    /// It begins anew.
    Reset,
}

impl Course {
    pub(super) const fn new() -> Self {
        Self {
            n: 0,
            previous: Duration::ZERO,
            earlier: None,
        }
    }

    pub(super) fn step(&self, draw: Draw, kind: Kind) -> Step {
        Step {
            n: self.n,
            previous: self.previous,
            draw,
            earlier: self.earlier.unwrap_or(draw),
            kind,
        }
    }

    /// Another attempt follows: the pace asked for `wait` at `step`.
    pub(super) const fn turn(&mut self, turn: Turn, step: &Step, wait: Duration) {
        match turn {
            Turn::Took => {
                self.n = self.n.saturating_add(1);
                self.previous = wait;
                self.earlier = Some(step.draw);
            }
            Turn::Stood => {}
            Turn::Reset => *self = Self::new(),
        }
    }
}

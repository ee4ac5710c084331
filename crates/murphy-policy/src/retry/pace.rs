//! The third hook: how long until the next attempt?

use std::time::Duration;

use murphy_core::Draw;

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
    /// Which retry: 0 before the second attempt.
    pub n: u32,
    /// What the pace asked for before, a peer's hint left out; zero for the first.
    pub previous: Duration,
    /// Chance: the same for the same seed, site, key and `n`.
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

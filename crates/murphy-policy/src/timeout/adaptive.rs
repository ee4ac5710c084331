//! Timeouts that follow the service.

use std::time::Duration;

use murphy_core::Scope;

use super::Bound;
use super::limit::{Limit, sealed};
use super::slept::{Slept, Watch};
use crate::BadKnob;

/// Guesses from past calls how long one may take. Sealed: [`RoundTrip`](super::RoundTrip) and
/// [`Quantile`](super::Quantile).
///
/// Clones share what they learn. A success counts with the time it took from its first poll that
/// pended, one that was there at once with none; a call that timed out counts as "at least so
/// long". Failures do not count, nor calls that were dropped.
pub trait Estimate: Clone + sealed::Sealed {
    /// How long a call that begins now may take.
    fn timeout(&self) -> Duration;

    /// A success took so long.
    fn answered(&self, after: Duration);

    /// There was no reply within so long.
    fn elapsed(&self, given: Duration);
}

/// What an [`Estimate`] says: [`TimeoutLayer::adaptive`](super::TimeoutLayer::adaptive).
#[derive(Clone, Copy, Debug)]
pub struct Adaptive<E>(pub(super) E);

impl<E> sealed::Sealed for Adaptive<E> {}

impl<Req, E: Estimate> Limit<Req> for Adaptive<E> {
    type Wait = Slept<Learning<E>>;

    fn begin(&self, _: &Req) -> Self::Wait {
        let learning = Learning(self.0.clone());
        let timeout = self.0.timeout();
        Slept::new(timeout, Bound::Estimate, &Scope::current(), learning)
    }
}

/// Tells an [`Estimate`] what became of a call.
#[derive(Clone, Copy, Debug)]
pub struct Learning<E>(E);

impl<E> sealed::Sealed for Learning<E> {}

impl<E: Estimate> Watch for Learning<E> {
    fn answered(&self, after: impl FnOnce() -> Duration) {
        self.0.answered(after());
    }

    fn elapsed(&self, given: Duration) {
        self.0.elapsed(given);
    }
}

/// From where to where a timeout may move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) floor: Duration,
    pub(super) ceiling: Duration,
}

impl Range {
    /// What an estimate can be: a day is as good as never.
    const LONGEST: Duration = Duration::from_secs(86_400);

    pub(super) fn try_new(floor: Duration, ceiling: Duration) -> Result<Self, BadKnob> {
        if floor < Duration::from_millis(1) {
            let remedy = "use 1ms or more; timers are whole milliseconds";
            return Err(BadKnob::new("floor", format!("{floor:?}"), remedy));
        }
        if !(floor..=Self::LONGEST).contains(&ceiling) {
            let remedy = format!("use {floor:?} (the floor) to a day");
            return Err(BadKnob::new("ceiling", format!("{ceiling:?}"), remedy));
        }
        Ok(Self { floor, ceiling })
    }

    pub(super) fn clamp(&self, timeout: Duration) -> Duration {
        timeout.clamp(self.floor, self.ceiling)
    }
}

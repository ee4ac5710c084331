//! Timeouts that differ from call to call.

use std::fmt;
use std::time::Duration;

use murphy_core::Scope;

use super::Bound;
use super::limit::{Limit, sealed};
use super::slept::Slept;

/// The layer's, or what is left of the scope's deadline:
/// [`TimeoutLayer::within_deadline`](super::TimeoutLayer::within_deadline).
#[derive(Clone, Copy, Debug)]
pub struct Within(pub(super) Duration);

impl sealed::Sealed for Within {
    fn most(&self) -> Option<Duration> {
        Some(self.0)
    }
}

impl<Req> Limit<Req> for Within {
    type Wait = Slept;

    fn begin(&self, _: &Req) -> Slept {
        Slept::new(self.0, Bound::Layer, &Scope::current(), ())
    }
}

/// The request's, or else the layer's: [`TimeoutLayer::by`](super::TimeoutLayer::by).
#[derive(Clone, Copy)]
pub struct By<F> {
    pub(super) own: Duration,
    pub(super) of: F,
}

impl<F> sealed::Sealed for By<F> {}

impl<Req, F: Fn(&Req) -> Option<Duration>> Limit<Req> for By<F> {
    type Wait = Slept;

    fn begin(&self, request: &Req) -> Slept {
        let (timeout, bound) = match (self.of)(request) {
            Some(timeout) => (timeout, Bound::Request),
            None => (self.own, Bound::Layer),
        };
        Slept::new(timeout, bound, &Scope::current(), ())
    }
}

impl<F> fmt::Debug for By<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("By")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// The attempt's: [`TimeoutLayer::by_attempt`](super::TimeoutLayer::by_attempt).
#[derive(Clone, Copy)]
pub struct ByAttempt<F>(pub(super) F);

impl<F> sealed::Sealed for ByAttempt<F> {}

impl<Req, F: Fn(u32) -> Duration> Limit<Req> for ByAttempt<F> {
    type Wait = Slept;

    fn begin(&self, _: &Req) -> Slept {
        let scope = Scope::current();
        let timeout = (self.0)(scope.attempt());
        Slept::new(timeout, Bound::Attempt, &scope, ())
    }
}

impl<F> fmt::Debug for ByAttempt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByAttempt").finish_non_exhaustive()
    }
}

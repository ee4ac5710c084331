//! [`Elapsed`], which timeout it was, and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// The attempt outlived its timeout.
///
/// It may still have taken effect: what ended is the wait, not the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reply within {timeout:?}{bound}; it may still have taken effect")]
pub struct Elapsed {
    timeout: Duration,
    bound: Bound,
}

/// Which timeout it was that a call outlived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// The layer's own.
    Layer,
    /// The request's: a closure's, an extension's, a header's.
    Request,
    /// The attempt's.
    Attempt,
    /// What past calls made it.
    Estimate,
    /// What was left of the caller's deadline.
    Deadline,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer => "",
            Self::Request => ", which the request allows",
            Self::Attempt => ", which the attempt is allowed",
            Self::Estimate => ", by the estimate",
            Self::Deadline => ", which the deadline left",
        })
    }
}

impl Elapsed {
    /// A wait of `timeout` that was in vain, by the layer's own.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self::by(timeout, Bound::Layer)
    }

    pub(super) const fn by(timeout: Duration, bound: Bound) -> Self {
        Self { timeout, bound }
    }

    /// How long the attempt was given.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Which timeout it was.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        self.bound
    }
}

/// What a [`typed`](crate::TimeoutLayer::typed) timeout answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutError<E> {
    /// The time was up.
    Elapsed(Elapsed),
    /// The inner service failed before that.
    Inner(E),
}

impl<E> TimeoutError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Elapsed(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> TimeoutError<T> {
        match self {
            Self::Elapsed(elapsed) => TimeoutError::Elapsed(elapsed),
            Self::Inner(error) => TimeoutError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for TimeoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elapsed(elapsed) => elapsed.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for TimeoutError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Elapsed(elapsed) => Some(elapsed),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Elapsed {
    type Typed = TimeoutError<E>;

    fn typed(self) -> TimeoutError<E> {
        TimeoutError::Elapsed(self)
    }

    fn pass(error: E) -> TimeoutError<E> {
        TimeoutError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

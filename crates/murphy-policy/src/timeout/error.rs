//! [`Elapsed`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// The attempt outlived its timeout.
///
/// It may still have taken effect: what ended is the wait, not the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reply within {timeout:?}; it may still have taken effect")]
pub struct Elapsed {
    timeout: Duration,
}

impl Elapsed {
    /// A wait of `timeout` that was in vain.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// How long the attempt was given.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
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

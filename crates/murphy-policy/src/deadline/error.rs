//! [`Expired`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// The call outlived its deadline.
///
/// It may still have taken effect: what ended is the wait, not the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed after {allowed:?}; the call may still have taken effect")]
pub struct Expired {
    allowed: Duration,
}

impl Expired {
    /// A call that was allowed this much, in vain.
    #[must_use]
    pub const fn new(allowed: Duration) -> Self {
        Self { allowed }
    }

    /// How long the call was given: the layer's total, or what was left of the caller's deadline
    /// when the call began, whichever is shorter.
    #[must_use]
    pub const fn allowed(&self) -> Duration {
        self.allowed
    }
}

/// What a [`typed`](crate::DeadlineLayer::typed) deadline answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineError<E> {
    /// The time was up.
    Expired(Expired),
    /// The inner service failed before that.
    Inner(E),
}

impl<E> DeadlineError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Expired(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> DeadlineError<T> {
        match self {
            Self::Expired(expired) => DeadlineError::Expired(expired),
            Self::Inner(error) => DeadlineError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for DeadlineError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(expired) => expired.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for DeadlineError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Expired(expired) => Some(expired),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Expired {
    type Typed = DeadlineError<E>;

    fn typed(self) -> DeadlineError<E> {
        DeadlineError::Expired(self)
    }

    fn pass(error: E) -> DeadlineError<E> {
        DeadlineError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

//! [`Idle`] and [`Overdue`], either, and the enum of either and the body's own error.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// A body brought no frame in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no part of the body within {allowed:?}")]
pub struct Idle {
    allowed: Duration,
}

/// A body was not over in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body was not over within {allowed:?}")]
pub struct Overdue {
    allowed: Duration,
}

impl Idle {
    /// How long it was given for a frame.
    #[must_use]
    pub const fn allowed(&self) -> Duration {
        self.allowed
    }
}

impl Overdue {
    /// How long it was given for all of them.
    #[must_use]
    pub const fn allowed(&self) -> Duration {
        self.allowed
    }
}

/// A body was too slow. In a box it is the [`Idle`] or the [`Overdue`] itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub enum Stalled {
    /// Between two frames.
    Idle(Idle),
    /// With all of them.
    Overdue(Overdue),
}

impl Stalled {
    pub(super) const fn idle(allowed: Duration) -> Self {
        Self::Idle(Idle { allowed })
    }

    pub(super) const fn overdue(allowed: Duration) -> Self {
        Self::Overdue(Overdue { allowed })
    }

    /// How long it was given.
    #[must_use]
    pub const fn allowed(&self) -> Duration {
        match self {
            Self::Idle(idle) => idle.allowed,
            Self::Overdue(overdue) => overdue.allowed,
        }
    }
}

/// The error of a body with [`typed`](super::BodyTimeoutLayer::typed) timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError<E> {
    /// It was too slow.
    Stalled(Stalled),
    /// Its own.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for BodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stalled(stalled) => stalled.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for BodyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stalled(Stalled::Idle(idle)) => Some(idle),
            Self::Stalled(Stalled::Overdue(overdue)) => Some(overdue),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Stalled {
    type Typed = BodyError<E>;

    fn typed(self) -> BodyError<E> {
        BodyError::Stalled(self)
    }

    fn pass(error: E) -> BodyError<E> {
        BodyError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        match self {
            Self::Idle(idle) => idle.into(),
            Self::Overdue(overdue) => overdue.into(),
        }
    }
}

//! [`FallbackCause`], for which an answer stands in, and [`FallbackError`], when there is none.

use std::error::Error;
use std::fmt;

use crate::surface::{BoxError, Failure};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackCause<Res, E> {
    /// The call did.
    Error(E),
    /// It was answered with a failure.
    Reply(Res),
}

impl<Res, E> FallbackCause<Res, E> {
    /// The error, unless it was a reply.
    pub fn into_error(self) -> Option<E> {
        match self {
            Self::Error(error) => Some(error),
            Self::Reply(_) => None,
        }
    }

    /// The error, unless it was a reply.
    pub const fn error(&self) -> Option<&E> {
        match self {
            Self::Error(error) => Some(error),
            Self::Reply(_) => None,
        }
    }

    /// The reply, unless it was an error.
    pub const fn reply(&self) -> Option<&Res> {
        match self {
            Self::Error(_) => None,
            Self::Reply(reply) => Some(reply),
        }
    }
}

/// A call failed, and nobody stood in for it.
///
/// Its message has both failures. Its [`source`](Error::source) is the first, over a [`BoxError`],
/// so that [`find`](crate::find) finds what it would have found without a fallback.
#[derive(Debug)]
#[non_exhaustive]
pub enum FallbackError<E = BoxError> {
    /// The fallback failed as well.
    Failed {
        /// What the fallback failed with.
        error: BoxError,
        /// What it stood in for; `None` if that was a reply.
        first: Option<E>,
    },
    /// A failure that no fallback is for, or the inner service failed to become ready. Where errors
    /// are boxed, this is the inner error itself.
    Passed(E),
}

impl<E> FallbackError<E> {
    /// What the call failed with, unless that was a reply.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Failed { first, .. } => first,
            Self::Passed(error) => Some(error),
        }
    }

    /// What the call failed with, unless that was a reply.
    pub const fn first(&self) -> Option<&E> {
        match self {
            Self::Failed { first, .. } => first.as_ref(),
            Self::Passed(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> FallbackError<T> {
        match self {
            Self::Failed { error, first } => FallbackError::Failed {
                error,
                first: first.map(f),
            },
            Self::Passed(error) => FallbackError::Passed(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for FallbackError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { error, first } => {
                write!(f, "the fallback failed: {error}")?;
                match first {
                    Some(first) => write!(f, "; it stood in for: {first}"),
                    None => f.write_str("; it stood in for a reply that was a failure"),
                }
            }
            Self::Passed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for FallbackError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().and_then(crate::surface::as_boxed)
    }
}

impl<E> Failure<E> for FallbackError<E> {
    type Typed = Self;

    fn typed(self) -> Self {
        self
    }

    fn pass(error: E) -> Self {
        Self::Passed(error)
    }

    fn boxed(self) -> BoxError
    where
        E: Into<BoxError>,
    {
        match self.map(Into::into) {
            FallbackError::Passed(error) => error,
            failed @ FallbackError::Failed { .. } => failed.into(),
        }
    }
}

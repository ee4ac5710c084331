//! [`RetryError`]: why there is no further attempt.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// Why a retry ended without a success, and what the last attempt failed with.
///
/// Over [`BoxError`] by default: `find::<RetryError>(&*error)`. Its message ends with the last
/// failure, since most programs print only the outermost error; over a `BoxError` it is the
/// [`source`](Error::source) as well.
///
/// Where the last attempt brought a *reply* that was classified as a failure (a 503), the caller
/// gets this reply, whatever the reason to stop; the reason is an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryError<E = BoxError> {
    /// Every attempt failed.
    Exhausted {
        /// What the last one failed with.
        last: E,
        /// How many there were.
        attempts: u32,
    },
    /// The budget had no attempt left.
    Budget {
        /// What the last one failed with; `None` if it was a reply, let go before the wait.
        last: Option<E>,
        /// How many there were.
        attempts: u32,
    },
    /// The next attempt would have come too late: told at once, not after the wait.
    Deadline {
        /// How long the wait would have been.
        needed: Duration,
        /// What was left until the deadline.
        left: Duration,
        /// What the last one failed with; `None` if it was a reply, let go before the wait.
        last: Option<E>,
        /// How many there were.
        attempts: u32,
    },
    /// The peer asked for a longer wait than is allowed, and
    /// [`give_up_beyond`](crate::RetryLayer::give_up_beyond) says that this is the end.
    Deferred {
        /// How long it asked to wait.
        hint: Duration,
        /// How long it may.
        longest: Duration,
        /// What the last attempt failed with.
        last: E,
        /// How many there were.
        attempts: u32,
    },
    /// The peer asked not to be asked again.
    Forbidden {
        /// What the last one failed with.
        last: E,
        /// How many there were.
        attempts: u32,
    },
    /// Not to be retried, not repeatable, or the inner service failed to become ready. Where
    /// errors are boxed, this is the inner error itself.
    Terminal(E),
}

impl<E> RetryError<E> {
    /// What the last attempt failed with, unless that was a reply.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Exhausted { last, .. }
            | Self::Forbidden { last, .. }
            | Self::Deferred { last, .. }
            | Self::Terminal(last) => Some(last),
            Self::Budget { last, .. } | Self::Deadline { last, .. } => last,
        }
    }

    /// What the last attempt failed with, unless that was a reply.
    pub const fn last(&self) -> Option<&E> {
        match self {
            Self::Exhausted { last, .. }
            | Self::Forbidden { last, .. }
            | Self::Deferred { last, .. }
            | Self::Terminal(last) => Some(last),
            Self::Budget { last, .. } | Self::Deadline { last, .. } => last.as_ref(),
        }
    }

    /// How many attempts there were, where it is said: [`Terminal`](Self::Terminal) does not.
    #[must_use]
    pub const fn attempts(&self) -> Option<u32> {
        match self {
            Self::Exhausted { attempts, .. }
            | Self::Budget { attempts, .. }
            | Self::Deadline { attempts, .. }
            | Self::Deferred { attempts, .. }
            | Self::Forbidden { attempts, .. } => Some(*attempts),
            Self::Terminal(_) => None,
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> RetryError<T> {
        match self {
            Self::Exhausted { last, attempts } => RetryError::Exhausted {
                last: f(last),
                attempts,
            },
            Self::Budget { last, attempts } => RetryError::Budget {
                last: last.map(f),
                attempts,
            },
            Self::Deadline {
                needed,
                left,
                last,
                attempts,
            } => RetryError::Deadline {
                needed,
                left,
                last: last.map(f),
                attempts,
            },
            Self::Deferred {
                hint,
                longest,
                last,
                attempts,
            } => RetryError::Deferred {
                hint,
                longest,
                last: f(last),
                attempts,
            },
            Self::Forbidden { last, attempts } => RetryError::Forbidden {
                last: f(last),
                attempts,
            },
            Self::Terminal(error) => RetryError::Terminal(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { attempts, .. } => write!(f, "gave up after attempt {attempts}")?,
            Self::Budget { attempts, .. } => {
                write!(f, "no budget to retry after attempt {attempts}")?;
            }
            Self::Deadline {
                needed,
                left,
                attempts,
                ..
            } => write!(
                f,
                "no time to retry after attempt {attempts}: needs {needed:?} of {left:?} left"
            )?,
            Self::Deferred {
                hint,
                longest,
                attempts,
                ..
            } => write!(
                f,
                "asked to wait {hint:?}, more than {longest:?}, after attempt {attempts}"
            )?,
            Self::Forbidden { attempts, .. } => {
                write!(f, "asked not to retry after attempt {attempts}")?;
            }
            Self::Terminal(error) => return error.fmt(f),
        }
        match self.last() {
            Some(last) => write!(f, "; last: {last}"),
            None => Ok(()),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.last().and_then(crate::surface::as_boxed)
    }
}

impl<E> Failure<E> for RetryError<E> {
    type Typed = Self;

    fn typed(self) -> Self {
        self
    }

    fn pass(error: E) -> Self {
        Self::Terminal(error)
    }

    fn boxed(self) -> BoxError
    where
        E: Into<BoxError>,
    {
        match self.map(Into::into) {
            RetryError::Terminal(error) => error,
            gave_up => gave_up.into(),
        }
    }
}

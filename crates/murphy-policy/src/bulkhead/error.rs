//! [`Shed`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// The bulkhead shed the call: it was not made, and had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    site: Arc<str>,
    why: Why,
}

/// Why a call was shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The queue is full. Told at once.
    Full {
        /// How many wait.
        waiting: u32,
    },
    /// Its turn would come after its deadline. Told at once.
    Late {
        /// When its turn is likely, by what the queue does now; zero where that is not known yet.
        expected: Duration,
        /// What was left until its deadline.
        left: Duration,
    },
    /// Its deadline passed while it waited.
    Expired {
        /// How long it waited.
        waited: Duration,
    },
    /// It was the oldest in a full queue that serves the [newest
    /// first](crate::BulkheadLayer::newest_first).
    Displaced,
}

impl Shed {
    /// A call that `site` shed. For tests of what handles it.
    #[must_use]
    pub fn new(site: impl Into<Arc<str>>, why: Why) -> Self {
        Self {
            site: site.into(),
            why,
        }
    }

    /// The bulkhead's name.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Why it was shed.
    #[must_use]
    pub const fn why(&self) -> Why {
        self.why
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { waiting } => write!(f, "{waiting} wait already"),
            Self::Late { expected, left } => {
                write!(
                    f,
                    "its turn is expected in {expected:?}, and {left:?} are left"
                )
            }
            Self::Expired { waited } => {
                write!(f, "its deadline passed after {waited:?} in the queue")
            }
            Self::Displaced => f.write_str("newer calls took its place in the queue"),
        }
    }
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` shed the call: {}", self.site, self.why)
    }
}

impl Error for Shed {}

/// What a [`typed`](crate::BulkheadLayer::typed) bulkhead answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkheadError<E> {
    /// The bulkhead shed the call.
    Shed(Shed),
    /// The inner service failed.
    Inner(E),
}

impl<E> BulkheadError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Shed(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> BulkheadError<T> {
        match self {
            Self::Shed(shed) => BulkheadError::Shed(shed),
            Self::Inner(error) => BulkheadError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for BulkheadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shed(shed) => shed.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for BulkheadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Shed(shed) => Some(shed),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Shed {
    type Typed = BulkheadError<E>;

    fn typed(self) -> BulkheadError<E> {
        BulkheadError::Shed(self)
    }

    fn pass(error: E) -> BulkheadError<E> {
        BulkheadError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

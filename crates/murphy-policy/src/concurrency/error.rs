//! [`Limited`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::bulkhead::Why;
use crate::surface::{BoxError, Failure};

/// The adaptive limit shed the call: it was not made, and had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    site: Arc<str>,
    limit: u32,
    why: Why,
}

impl Limited {
    /// A call that `site` shed at `limit`. For tests of what handles it.
    #[must_use]
    pub fn new(site: impl Into<Arc<str>>, limit: u32, why: Why) -> Self {
        Self {
            site: site.into(),
            limit,
            why,
        }
    }

    /// The limit's name.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// How many calls were let through at once when it was shed.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Why it did not wait, or no longer; without a [`queue`](crate::ConcurrencyLayer::queue)
    /// always [`Full`](Why::Full).
    #[must_use]
    pub const fn why(&self) -> Why {
        self.why
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, limit, why } = self;
        write!(f, "`{site}` lets {limit} calls through at once: {why}")
    }
}

impl Error for Limited {}

/// What a [`typed`](crate::ConcurrencyLayer::typed) adaptive limit answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConcurrencyError<E> {
    /// The limit shed the call.
    Limited(Limited),
    /// The inner service failed.
    Inner(E),
}

impl<E> ConcurrencyError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Limited(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> ConcurrencyError<T> {
        match self {
            Self::Limited(limited) => ConcurrencyError::Limited(limited),
            Self::Inner(error) => ConcurrencyError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ConcurrencyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited(limited) => limited.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for ConcurrencyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Limited(limited) => Some(limited),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Limited {
    type Typed = ConcurrencyError<E>;

    fn typed(self) -> ConcurrencyError<E> {
        ConcurrencyError::Limited(self)
    }

    fn pass(error: E) -> ConcurrencyError<E> {
        ConcurrencyError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

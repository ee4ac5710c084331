//! [`Open`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::surface::{BoxError, Failure};

/// The breaker is open: this attempt was not made, and had no effect. Beneath a retry one before it may
/// have had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    site: Arc<str>,
    retry_after: Option<Duration>,
}

impl Open {
    /// A call that `site` refused. For tests of what handles it.
    #[must_use]
    pub fn new(site: impl Into<Arc<str>>, retry_after: Option<Duration>) -> Self {
        Self {
            site: site.into(),
            retry_after,
        }
    }

    /// The breaker's name.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// How long until a call can be let through as a trial; `None` where nobody knows: trials are
    /// under way, or the breaker was forced open.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the breaker `{}` is open", self.site)?;
        match self.retry_after {
            Some(wait) => write!(f, "; retry after {wait:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Open {}

/// What a [`typed`](crate::BreakerLayer::typed) breaker answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerError<E> {
    /// The breaker is open.
    Open(Open),
    /// The inner service failed.
    Inner(E),
}

impl<E> BreakerError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Open(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> BreakerError<T> {
        match self {
            Self::Open(open) => BreakerError::Open(open),
            Self::Inner(error) => BreakerError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(open) => open.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for BreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(open) => Some(open),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Open {
    type Typed = BreakerError<E>;

    fn typed(self) -> BreakerError<E> {
        BreakerError::Open(self)
    }

    fn pass(error: E) -> BreakerError<E> {
        BreakerError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

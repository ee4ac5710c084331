//! [`Throttled`] and the enum of it and the inner error.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::surface::{BoxError, Failure};

/// The throttle rejected the call: it was not made, and had no effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Throttled {
    site: Arc<str>,
    chance: f64,
}

impl Throttled {
    /// A call that `site` rejected. For tests of what handles it.
    #[must_use]
    pub fn new(site: impl Into<Arc<str>>, chance: f64) -> Self {
        Self {
            site: site.into(),
            chance,
        }
    }

    /// The throttle's name.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// How likely a rejection was when the call came: above 0.0, below 1.0.
    #[must_use]
    pub const fn chance(&self) -> f64 {
        self.chance
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, chance } = self;
        write!(
            f,
            "`{site}` rejects {:.1}% of calls, since its peer does",
            chance * 100.0
        )
    }
}

impl Error for Throttled {}

/// What a [`typed`](crate::ThrottleLayer::typed) throttle answers with.
#[derive(Clone, Debug, PartialEq)]
pub enum ThrottleError<E> {
    /// The throttle rejected the call.
    Throttled(Throttled),
    /// The inner service failed.
    Inner(E),
}

impl<E> ThrottleError<E> {
    /// The inner service's error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Throttled(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another inner error.
    pub fn map<T>(self, f: impl FnOnce(E) -> T) -> ThrottleError<T> {
        match self {
            Self::Throttled(throttled) => ThrottleError::Throttled(throttled),
            Self::Inner(error) => ThrottleError::Inner(f(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ThrottleError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled(throttled) => throttled.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for ThrottleError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Throttled(throttled) => Some(throttled),
            Self::Inner(error) => crate::surface::as_boxed(error),
        }
    }
}

impl<E> Failure<E> for Throttled {
    type Typed = ThrottleError<E>;

    fn typed(self) -> ThrottleError<E> {
        ThrottleError::Throttled(self)
    }

    fn pass(error: E) -> ThrottleError<E> {
        ThrottleError::Inner(error)
    }

    fn boxed(self) -> BoxError {
        self.into()
    }
}

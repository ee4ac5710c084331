//! [`FencedError`]: the lease's failures, and the call's own.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use murphy_core::OwnSide;

use crate::Lost;

/// Why a fenced call failed.
///
/// Policies look for what says nothing of the peer among the [sources](Error::source): [`Lost`](Self::Lost) has
/// [`OwnSide::Ended`] there, and [`Short`](Self::Short) [`OwnSide::Withheld`]. They find it in a `BoxError`, not in
/// this type: see [`FencedLayer`](super::FencedLayer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FencedError<E> {
    /// The lease is lost. If the call was under way it may have taken effect, unless the resource refuses it.
    Lost(Lost),
    /// Less is left of the lease than the call is to have: renew it first. Nothing was sent.
    Short {
        /// How much is left.
        remaining: Duration,
        /// How much there has to be.
        least: Duration,
    },
    /// The call failed by itself.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for FencedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => lost.fmt(f),
            Self::Short { remaining, least } => write!(
                f,
                "{remaining:?} are left of the lease, and the call is to have {least:?}: renew it first"
            ),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

/// Over anything printable. A call's own error is a source where it is a `BoxError` or an `io::Error`; of any other, box it
/// beneath the layer.
impl<E: fmt::Display + fmt::Debug + 'static> Error for FencedError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lost(lost) => Some(lost),
            Self::Short { .. } => Some(&OwnSide::Withheld),
            Self::Inner(error) => {
                let any: &dyn Any = error;
                let boxed = any.downcast_ref::<Box<dyn Error + Send + Sync>>();
                boxed
                    .map(|boxed| &**boxed as _)
                    .or_else(|| any.downcast_ref::<io::Error>().map(|io| io as _))
            }
        }
    }
}

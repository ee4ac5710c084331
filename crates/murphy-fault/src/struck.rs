//! [`Struck`]: a body on its way, and what will become of it.

use std::time::Duration;

use crate::Leg;
use crate::effect::{After, BodyFault, Effect};
use crate::marker::Marker;
use crate::run::Receipt;

/// A fault that strikes a body. Dropped before the body came to it, it notes that the caller left.
#[doc(hidden)]
#[derive(Debug)]
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "only HTTP has bodies")
)]
pub struct Struck {
    pub(crate) leg: Leg,
    pub(crate) how: How,
    /// How long a stall lasts at most.
    pub(crate) give_up: Option<Duration>,
    pub(crate) marker: Marker,
    pub(crate) receipt: Receipt,
}

/// What happens to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Stop(BodyFault, After),
    LoseTrailers,
}

impl How {
    /// What an effect does to a body, if it does something to one.
    pub(crate) fn of(effect: &Effect) -> Option<Self> {
        match effect {
            Effect::Body { what, after, .. } => Some(Self::Stop(*what, *after)),
            Effect::LoseTrailers(_) => Some(Self::LoseTrailers),
            _ => None,
        }
    }
}

//! [`Part`]: what is known of one layer of a stack.

use std::time::Duration;

use crate::retry::{Pace, RetryLayer};
use crate::switch::Switch;
use crate::timeout::{Sealed, TimeoutLayer};
use crate::{
    BreakerLayer, Budget, BulkheadLayer, ConcurrencyLayer, DeadlineLayer, FallbackLayer,
    HedgeLayer, ThrottleLayer,
};

/// What a layer is, for whoever checks a stack.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Part {
    /// Serves where all else failed.
    Fallback,
    /// Bounds the whole call.
    Deadline {
        /// By how long.
        total: Duration,
    },
    /// Names the operation, once for all attempts.
    IdempotencyKey,
    /// Asks again before the first answer is late.
    Hedge {
        /// How many requests there are at most.
        attempts: u32,
        /// Who pays.
        budget: Budget,
        /// Whether each call pays into it, and not only a retry beneath.
        pays_in: bool,
    },
    /// Repeats what failed.
    Retry {
        /// How many attempts there are at most.
        attempts: u32,
        /// How long all waits together can take, hints of the peer left out; `None` if the pace does
        /// not say.
        waits: Option<Duration>,
        /// How much longer a peer's hints can make each.
        longest_hint: Duration,
        /// Who pays; `None` if each request says so itself.
        budget: Option<Budget>,
    },
    /// Stops asking where asking is in vain.
    Breaker,
    /// Asks less often where much is refused.
    Throttle,
    /// Bounds how many calls are under way.
    Bulkhead {
        /// How many calls can wait for a place, each for as long as those before it take.
        queue: u32,
    },
    /// Ends an attempt that takes too long.
    Timeout {
        /// After how long at most; `None` if it depends on the request.
        most: Option<Duration>,
    },
    /// Not ours.
    Other {
        /// What it is called in reports.
        name: &'static str,
    },
}

impl Part {
    /// What it is called in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fallback => "Fallback",
            Self::Deadline { .. } => "Deadline",
            Self::IdempotencyKey => "IdempotencyKey",
            Self::Hedge { .. } => "Hedge",
            Self::Retry { .. } => "Retry",
            Self::Breaker => "Breaker",
            Self::Throttle => "Throttle",
            Self::Bulkhead { .. } => "Bulkhead",
            Self::Timeout { .. } => "Timeout",
            Self::Other { name } => name,
        }
    }
}

/// A layer that says what it is.
pub trait Describe {
    /// What it is.
    fn describe(&self) -> Part;
}

impl<M> Describe for DeadlineLayer<M> {
    fn describe(&self) -> Part {
        Part::Deadline {
            total: self.total(),
        }
    }
}

impl<L: Sealed, M> Describe for TimeoutLayer<L, M> {
    fn describe(&self) -> Part {
        Part::Timeout { most: self.most() }
    }
}

impl<C, R, P: Pace, M> Describe for RetryLayer<C, R, P, M> {
    fn describe(&self) -> Part {
        self.part()
    }
}

impl<D, G, C, R> Describe for HedgeLayer<D, G, C, R> {
    fn describe(&self) -> Part {
        self.part()
    }
}

impl<C, M> Describe for BreakerLayer<C, M> {
    fn describe(&self) -> Part {
        Part::Breaker
    }
}

/// What is switched off is named `off`.
impl<L: Describe> Describe for Switch<L> {
    fn describe(&self) -> Part {
        let off = Part::Other { name: "off" };
        self.layer().map_or(off, Describe::describe)
    }
}

impl<C, M> Describe for ThrottleLayer<C, M> {
    fn describe(&self) -> Part {
        Part::Throttle
    }
}

impl<K, M> Describe for BulkheadLayer<K, M> {
    fn describe(&self) -> Part {
        Part::Bulkhead {
            queue: self.waiting(),
        }
    }
}

/// A bulkhead whose places come and go.
impl<C, M> Describe for ConcurrencyLayer<C, M> {
    fn describe(&self) -> Part {
        Part::Bulkhead {
            queue: self.waiting(),
        }
    }
}

impl<A, K, C, T, M> Describe for FallbackLayer<A, K, C, T, M> {
    fn describe(&self) -> Part {
        Part::Fallback
    }
}

/// Ours, and of no account for the order, by these names.
macro_rules! beside {
    ($($(#[$when:meta])* $layer:ty: $name:literal $(, $param:ident)*;)*) => {$(
        $(#[$when])*
        impl<$($param),*> Describe for $layer {
            fn describe(&self) -> Part {
                Part::Other { name: $name }
            }
        }
    )*};
}

beside! {
    #[cfg(feature = "http")]
    crate::SendDeadlineLayer: "SendDeadline";
    #[cfg(feature = "http")]
    crate::http::ReplayBodyLayer: "ReplayBody";
    #[cfg(feature = "http")]
    crate::BodyTimeoutLayer<L, M>: "BodyTimeout", L, M;
    #[cfg(feature = "grpc")]
    crate::grpc::PeekTrailersLayer: "PeekTrailers";
}

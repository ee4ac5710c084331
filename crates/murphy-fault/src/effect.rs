//! [`Effect`]: what a fault does to a call.

mod body;

use std::fmt;
use std::time::Duration;

use murphy_core::Distribution;

use crate::Leg;

pub use body::{After, BodyFault};

/// What a fault does to a call that it strikes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// The message takes longer.
    Delay {
        /// Where the time is lost.
        place: Place,
        /// How much of it.
        by: Distribution,
    },
    /// The message is lost, silently.
    Lose(Leg),
    /// The user's refusal comes back: before the work (request leg), or in place of the reply
    /// after the work was done (reply leg).
    Refuse(Leg),
    /// A copy of the request arrives too.
    Duplicate {
        /// How much later than the original.
        after: Distribution,
        /// Whose reply the caller sees.
        keep: Keep,
    },
    /// The message is held until later calls have passed it.
    Reorder {
        /// Which message.
        leg: Leg,
        /// How many later calls pass first.
        passes: u32,
        /// The longest that it is held. Under a quiet caller nobody passes, and this ends it.
        bound: Duration,
    },
    /// The user's typed hook changes the message.
    Alter(Leg),
    /// The message's body stops on its way.
    Body {
        /// Which message.
        leg: Leg,
        /// How it stops.
        what: BodyFault,
        /// How much of it passes first.
        after: After,
    },
    /// The message's body arrives, its trailers do not.
    LoseTrailers(Leg),
}

/// Where a delay is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// On the way to the service: its capacity stays free. A slow wire.
    Wire,
    /// At the service, which is kept ready and busy. A slow server.
    Server,
    /// On the way back.
    Reply,
}

/// Which of several replies the caller sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The original's. The copies run on without the caller.
    #[default]
    First,
    /// The one that comes last of all.
    Last,
}

impl Effect {
    /// The word for it in plans, ledgers and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "latency",
            Self::Lose(_) => "loss",
            Self::Refuse(_) => "refuse",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Alter(_) => "alter",
            Self::Body { what, .. } => what.kind(),
            Self::LoseTrailers(_) => "lose-trailers",
        }
    }

    /// The leg that it strikes.
    #[must_use]
    pub const fn leg(&self) -> Leg {
        match self {
            Self::Delay {
                place: Place::Reply,
                ..
            } => Leg::Reply,
            Self::Delay { .. } | Self::Duplicate { .. } => Leg::Request,
            Self::Lose(leg) | Self::Refuse(leg) | Self::Alter(leg) => *leg,
            Self::Reorder { leg, .. } | Self::Body { leg, .. } | Self::LoseTrailers(leg) => *leg,
        }
    }

    /// Whether it ends in a silence that can be bounded.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(
            self,
            Self::Lose(_)
                | Self::Body {
                    what: BodyFault::Stall,
                    ..
                }
        )
    }

    pub(crate) const fn default_name(&self) -> &'static str {
        match self {
            Self::Delay {
                place: Place::Wire, ..
            } => "latency",
            Self::Delay {
                place: Place::Server,
                ..
            } => "slow-server",
            Self::Delay {
                place: Place::Reply,
                ..
            } => "slow-reply",
            Self::Lose(Leg::Request) => "lost-request",
            Self::Lose(Leg::Reply) => "lost-reply",
            Self::Refuse(Leg::Request) => "refused",
            Self::Refuse(Leg::Reply) => "refused-after-work",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder {
                leg: Leg::Request, ..
            } => "reordered-request",
            Self::Reorder {
                leg: Leg::Reply, ..
            } => "reordered-reply",
            Self::Alter(Leg::Request) => "altered-request",
            Self::Alter(Leg::Reply) => "altered-reply",
            Self::Body { leg, what, .. } => what.default_name(*leg),
            Self::LoseTrailers(Leg::Request) => "lost-request-trailers",
            Self::LoseTrailers(Leg::Reply) => "lost-reply-trailers",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay {
                place: Place::Wire,
                by,
            } => write!(f, "delay the request by {by}"),
            Self::Delay {
                place: Place::Server,
                by,
            } => write!(f, "keep the server busy for {by}"),
            Self::Delay {
                place: Place::Reply,
                by,
            } => write!(f, "delay the reply by {by}"),
            Self::Lose(leg) => write!(f, "lose the {leg}"),
            Self::Refuse(Leg::Request) => f.write_str("refuse before the work"),
            Self::Refuse(Leg::Reply) => f.write_str("refuse after the work"),
            Self::Duplicate { after, keep } => {
                let keep = if *keep == Keep::First {
                    "first"
                } else {
                    "last"
                };
                write!(f, "deliver a copy after {after}, keep the {keep} reply")
            }
            Self::Reorder { leg, passes, bound } => {
                write!(
                    f,
                    "hold the {leg} until {passes} later calls passed, at most {}",
                    humantime::format_duration(*bound)
                )
            }
            Self::Alter(leg) => write!(f, "alter the {leg}"),
            Self::Body { leg, what, after } => {
                write!(f, "{} the {leg}'s body after {after}", what.kind())
            }
            Self::LoseTrailers(leg) => write!(f, "lose the {leg}'s trailers"),
        }
    }
}

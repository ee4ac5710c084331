//! [`Effect`]: what a fault does to a call.

mod body;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use murphy_core::{Distribution, Draw, Probability};

use crate::Leg;
use crate::network::Rate;

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
    /// The message waits its turn in a bounded queue, and is lost where that is full.
    Queue {
        /// Which message.
        leg: Leg,
        /// How fast the queue is drained.
        rate: Rate,
        /// How many it holds, the one that is being sent included.
        capacity: NonZeroU32,
    },
    /// The last segment of the message is lost beneath TCP, which sends it again.
    Resend {
        /// Which message.
        leg: Leg,
        /// The round trip of the connection.
        rtt: Duration,
        /// The chance that it is lost again, each time.
        again: Probability,
    },
    /// Others that are ready go first, and no time passes: another order, not a slower wire.
    Yield {
        /// Which message.
        leg: Leg,
        /// How often its task goes to the end of the line.
        turns: u32,
    },
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
            Self::Queue { .. } => "queue",
            Self::Resend { .. } => "resend",
            Self::Yield { .. } => "yield",
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
            Self::Reorder { leg, .. } | Self::Queue { leg, .. } | Self::Resend { leg, .. } => *leg,
            Self::Yield { leg, .. } | Self::Body { leg, .. } | Self::LoseTrailers(leg) => *leg,
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
            Self::Queue {
                leg: Leg::Request, ..
            } => "slow-link",
            Self::Queue {
                leg: Leg::Reply, ..
            } => "slow-link-back",
            Self::Resend {
                leg: Leg::Request, ..
            } => "resent-request",
            Self::Resend {
                leg: Leg::Reply, ..
            } => "resent-reply",
            Self::Yield {
                leg: Leg::Request, ..
            } => "yielding-request",
            Self::Yield {
                leg: Leg::Reply, ..
            } => "yielding-reply",
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
            Self::Queue {
                leg,
                rate,
                capacity,
            } => write!(f, "send the {leg} at {rate} through a queue of {capacity}"),
            Self::Resend { leg, rtt, again } => write!(
                f,
                "send the {leg} again, {again} of the time more than once, over a round trip of {}",
                humantime::format_duration(*rtt)
            ),
            Self::Yield { leg, turns } => {
                write!(f, "let others go before the {leg}, for {turns} turns")
            }
            Self::Body { leg, what, after } => {
                write!(f, "{} the {leg}'s body after {after}", what.kind())
            }
            Self::LoseTrailers(leg) => write!(f, "lose the {leg}'s trailers"),
        }
    }
}

/// How long TCP takes to send a lost last segment again, and again.
///
/// The first wait is a round trip and the 200 ms that Linux adds at least (RFC 6298 says a second),
/// each further one is twice the last. After seven losses of one segment it gets through.
pub(crate) fn resend(rtt: Duration, again: Probability, draw: Draw) -> Duration {
    const LEAST: Duration = Duration::from_millis(200);
    const MOST_AGAIN: u32 = 6;
    let (mut share, mut times) = (again.get(), 0);
    // The quantile function of a geometric law: a larger draw is a longer wait.
    while 1.0 - draw.unit() <= share && times < MOST_AGAIN {
        share *= again.get();
        times += 1;
    }
    let first = rtt.saturating_add(LEAST);
    first.saturating_mul((1 << (times + 1)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resent_segment_waits_twice_as_long_each_time() {
        let rtt = Duration::from_millis(100);
        let half = Probability::try_new(0.5).unwrap();
        let at = |unit: f64| resend(rtt, half, Draw::from_bits((unit * 2f64.powi(64)) as u64));
        for (unit, ms) in [
            (0.0, 300),
            (0.49, 300),
            (0.51, 900),
            (0.76, 2100),
            (0.99, 38_100),
        ] {
            assert_eq!(at(unit), Duration::from_millis(ms), "{unit}");
        }
        let never = |bits| resend(rtt, Probability::NEVER, Draw::from_bits(bits));
        assert_eq!(never(u64::MAX), Duration::from_millis(300));
        let end = resend(
            Duration::MAX,
            Probability::ALWAYS,
            Draw::from_bits(u64::MAX),
        );
        assert_eq!(end, Duration::MAX);
    }
}

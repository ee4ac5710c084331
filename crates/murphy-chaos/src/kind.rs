//! [`Kind`]: what an exploration does to a call.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use murphy_core::Distribution;
use murphy_fault::{After, Fault, Leg, Select};

/// How much of a body passes before it is cut.
const CUT: After = After::Bytes(1);
/// How often others go first. More than one: who goes first may have to be woken before.
const TURNS: u32 = 8;

/// What an exploration does to one call. Its name is that of the fault in plans and ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The request is lost: the work never happened.
    LostRequest,
    /// The reply is lost: the work did.
    LostReply,
    /// A copy of the request arrives too.
    Duplicate,
    /// Refused before the work.
    Refused,
    /// Refused after the work.
    RefusedAfterWork,
    /// The request is late.
    Latency,
    /// The reply is late.
    SlowReply,
    /// The request is altered by the layer's hook.
    AlteredRequest,
    /// The reply is altered by the layer's hook.
    AlteredReply,
    /// The request is a few milliseconds late: no fault, another order.
    Nudge,
    /// The reply is.
    NudgeBack,
    /// Whoever else is ready goes before the request, and no time passes: no fault, another order.
    Yield,
    /// And before the reply.
    YieldBack,
    /// The connection breaks one byte into the reply's body: the head arrived, and the work was done.
    ResetReply,
    /// The reply's body stops after one byte, and nobody is told: a timeout that ends with the head does not see it.
    StalledReply,
}

impl Kind {
    /// All faults, those first that break most. Nudges are none.
    pub const FAULTS: [Self; 11] = [
        Self::LostReply,
        Self::LostRequest,
        Self::Duplicate,
        Self::Refused,
        Self::RefusedAfterWork,
        Self::Latency,
        Self::SlowReply,
        Self::ResetReply,
        Self::StalledReply,
        Self::AlteredRequest,
        Self::AlteredReply,
    ];

    /// What changes the order of things, and nothing else.
    pub const NUDGES: [Self; 4] = [Self::Nudge, Self::NudgeBack, Self::Yield, Self::YieldBack];

    /// The name, as in `lost-reply`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostRequest => "lost-request",
            Self::LostReply => "lost-reply",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::RefusedAfterWork => "refused-after-work",
            Self::Latency => "latency",
            Self::SlowReply => "slow-reply",
            Self::AlteredRequest => "altered-request",
            Self::AlteredReply => "altered-reply",
            Self::Nudge => "nudge",
            Self::NudgeBack => "nudge-back",
            Self::Yield => "yield",
            Self::YieldBack => "yield-back",
            Self::ResetReply => "reset-reply",
            Self::StalledReply => "stalled-reply",
        }
    }

    /// Whether it has a magnitude: how late, how much later the copy.
    #[must_use]
    pub const fn has_magnitude(self) -> bool {
        matches!(
            self,
            Self::Duplicate | Self::Latency | Self::SlowReply | Self::Nudge | Self::NudgeBack
        )
    }

    /// Whether it is no fault but another order.
    #[must_use]
    pub const fn is_nudge(self) -> bool {
        matches!(
            self,
            Self::Nudge | Self::NudgeBack | Self::Yield | Self::YieldBack
        )
    }

    /// Whether nothing that strikes the same call later can be noticed.
    pub(crate) const fn ends_the_call(self) -> bool {
        matches!(self, Self::LostRequest | Self::Refused)
    }

    /// The fault, striking what `select` chooses; `by` is its magnitude where the selection
    /// prescribes none.
    pub(crate) fn fault(self, by: Distribution, select: impl Into<Select>) -> Fault {
        let fault = match self {
            Self::LostRequest => Fault::lost_request(select),
            Self::LostReply => Fault::lost_reply(select),
            Self::Duplicate => Fault::duplicate(by, select),
            Self::Refused => Fault::refused(select),
            Self::RefusedAfterWork => Fault::refused_after_work(select),
            Self::Latency | Self::Nudge => Fault::latency(by, select),
            Self::SlowReply | Self::NudgeBack => Fault::slow_reply(by, select),
            Self::AlteredRequest => Fault::altered_request(select),
            Self::AlteredReply => Fault::altered_reply(select),
            Self::Yield => Fault::yielding(Leg::Request, TURNS, select),
            Self::YieldBack => Fault::yielding(Leg::Reply, TURNS, select),
            Self::ResetReply => Fault::reset_body(Leg::Reply, CUT, select),
            Self::StalledReply => Fault::stalled_body(Leg::Reply, CUT, select),
        };
        fault.named(self.name())
    }

    /// As [`fault`](Self::fault), with a magnitude that matters to nobody.
    pub(crate) fn scripted(self, select: impl Into<Select>) -> Fault {
        self.fault(Distribution::fixed(Duration::ZERO), select)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of fault: known are lost-request, lost-reply, duplicate, refused, refused-after-work, latency, slow-reply, reset-reply, stalled-reply, altered-request, altered-reply, nudge, nudge-back, yield, yield-back"
)]
pub struct BadKind(pub String);

impl FromStr for Kind {
    type Err = BadKind;

    fn from_str(word: &str) -> Result<Self, BadKind> {
        let mut all = Self::FAULTS.into_iter().chain(Self::NUDGES);
        all.find(|kind| kind.name() == word)
            .ok_or_else(|| BadKind(word.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_written_and_names_its_fault() {
        for kind in Kind::FAULTS.into_iter().chain(Kind::NUDGES) {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.scripted(Select::nth([])).name(), kind.name());
        }
        assert!("lost".parse::<Kind>().is_err());
    }
}

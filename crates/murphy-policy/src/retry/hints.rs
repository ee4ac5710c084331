//! [`Hints`]: how far a peer is obeyed that says how long to wait.

use std::time::Duration;

use murphy_core::Draw;

use super::pace::Turn;

/// How a peer's hint ([`Verdict::RetryAfter`](super::Verdict::RetryAfter)) and the pace make a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hints {
    /// The hint and the pace on top: never earlier than asked, and those who were told the same do
    /// not return together. The default.
    #[default]
    Plus,
    /// The hint, to the millisecond: as gRPC obeys pushback. The pace plays no part, and begins anew
    /// after it (A6).
    Exact,
    /// The hint, at least the pace, and at most this much more than it: as the AWS SDKs (version
    /// 2.1) with 5 s. A peer can be asked again earlier than it said.
    Within(Duration),
    /// The hint, and up to half of it on top: as Envoy's rate-limited back-off. The pace plays no
    /// part, and goes on from where it was.
    Spread,
}

/// What is done with a hint that is longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    Cut,
    GiveUp,
}

impl Hints {
    /// What a wait that a hint had a part in means for the pace.
    pub(super) const fn turn(self) -> Turn {
        match self {
            Self::Plus | Self::Within(_) => Turn::Took,
            Self::Exact => Turn::Reset,
            Self::Spread => Turn::Stood,
        }
    }

    pub(super) fn wait(self, hint: Duration, pace: Duration, draw: Draw) -> Duration {
        match self {
            Self::Plus => hint.saturating_add(pace),
            Self::Exact => hint,
            Self::Within(more) => hint.clamp(pace, pace.saturating_add(more)),
            Self::Spread => {
                let more = (hint / 2).as_secs_f64() * draw.unit();
                hint.saturating_add(Duration::try_from_secs_f64(more).unwrap_or_default())
            }
        }
    }
}

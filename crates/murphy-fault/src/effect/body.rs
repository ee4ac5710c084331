//! [`BodyFault`] and [`After`]: how a streaming body stops, and where.

use std::fmt;

use crate::Leg;

/// How a body stops.
///
/// | on the wire | stall | truncate | reset |
/// |---|---|---|---|
/// | HTTP/1, `content-length` | silence | too short: an error | too short: an error |
/// | HTTP/1, chunked | silence | a clean end | no last chunk: an error |
/// | HTTP/2 | silence | a clean end; too short for its `content-length`: an error | `RST_STREAM` |
///
/// A truncated body lies where its framing lets it: a reader that trusts a clean end has no means
/// to tell. A reset never lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyFault {
    /// Nothing comes any more, and nobody is woken.
    Stall,
    /// It ends early, as if that were all, and without trailers.
    Truncate,
    /// It fails, with an error that holds the [`Marker`](crate::Marker).
    Reset,
}

/// How much of a body passes before it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum After {
    /// So many bytes: a frame that holds more is split.
    Bytes(u64),
    /// So many data frames, as the sender cut them. What a proxy or a protocol beneath joins or
    /// splits is joined or split by then.
    Frames(u64),
    /// So many messages of gRPC, whatever frames they travel in.
    Messages(u64),
}

impl BodyFault {
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Stall => "stall",
            Self::Truncate => "truncate",
            Self::Reset => "reset",
        }
    }

    pub(crate) const fn default_name(self, leg: Leg) -> &'static str {
        match (self, leg) {
            (Self::Stall, Leg::Request) => "stalled-request",
            (Self::Stall, Leg::Reply) => "stalled-reply",
            (Self::Truncate, Leg::Request) => "truncated-request",
            (Self::Truncate, Leg::Reply) => "truncated-reply",
            (Self::Reset, Leg::Request) => "reset-request",
            (Self::Reset, Leg::Reply) => "reset-reply",
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = match self {
            Self::Bytes(n) => (n, "byte"),
            Self::Frames(n) => (n, "frame"),
            Self::Messages(n) => (n, "message"),
        };
        write!(f, "{n} {unit}{}", if *n == 1 { "" } else { "s" })
    }
}

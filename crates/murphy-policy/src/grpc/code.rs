//! [`Code`]: what a gRPC call came to.

use crate::Kind;

/// A gRPC status code: 0 to 16, by name where one is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

impl Code {
    /// It worked.
    pub const OK: Self = Self(0);
    /// An error of nobody knows which kind.
    pub const UNKNOWN: Self = Self(2);
    /// The deadline passed.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// Some quota is used up, or the peer has too much to do.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// A conflict, such as a lost race: the whole operation may work if repeated.
    pub const ABORTED: Self = Self(10);
    /// The peer failed.
    pub const INTERNAL: Self = Self(13);
    /// Nobody is there to serve it now.
    pub const UNAVAILABLE: Self = Self(14);

    /// The code of this number, if there is one: 0 to 16.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= 16 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Where the peer says when to come again, it did nothing yet.
    pub(super) const fn was_not_done(self) -> bool {
        matches!(
            self,
            Self::RESOURCE_EXHAUSTED | Self::ABORTED | Self::UNAVAILABLE
        )
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::DEADLINE_EXCEEDED => Kind::Timeout,
            Self::RESOURCE_EXHAUSTED => Kind::Throttled,
            Self::UNAVAILABLE => Kind::Transient,
            Self::ABORTED => Kind::Conflict,
            _ => Kind::Server,
        }
    }
}

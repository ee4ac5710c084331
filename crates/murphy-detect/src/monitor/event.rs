//! What becomes of nodes, as it happens.

use std::time::Duration;

use crate::Moment;

/// Something that an observer came to believe.
///
/// A node goes `Up`, is suspected (`Suspect`), then `Trusted` again or `Down`; whoever is down goes `Up` or is `Forgotten`.
/// A `Down` always comes after a `Suspect`. In the order of the moments at which they fell due, then of the
/// nodes' slots; never in the order of a hash.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<N> {
    /// The node is alive: heard of for the first time, or back after it was down.
    Up {
        /// Who.
        node: N,
        /// Which life of it.
        incarnation: u64,
    },
    /// Its deadline passed.
    Suspect {
        /// Who.
        node: N,
        /// How long it had been silent. An observer's pause is part of that.
        silent: Duration,
    },
    /// It was suspected, and was heard again.
    Trusted {
        /// Who.
        node: N,
        /// How long it had been suspected.
        suspected: Duration,
    },
    /// It is taken for dead.
    Down {
        /// Who.
        node: N,
        /// How long it had been silent. An observer's pause is part of that.
        silent: Duration,
    },
    /// It lives again, with all that it kept in memory lost. No silence need have been heard.
    Restarted {
        /// Who.
        node: N,
        /// The life that ended.
        old: u64,
        /// The one that began.
        new: u64,
    },
    /// It had been down for so long that nothing is known of it any more.
    Forgotten {
        /// Who.
        node: N,
        /// The life in which it ended: beats of it are refused from now on.
        incarnation: u64,
    },
    /// The observer itself stood still. All deadlines are moved by `lost`.
    ObserverPaused {
        /// For how long.
        lost: Duration,
    },
    /// Too many nodes are silent at once: nobody goes down until that is over.
    SafeMode {
        /// Whether it began or ended.
        on: bool,
        /// How many are suspected.
        suspects: u32,
    },
}

impl<N> Event<N> {
    /// The node that it is about, if it is about one.
    pub const fn node(&self) -> Option<&N> {
        match self {
            Self::Up { node, .. }
            | Self::Suspect { node, .. }
            | Self::Trusted { node, .. }
            | Self::Down { node, .. }
            | Self::Restarted { node, .. }
            | Self::Forgotten { node, .. } => Some(node),
            Self::ObserverPaused { .. } | Self::SafeMode { .. } => None,
        }
    }
}

/// What is believed of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// Never heard of, or forgotten: neither alive nor dead.
    Unknown,
    /// Its deadline is to come.
    Alive,
    /// Silent for too long.
    Suspect {
        /// Since when.
        since: Moment,
    },
    /// Silent for so long that it is taken for dead, and not back for long enough.
    Dead {
        /// Since when.
        since: Moment,
    },
}

impl Liveness {
    /// Whether it is [`Alive`](Self::Alive).
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Alive)
    }

    /// Whether it is [`Dead`](Self::Dead).
    #[must_use]
    pub const fn is_dead(self) -> bool {
        matches!(self, Self::Dead { .. })
    }
}

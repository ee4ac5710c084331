//! Beats that do not count, and how many there were.

use std::time::Duration;

/// Why a beat does not count. It changed nothing, and the sender is no more alive for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This beat or a later one of the same life was there before: it is a copy, or was overtaken.
    #[error("beat {seq} after beat {last}: duplicated or reordered")]
    Duplicate {
        /// Its number.
        seq: u64,
        /// The highest that was heard.
        last: u64,
    },
    /// A later life of the node is known.
    #[error("incarnation {incarnation} is over: {known} is known; begin one above it")]
    Stale {
        /// That of the beat.
        incarnation: u64,
        /// The highest that is known.
        known: u64,
    },
    /// No life of this node can have come so far.
    #[error("incarnation {incarnation} is further than {highest}; is the sender's clock right?")]
    FromTheFuture {
        /// That of the beat.
        incarnation: u64,
        /// The highest that would have been believed.
        highest: u64,
        /// The highest that is known; 0 if none is.
        known: u64,
    },
    /// This life of the node ended so long ago that it was forgotten.
    #[error("incarnation {incarnation} was forgotten at {known}; begin one above it")]
    Forgotten {
        /// That of the beat.
        incarnation: u64,
        /// The one that was forgotten.
        known: u64,
    },
    /// As many nodes are watched as may be.
    #[error("{limit} nodes are watched already; raise `max_nodes`, or `forget_after` less")]
    Full {
        /// How many that is.
        limit: u32,
    },
    /// No node beats so rarely or so often.
    #[error("an interval of {interval:?}; use 1 ms to {longest:?}")]
    Interval {
        /// What the beat says.
        interval: Duration,
        /// The longest that is believed.
        longest: Duration,
    },
    /// The slot is another node's by now, or nobody's.
    #[error("the node of this slot was forgotten; record its next beat by its name")]
    Slot,
}

/// What a monitor has seen since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Beats that counted.
    pub beats: u64,
    /// [`Refused::Duplicate`].
    pub duplicates: u64,
    /// [`Refused::Stale`].
    pub stale: u64,
    /// [`Refused::FromTheFuture`].
    pub from_the_future: u64,
    /// [`Refused::Forgotten`].
    pub ghosts: u64,
    /// [`Refused::Full`].
    pub full: u64,
    /// [`Refused::Interval`].
    pub bad_intervals: u64,
    /// Signs of life that were no beats.
    pub touches: u64,
    /// Restarts.
    pub restarts: u64,
    /// Suspicions.
    pub suspicions: u64,
    /// Deaths.
    pub deaths: u64,
    /// Pauses of the observer.
    pub pauses: u64,
    /// Events that nobody polled for in time: the oldest go first.
    pub lost_events: u64,
}

impl Counts {
    pub(super) const fn refused(&mut self, why: &Refused) {
        let counter = match why {
            Refused::Duplicate { .. } => &mut self.duplicates,
            Refused::Stale { .. } => &mut self.stale,
            Refused::FromTheFuture { .. } => &mut self.from_the_future,
            Refused::Forgotten { .. } | Refused::Slot => &mut self.ghosts,
            Refused::Full { .. } => &mut self.full,
            Refused::Interval { .. } => &mut self.bad_intervals,
        };
        *counter += 1;
    }
}

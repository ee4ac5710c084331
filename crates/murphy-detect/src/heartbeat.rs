//! What nodes and observers say to each other.

use std::time::Duration;

use murphy_core::order::NodeId;

use crate::Moment;

/// The shortest interval at which anybody beats.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
/// The longest interval at which anybody beats: an hour.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// "I am here": one beat of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat<N = NodeId> {
    /// Who.
    pub node: N,
    /// Which life of the node: higher after each restart, such as the time of day at which it began, or a counter on its disk.
    pub incarnation: u64,
    /// The number of the beat in this life, from 0 on.
    pub seq: u64,
    /// When it left, on the sender's monotonic clock. Only differences mean anything.
    pub sent: Moment,
    /// How long until the next one, by the sender's word.
    pub interval: Duration,
}

/// A [`Heartbeat`] without its name, for whoever knows the node's [`Slot`](crate::Slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pulse {
    /// See [`Heartbeat::incarnation`].
    pub incarnation: u64,
    /// See [`Heartbeat::seq`].
    pub seq: u64,
    /// See [`Heartbeat::sent`].
    pub sent: Moment,
    /// See [`Heartbeat::interval`].
    pub interval: Duration,
}

impl<N> Heartbeat<N> {
    /// What it says beside the name.
    #[inline]
    pub const fn pulse(&self) -> Pulse {
        Pulse {
            incarnation: self.incarnation,
            seq: self.seq,
            sent: self.sent,
            interval: self.interval,
        }
    }
}

/// The answer to a [`Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeartbeatAck {
    /// Which life of the observer says so: with another one, nothing that it knew is known any more.
    pub observer: u64,
    /// The beat's `sent`, so that the sender knows its round trip.
    pub echo: Moment,
    /// What became of the beat.
    pub verdict: Verdict,
}

/// What became of a beat, and what its sender should make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It counts, and its sender is believed to be alive.
    Alive,
    /// It counts, and its sender is not yet believed to be alive again: more beats are asked for.
    Recovering,
    /// It was known already, or a later one was.
    Duplicate,
    /// A later life of this node is known, or this one was forgotten: whoever still lives begins a new one, above this.
    Renew {
        /// The highest incarnation that is known.
        known: u64,
    },
    /// It was not taken in: the observer is full, or the beat says what cannot be.
    Refused,
}

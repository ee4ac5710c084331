//! What a monitor knows of one node: 64 bytes, and what its detector knows.

use std::time::Duration;

use crate::Moment;

/// The place of a node in its monitor: a [`record_at`](crate::Monitor::record_at) finds it without a hash.
///
/// Good until the node is forgotten; from then on it is refused, though another node may have the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub(super) index: u32,
    pub(super) generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody's place.
    Free,
    Alive,
    Suspect,
    Dead,
}

// Its own cache lines: where nodes beat in no order, each costs a wait for memory.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Node<S> {
    pub(super) incarnation: u64,
    /// Of the last beat.
    pub(super) seq: u64,
    /// The last sign of life, by the clock.
    pub(super) heard: Moment,
    /// The detector's own deadline, by the clock.
    pub(super) raw: Moment,
    /// The deadline that counts, in judged time.
    pub(super) until: Moment,
    /// When this phase began, in judged time.
    pub(super) since: Moment,
    /// For how long a sign of life is good, in milliseconds.
    patience: u32,
    pub(super) generation: u32,
    pub(super) phase: Phase,
    /// Beats since it was taken for dead.
    pub(super) good: u8,
    /// Returns from the dead since it was last calm.
    pub(super) returns: u8,
    /// Between the detector's last beat and the next one lies time that says nothing.
    pub(super) gap: bool,
    /// A sign of life that was no beat holds the deadline.
    pub(super) touched: bool,
    pub(super) state: S,
}

impl<S> Node<S> {
    pub(super) const fn free(state: S) -> Self {
        Self {
            incarnation: 0,
            seq: 0,
            heard: Moment::ZERO,
            raw: Moment::ZERO,
            until: Moment::ZERO,
            since: Moment::ZERO,
            patience: 0,
            generation: 0,
            phase: Phase::Free,
            good: 0,
            returns: 0,
            gap: false,
            touched: false,
            state,
        }
    }

    pub(super) const fn patience(&self) -> Duration {
        Duration::from_millis(self.patience as u64)
    }

    /// At least one interval, and as long as the detector allowed after its last beat; in nanoseconds.
    #[inline]
    pub(super) fn set_patience(&mut self, interval: u64, allowed: u64) {
        let millis = interval.max(allowed).div_ceil(1_000_000);
        self.patience = u32::try_from(millis).unwrap_or(u32::MAX);
    }

    pub(super) const fn enter(&mut self, phase: Phase, since: Moment) {
        self.phase = phase;
        self.since = since;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_its_detector_a_node_takes_a_cache_line() {
        assert!(size_of::<Node<()>>() <= 64, "{}", size_of::<Node<()>>());
    }
}

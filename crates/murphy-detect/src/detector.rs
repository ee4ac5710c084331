//! Detectors: from the beats that came to the moment until which silence is forgiven.
//!
//! Every one is a *deadline computed at each beat*: between two beats nothing is to be computed, and whether a
//! node is to be suspected is one comparison.

use std::fmt;
use std::time::Duration;

use crate::Moment;

/// What a detector learns of one beat.
///
/// A detector sees the beats of one incarnation of one node, each with a higher `seq` than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When it arrived, on the observer's clock. Never before the one before it.
    pub at: Moment,
    /// When it was sent, on the *sender's* monotonic clock: any origin, the same for all beats of an incarnation.
    /// What a peer says; may be nonsense.
    pub sent: Moment,
    /// Its number. Gaps are beats that were lost, or are late.
    pub seq: u64,
    /// The interval at which the sender says that it beats.
    pub interval: Duration,
    /// It ended a suspicion: the silence before it was an outage, and says nothing about intervals.
    pub ends_outage: bool,
}

/// A rule from beats to a deadline. The rule is shared by all nodes; what it knows of one is its `State`.
///
/// For any input: no panic, deadlines not before the beat, levels finite, not negative and never falling with `now`.
pub trait Detector: fmt::Debug {
    /// What is known of one node.
    type State: Clone + fmt::Debug;

    /// Before the first beat.
    fn start(&self) -> Self::State;

    /// Takes a beat in, and gives the moment *at* which the node is to be suspected unless another comes.
    fn observe(&self, state: &mut Self::State, beat: &Beat) -> Moment;

    /// How suspicious silence until `now` is, in this detector's unit: at least [`threshold`](Self::threshold) exactly from the deadline on.
    fn level(&self, state: &Self::State, now: Moment) -> f64;

    /// The level from which a node is suspected.
    fn threshold(&self) -> f64;
}

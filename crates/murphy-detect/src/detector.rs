//! Detectors: from the beats that came to the moment until which silence is forgiven.
//!
//! Every one is a *deadline computed at each beat*: between two beats nothing is to be computed, and whether a
//! node is to be suspected is one comparison.
//!
//! | detector | suspects | state of a node |
//! |---|---|---|
//! | [`Adaptive`], the default | when a beat is later than its margin, which grows where the network is restless; hard cap | 64 bytes |
//! | [`Fixed`] | after a silence that is always the same | 8 bytes |
//! | [`Phi`] | when a silence is improbable after those before it: akka's curve, or the exact one | 4 bytes a sample of 1000 |
//! | [`Exponential`] | after so many mean silences: Cassandra's scaling, or chitchat's | the same |
//! | [`Chen`] | when a beat is later than its margin, counted from when it was *sent* | 4 bytes a sample of 32 |
//! | [`TwoWindow`] | the same, by the later of a short and a long memory | 4 bytes a sample of 1001 |
//!
//! None wins everywhere, and no detector makes up for a timeout that is below two intervals: then each beat that is
//! lost is a mistake. `cargo run --release -p bench --bin detector-eval` measures them side by side.
//!
//! What a peer says is bounded: an interval counts as 1 ms at least and 1 h at most, and no `sent` moves a deadline
//! past the beat's arrival by more than a bound that each detector documents.

mod adaptive;
mod chen;
mod expectation;
mod exponential;
mod fixed;
mod offset;
mod phi;
mod span;
mod tail;
mod two_window;
mod window;

use std::fmt;
use std::time::Duration;

pub use self::adaptive::{Adaptive, AdaptiveState};
pub use self::chen::{Chen, ChenState};
pub use self::exponential::{Exponential, ExponentialState};
pub use self::fixed::{Fixed, FixedState};
pub use self::phi::{Phi, PhiState};
pub use self::span::Span;
pub use self::two_window::{TwoWindow, TwoWindowState};
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

impl Beat {
    /// The interval in nanoseconds, within what an interval can be: 1 ms to 1 h.
    #[inline]
    fn nominal(&self) -> u64 {
        span::saturated(self.interval).clamp(1_000_000, 3_600_000_000_000)
    }
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

/// A level, as the deadline has it: rounding must not let the one say dead and the other alive.
fn agree(level: f64, threshold: f64, reached: bool) -> f64 {
    if reached {
        level.max(threshold)
    } else {
        level.min(threshold * (1.0 - f64::EPSILON)).max(0.0)
    }
}

/// So many nanoseconds after `from`, rounded up; `from` if it is less than none, or no number.
#[inline]
fn later(from: Moment, nanos: f64) -> Moment {
    Moment::from_nanos(from.as_nanos().saturating_add(nanos.ceil() as u64))
}

#[cfg(test)]
mod tests;

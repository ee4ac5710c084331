//! Heartbeats, and what may be concluded from their absence.

#[cfg(feature = "balance")]
pub mod balance;
pub mod configure;
pub mod detector;
mod event;
pub mod heartbeat;
pub mod heartbeater;
mod knob;
pub mod layer;
mod metered;
mod moment;
pub mod monitor;
pub mod observer;
pub mod odd;
#[cfg(any(feature = "udp", feature = "http"))]
pub mod wire;

pub use detector::{Adaptive, Beat, Detector};
pub use heartbeat::{Heartbeat, HeartbeatAck, Pulse, Verdict};
pub use heartbeater::{Beating, Heartbeater};
pub use knob::BadKnob;
pub use layer::HeartbeatLayer;
pub use moment::Moment;
pub use monitor::{Counts, Event, Guard, Liveness, Monitor, Refused, SafeMode, Slot, Tally};
pub use observer::{Driver, Events, HeartbeatService, Lagged, Observer};

/// The target of every event.
const TARGET: &str = "murphy::detect";

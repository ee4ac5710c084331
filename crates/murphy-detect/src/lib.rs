//! Heartbeats, and what may be concluded from their absence.

pub mod detector;
mod heartbeat;
mod knob;
mod moment;
pub mod monitor;
pub mod odd;

pub use detector::{Beat, Detector};
pub use heartbeat::{Heartbeat, HeartbeatAck, Pulse, Verdict};
pub use knob::BadKnob;
pub use moment::Moment;
pub use monitor::{Counts, Event, Guard, Liveness, Monitor, Refused, SafeMode, Slot, Tally};

//! Heartbeats, and what may be concluded from their absence.

pub mod configure;
pub mod detector;
mod knob;
mod moment;

pub use detector::{Beat, Detector};
pub use knob::BadKnob;
pub use moment::Moment;

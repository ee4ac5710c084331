//! Heartbeats, and what may be concluded from their absence.

pub mod detector;
mod moment;

pub use detector::{Beat, Detector};
pub use moment::Moment;

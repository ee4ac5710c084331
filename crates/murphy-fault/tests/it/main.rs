//! What the fault layer promises, as scripts under a paused clock.

mod chance;
mod control;
#[cfg(feature = "metrics")]
mod counted;
mod legs;
mod network;
mod node;
mod readiness;
mod replay;
mod support;
mod survive;

//! What the fault layer promises, as scripts under a paused clock.

mod byzantine;
mod chance;
mod control;
#[cfg(feature = "metrics")]
mod counted;
mod events;
mod legs;
mod model;
mod node;
mod readiness;
mod replay;
mod support;
mod survive;

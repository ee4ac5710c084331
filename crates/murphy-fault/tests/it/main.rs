//! What the fault layer promises, as scripts under a paused clock.

#[cfg(feature = "http")]
mod answers;
#[cfg(feature = "http")]
mod bodies;
mod byzantine;
mod chance;
mod control;
#[cfg(feature = "metrics")]
mod counted;
mod events;
mod http_plan;
mod legs;
mod model;
mod network;
mod node;
mod readiness;
mod replay;
mod seams;
mod support;
mod survive;
mod texts;

//! What the fault layer promises, as scripts under a paused clock.

mod chance;
mod control;
mod legs;
mod readiness;
mod replay;
mod said;
mod support;
mod survive;

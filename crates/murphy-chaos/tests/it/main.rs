//! Explorations of small systems with known bugs.

mod ablate;
mod bugs;
mod corpus;
mod history;
mod hostile;
#[cfg(feature = "http")]
mod http;
mod nodes;
mod orders;
mod outcome;
mod panics;
mod process;
mod real;
mod repeat;
mod replay;
mod report;
mod support;

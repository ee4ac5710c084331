//! Explorations of small systems with known bugs.

mod bugs;
mod support;

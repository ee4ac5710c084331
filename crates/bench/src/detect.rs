//! Failure detectors, side by side: `cargo run --release -p bench --bin detector-eval`.

pub mod bertier;
pub mod chance;
pub mod closed_form;
pub mod configured;
pub mod judge;
pub mod moving;
pub mod parallel;
pub mod pause;
pub mod rows;
pub mod scale;
pub mod silences;
pub mod table;
pub mod verdicts;
pub mod workload;

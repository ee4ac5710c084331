//! Verdicts, witnesses, readers, pictures and the program.

mod brute;
mod files;
mod fuzz;
mod invariants;
#[cfg(feature = "cli")]
mod program;
mod random;
mod recorder;
mod slices;
mod witnesses;

//! Verdicts, witnesses, readers, pictures and the program.

mod brute;
mod fuzz;
mod random;
mod slices;

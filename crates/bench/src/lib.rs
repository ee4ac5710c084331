//! Benchmarks beside the peers, in one run.
//!
//! ```text
//! cargo bench -p bench --bench overhead
//! cargo bench -p bench --bench network
//! cargo bench -p bench --bench lease
//! cargo bench -p bench --bench check
//! ```
//!
//! Here is what is measured ([`cases`], [`faulted`], [`network`], [`crowd`], [`check`]), how a call is driven ([`drive`]) and how figures are kept
//! ([`figure`]). What measures lies in `benches/`.
//!
//! Speed is asserted nowhere: a figure is printed, never tested.

pub mod cases;
pub mod check;
pub mod counts;
pub mod crowd;
pub mod detect;
pub mod drive;
pub mod faulted;
pub mod figure;
pub mod network;
pub mod pending;
pub mod process;
pub mod report;
pub mod service;

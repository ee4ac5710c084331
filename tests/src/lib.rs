//! What the tests share: the table of faults, and a service that says who came.

mod arrivals;
pub mod broken;
pub mod conformance;
pub mod fenced;
pub mod grid;
pub mod lease;
mod quiet;
pub mod rough;
mod row;
pub mod schedule;
#[cfg(unix)]
pub mod servers;
pub mod web;

pub use arrivals::Arrivals;
pub use quiet::quiet;
pub use row::{Called, Row, SITE, Saw, each_row_holds, rows};

use std::time::Duration;

/// `n` milliseconds.
#[must_use]
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

//! Stores of leases.

mod desk;
#[cfg(feature = "file")]
pub(crate) mod file;
pub(crate) mod full;
pub(crate) mod memory;
pub(crate) mod quorum;
mod table;

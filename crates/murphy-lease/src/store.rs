//! Stores of leases.

pub(crate) mod memory;
pub(crate) mod quorum;

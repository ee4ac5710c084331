//! Stores of leases.

pub(crate) mod memory;

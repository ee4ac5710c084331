//! Stores of leases.

mod desk;
pub(crate) mod full;
pub(crate) mod memory;
mod table;

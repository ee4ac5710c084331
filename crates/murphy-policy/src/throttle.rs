//! Soon.
pub(crate) mod chance;

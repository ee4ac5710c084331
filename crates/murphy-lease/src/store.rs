//! Stores of leases.

#[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
pub(crate) mod error;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
pub(crate) mod memory;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;

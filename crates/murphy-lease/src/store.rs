//! Stores of leases.

#[cfg_attr(
    not(feature = "file"),
    expect(dead_code, reason = "what a store in a file needs besides")
)]
mod desk;
#[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
pub(crate) mod error;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
#[cfg(any(feature = "etcd", feature = "file", feature = "redis"))]
mod event;
#[cfg(feature = "file")]
pub(crate) mod file;
pub(crate) mod full;
pub(crate) mod memory;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod quorum;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "etcd", feature = "redis"))]
mod silence;
#[cfg_attr(
    all(not(feature = "file"), not(test)),
    expect(dead_code, reason = "what a store in a file needs besides")
)]
mod table;

/// For how long a place in a line is kept for one that has waited for as long as he would: for him to ask again.
pub(crate) const PLACE_KEPT: std::time::Duration = std::time::Duration::from_secs(1);

//! [`Suspended`]: whether a clock counts the time that its machine sleeps.

/// What a suspension is to the monotonic clock, once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspended {
    /// It did not happen: Linux's `CLOCK_MONOTONIC`, which Rust's `Instant` is there.
    #[doc(alias = "CLOCK_MONOTONIC")]
    IsLost,
    /// It is caught up: Linux's `CLOCK_BOOTTIME`, and `Instant` on Windows.
    #[doc(alias = "CLOCK_BOOTTIME")]
    Counts,
}
